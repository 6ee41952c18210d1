package ingest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/services/internal/commands"
)

// authority makes certificates for a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("ca")
	return a
}

// issue writes name.pem and name.key.
func (a *authority) issue(name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: a.cert == nil, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "EC PRIVATE KEY", secret)
	c, err = x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// client is what a device needs; with a name, also its certificate.
func (a *authority) client(name string) *tls.Config {
	a.t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(a.cert)
	if name != "" {
		pair, err := tls.LoadX509KeyPair(a.file(name+".pem"), a.file(name+".key"))
		if err != nil {
			a.t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// startTLS is a service that speaks TLS; with clients, only to those of the
// authority. Within that time a connection must have said who it is.
func startTLS(t testing.TB, a *authority, clients bool, within time.Duration) *harness {
	t.Helper()
	a.issue("server")
	ca := ""
	if clients {
		ca = a.file("ca.pem")
	}
	cfg := quick()
	cfg.ConnectWithin = within
	var err error
	if cfg.TLS, err = ServerTLS(a.file("server.pem"), a.file("server.key"), ca); err != nil {
		t.Fatal(err)
	}
	return start(t, cfg, newMemLog(), func(_ *Settings, d *Deps) {
		d.Commands = commands.New(commands.Config{}, commands.NewMemory(), nil)
	})
}

// dialTLS connects, or says why not.
func dialTLS(t testing.TB, addr net.Addr, cfg *tls.Config, v5 bool) (*client, error) {
	t.Helper()
	nc, err := tls.Dial("tcp", addr.String(), cfg)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = nc.Close() })
	c := &client{t: t, c: nc, r: bufio.NewReader(nc), v5: v5}
	c.hello("c1", "", 0, "")
	p, err := c.tryRead(slowest) // TLS 1.3 says here that it wants a certificate
	if err == nil && (p.kind() != connack || p.body[1] != 0) {
		t.Fatalf("got %x %x", p.head, p.body)
	}
	return c, err
}

func TestTLS(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		a := newAuthority(t)
		h := startTLS(t, a, false, slowest)
		c, err := dialTLS(t, h.Addr(), a.client(""), v5)
		if err != nil {
			t.Fatal(err)
		}
		c.subscribe(1, "cmd/t/d")
		for i := range uint16(300) {
			c.publish("tel/t/d/metrics", `{"x":1}`, 1, i+1, false)
			c.acked(i + 1)
		}
		big := strings.Repeat("x", 60_000)
		h.order(t, "d", big)
		c.confirm(c.expect("cmd/t/d qos1 " + big))
		h.settled(t)
		if _, err := dialTLS(t, h.Addr(), &tls.Config{}, v5); err == nil {
			t.Error("a client trusts a stranger")
		}
		if _, err := dialTLS(t, h.Addr(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}, v5); err == nil {
			t.Error("TLS 1.1 is spoken")
		}
	})
}

func TestClientCertificates(t *testing.T) {
	a := newAuthority(t)
	h := startTLS(t, a, true, slowest)
	a.issue("device")
	if _, err := dialTLS(t, h.Addr(), a.client("device"), true); err != nil {
		t.Error(err)
	}
	other := newAuthority(t)
	other.issue("device")
	stranger := a.client("")
	stranger.Certificates = other.client("device").Certificates
	for name, cfg := range map[string]*tls.Config{"no certificate": a.client(""), "another's": stranger} {
		if _, err := dialTLS(t, h.Addr(), cfg, true); err == nil {
			t.Errorf("%s: let in", name)
		}
	}
}

// Those who begin a handshake and go on slowly, or speak no TLS, hold up nobody and
// are closed.
func TestSlowHandshake(t *testing.T) {
	a := newAuthority(t)
	h := startTLS(t, a, false, 4*time.Second)
	slow := make([]*client, 300)
	for i := range slow {
		slow[i] = dial(t, h.Addr(), false)
		_, _ = slow[i].c.Write([]byte("\x16\x03\x01\x02\x00\x01")[:i%7])
	}
	begin := time.Now()
	c, err := dialTLS(t, h.Addr(), a.client(""), true)
	if err != nil || time.Since(begin) > 3*time.Second {
		t.Fatalf("%v after %v", err, time.Since(begin))
	}
	for _, s := range slow {
		s.gone()
	}
	c.ping() // its own time to connect is over, and that is no matter
	plain := dial(t, h.Addr(), false)
	plain.hello("c1", "", 0, "")
	_, _ = io.Copy(io.Discard, plain.c) // an alert, and the end
	h.left(t, 1)
	if st := h.Status().MQTT; st.Handshakes != uint64(len(slow))+1 {
		t.Errorf("%+v", st)
	}
}

func TestServerTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue("server")
	cert, key := a.file("server.pem"), a.file("server.key")
	for name, files := range map[string][3]string{
		"no certificate":   {a.file("none"), key, ""},
		"another's key":    {cert, a.file("ca.key"), ""},
		"no authority":     {cert, key, a.file("none")},
		"no authority yet": {cert, key, key},
	} {
		if _, err := ServerTLS(files[0], files[1], files[2]); err == nil || !strings.Contains(err.Error(), a.dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// farAway is a connection from another address.
type farAway struct {
	net.Conn
	from string
}

func (f farAway) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(f.from), 1234))
}

// One address may hold a share of the connections without saying who it is; those
// that have said so do not count.
func TestStrangersOfAnAddress(t *testing.T) {
	h := startMQTT(t, func(s *Settings, _ *Deps) { s.Connections = 4 * strangerShare })
	d := h.mqtt.door
	wait := make(chan struct{})
	in := make(chan *conn, 100)
	establish := func(c net.Conn) error {
		in <- c.(*conn)
		<-wait
		return nil
	}
	from := func(address string) (*conn, bool) {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = far.Close() })
		before := h.Status().MQTT.Refused
		d.admit(farAway{near, address}, establish)
		if h.Status().MQTT.Refused > before {
			return nil, false
		}
		return <-in, true
	}
	var first *conn
	for i := range 4 {
		c, ok := from("192.0.2.1")
		if !ok {
			t.Fatalf("stranger %d is refused", i)
		}
		first = c
	}
	if _, ok := from("192.0.2.1"); ok {
		t.Error("no bound on strangers")
	}
	if _, ok := from("2001:db8::1"); !ok {
		t.Error("another address is refused")
	}
	d.known(first)
	if _, ok := from("192.0.2.1"); !ok {
		t.Error("refused though one has said who it is")
	}
	for range 3 * strangerShare {
		if _, ok := from("127.0.0.1"); !ok {
			t.Fatal("this machine is refused")
		}
	}
	close(wait)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	if len(d.strangers) != 0 || len(d.conns) != 0 {
		t.Errorf("%v strangers and %d connections at the end", d.strangers, len(d.conns))
	}
}
