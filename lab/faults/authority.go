package main

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
	"time"

	"golang.org/x/crypto/bcrypt"

	"weir/lab/faults/scenario"
)

// authority signs the certificates of a run's gateways and knows the passwords of
// its links. A nil authority is that of plain links.
type authority struct {
	t    *trial
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey

	users     string            // file of all users of links
	passwords map[string]string // by process
}

// newAuthority makes an authority, and a user for each process that links up.
func newAuthority(t *trial, topology *scenario.Topology) *authority {
	a := &authority{t: t, dir: filepath.Join(t.dir, "authority"), passwords: map[string]string{}}
	a.check(os.Mkdir(a.dir, 0o700))
	a.key, a.cert = a.sign("ca", &x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign})
	var users strings.Builder
	for _, region := range topology.RegionNames() {
		for _, name := range topology.GatewaysOf(region) {
			a.enroll(&users, name, "gateway: "+region)
		}
		for _, name := range topology.Regions[region] {
			a.enroll(&users, name, "agent: "+name+", region: "+region)
		}
	}
	a.users = a.write("users.yaml", []byte(users.String()))
	return a
}

func (a *authority) check(err error) {
	if err != nil {
		a.t.Fatalf("make certificates and users: %v", err)
	}
}

func (a *authority) write(name string, data []byte) string {
	name = filepath.Join(a.dir, name)
	a.check(os.WriteFile(name, data, 0o600))
	return name
}

// enroll adds a user and writes its credentials.
func (a *authority) enroll(users *strings.Builder, name, rights string) {
	password := rand.Text()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	a.check(err)
	fmt.Fprintf(users, "- {name: link-%s, password: %s, %s}\n", name, hash, rights)
	data, err := json.Marshal(map[string]string{"user": "link-" + name, "password": password})
	a.check(err)
	a.passwords[name] = a.write(name+".json", data)
}

// sign writes a certificate and its key, signed by the authority or, for its own,
// by itself.
func (a *authority) sign(name string, c *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
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

// door are the flags of a gateway that only its users may link to.
func (a *authority) door(name string) []string {
	if a == nil {
		return nil
	}
	c := &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for i := range 10 {
		c.IPAddresses = append(c.IPAddresses, net.IPv4(10, 213, byte(i), 1)) // near ends of cables
	}
	a.sign(name, c)
	return []string{"--users", a.users, "--tls-cert", filepath.Join(a.dir, name+".pem"), "--tls-key", filepath.Join(a.dir, name+".key")}
}

func (a *authority) scheme() string {
	if a == nil {
		return "nats-leaf"
	}
	return "tls"
}

// credentials are the flags of a process that links up.
func (a *authority) credentials(name string) []string {
	if a == nil {
		return nil
	}
	return []string{"--creds", a.passwords[name], "--upstream-ca", filepath.Join(a.dir, "ca.pem")}
}
