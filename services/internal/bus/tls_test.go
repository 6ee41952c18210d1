package bus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// pki is a certificate authority and two certificates by it, as files.
type pki struct{ ca, serverCert, serverKey, clientCert, clientKey string }

func newPKI(t testing.TB) pki {
	t.Helper()
	dir := t.TempDir()
	ca, key := certificate(t, dir, "ca", nil, nil)
	certificate(t, dir, "server", ca, key)
	certificate(t, dir, "client", ca, key)
	in := func(name string) string { return filepath.Join(dir, name) }
	return pki{in("ca.pem"), in("server.pem"), in("server.key"), in("client.pem"), in("client.key")}
}

// certificate makes one for this host, signed by a parent or itself.
func certificate(t testing.TB, dir, name string, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: parent == nil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		parent, by, c.KeyUsage = c, key, x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(file, kind string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(name+".pem", "CERTIFICATE", der)
	write(name+".key", "EC PRIVATE KEY", secret)
	return c, key
}

// TestTLS: devices and services elsewhere connect with TLS and not without.
func TestTLS(t *testing.T) {
	p, other := newPKI(t), newPKI(t)
	f := func(what string, server TLS, client *TLS, want bool) {
		t.Helper()
		server.Cert, server.Key = p.serverCert, p.serverKey
		e := embed(t, Config{Listen: "127.0.0.1:0", TLS: &server})
		fill(t, e.Bus, "s.a") // the services are not concerned
		b, err := DialWith(t.Context(), DialConfig{URL: "nats://" + e.Addr(), User: UserOperator, Password: "secret", Prefix: "T_", TLS: client})
		if (err == nil) != want {
			t.Errorf("%s: %v", what, err)
		}
		if err == nil {
			fill(t, b, "s.a")
			b.Close()
		}
	}
	f("a known authority", TLS{}, &TLS{CA: p.ca}, true)
	f("no TLS", TLS{}, nil, false) // the system does not know the authority
	f("another authority", TLS{}, &TLS{CA: other.ca}, false)
	f("first", TLS{First: true}, &TLS{CA: p.ca, First: true}, true)
	f("a client's certificate", TLS{CA: p.ca}, &TLS{CA: p.ca, Cert: p.clientCert, Key: p.clientKey}, true)
	f("no client's certificate", TLS{CA: p.ca}, &TLS{CA: p.ca}, false)
	f("another authority's client", TLS{CA: p.ca}, &TLS{CA: p.ca, Cert: other.clientCert, Key: other.clientKey}, false)
}

func TestOldTLS(t *testing.T) {
	p := newPKI(t)
	e := embed(t, Config{Listen: "127.0.0.1:0", TLS: &TLS{Cert: p.serverCert, Key: p.serverKey}})
	pool, err := authorities(p.ca)
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		nc, err := nats.Connect("nats://"+e.Addr(), nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: version}))
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			nc.Close()
		}
	}
}

// TestTLSLink: a link comes up with TLS, and with users, and not without what the
// region wants.
func TestTLSLink(t *testing.T) {
	t.Parallel()
	p, other := newPKI(t), newPKI(t)
	f := func(what string, below TLS, up Upstream, want bool) {
		t.Helper()
		below.Cert, below.Key = p.serverCert, p.serverKey
		r := region(t, Config{TLS: &below, Users: linkUsers(t)})
		up.URL += "://" + r.LeafAddr()
		up.User, up.Password = "link-a1", "pw1"
		a := agent(t, "a1", up)
		if want {
			await(t, what, 10*time.Second, a.LinkUp)
			return
		}
		for range 60 { // the first attempt comes at once
			if <-time.After(5 * time.Millisecond); a.LinkUp() {
				t.Fatalf("%s: the link is up", what)
			}
		}
	}
	f("by the URL and an authority", TLS{}, Upstream{URL: "tls", CA: p.ca}, true)
	f("by the authority", TLS{}, Upstream{URL: "nats-leaf", CA: p.ca}, true)
	f("first", TLS{First: true}, Upstream{URL: "tls", CA: p.ca, First: true}, true)
	f("a certificate", TLS{CA: p.ca}, Upstream{URL: "tls", CA: p.ca, Cert: p.clientCert, Key: p.clientKey}, true)
	f("no certificate", TLS{CA: p.ca}, Upstream{URL: "tls", CA: p.ca}, false)
	f("no authority", TLS{}, Upstream{URL: "tls"}, false)
	f("no TLS", TLS{}, Upstream{URL: "nats-leaf"}, false)
	f("another authority", TLS{}, Upstream{URL: "tls", CA: other.ca}, false)
}

func TestTLSFiles(t *testing.T) {
	p := newPKI(t)
	junk := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(c TLS, want string) {
		t.Helper()
		if _, err := c.listener(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
	f(TLS{}, "needs both")
	f(TLS{Cert: p.serverCert}, p.serverCert)
	f(TLS{Cert: "/none/c.pem", Key: p.serverKey}, "/none/c.pem")
	f(TLS{Cert: p.serverCert, Key: "/none/k.pem"}, "/none/k.pem")
	f(TLS{Cert: junk, Key: p.serverKey}, junk)
	f(TLS{Cert: p.serverCert, Key: p.clientKey}, p.clientKey)
	f(TLS{Cert: p.serverCert, Key: p.serverKey, CA: "/none/ca.pem"}, "/none/ca.pem")
	f(TLS{Cert: p.serverCert, Key: p.serverKey, CA: junk}, junk)
	_, err := DialWith(t.Context(), DialConfig{URL: "nats://127.0.0.1:9", TLS: &TLS{CA: junk}})
	if err == nil || !strings.Contains(err.Error(), junk) {
		t.Errorf("dial with no authority: %v", err)
	}
}
