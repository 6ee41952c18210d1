package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Authority signs certificates and knows the passwords of users.
type Authority struct {
	CA string // file of its certificate

	tb    testing.TB
	dir   string
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	users strings.Builder
}

// NewAuthority makes an authority whose files are in a new folder.
func NewAuthority(tb testing.TB, dir string) *Authority {
	tb.Helper()
	a := &Authority{tb: tb, dir: dir}
	a.check(os.Mkdir(dir, 0o700))
	a.key, a.cert = a.sign("ca", &x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign})
	a.CA = filepath.Join(dir, "ca.pem")
	return a
}

func (a *Authority) check(err error) {
	a.tb.Helper()
	if err != nil {
		a.tb.Fatalf("make certificates and users: %v", err)
	}
}

func (a *Authority) write(name string, data []byte) string {
	name = filepath.Join(a.dir, name)
	a.check(os.WriteFile(name, data, 0o600))
	return name
}

// Enroll adds a user with rights, as `agent: a001, region: north`, and returns the
// file of its credentials.
func (a *Authority) Enroll(name, rights string) (creds string) {
	password := rand.Text()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	a.check(err)
	fmt.Fprintf(&a.users, "- {name: %s, password: %s, %s}\n", name, hash, rights)
	data, err := json.Marshal(map[string]string{"user": name, "password": password})
	a.check(err)
	return a.write(name+".json", data)
}

// Users is the file of all users so far.
func (a *Authority) Users() string { return a.write("users.yaml", []byte(a.users.String())) }

// Door are the flags of a process that only its users may come to, over TLS; it is
// at these addresses of this machine beside 127.0.0.1.
func (a *Authority) Door(name string, at ...net.IP) []string {
	a.sign(name, &x509.Certificate{
		IPAddresses: append(at, net.IPv4(127, 0, 0, 1)), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return []string{"--users", a.Users(), "--tls-cert", filepath.Join(a.dir, name+".pem"), "--tls-key", filepath.Join(a.dir, name+".key")}
}

// sign writes a certificate and its key, signed by the authority or, for its own,
// by itself.
func (a *Authority) sign(name string, c *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.check(err)
	c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	a.check(err)
	c.Subject = pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Unix(0, 0), time.Now().AddDate(10, 0, 0) // clocks may be set back to 1970
	c.BasicConstraintsValid = true
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	a.check(err)
	secret, err := x509.MarshalECPrivateKey(key)
	a.check(err)
	a.write(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	a.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))
	made, err := x509.ParseCertificate(der)
	a.check(err)
	return key, made
}
