package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// made is a pair with a serial number, in PEM.
func made(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}

// files is a folder with a pair, which changes step by step.
type files struct {
	t          *testing.T
	cert, key  string
	generation time.Duration
}

func (f *files) write(name string, data []byte) {
	f.t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.generation += time.Second // however coarse the file system's clock is
	at := time.Now().Add(f.generation)
	if err := os.Chtimes(name, at, at); err != nil {
		f.t.Fatal(err)
	}
}

// shown is the serial number that a handshake with c shows.
func shown(t *testing.T, c *tls.Config) int64 {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() { _ = tls.Server(server, c).Handshake() }()
	conn := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestReplaced: a listener shows a new pair once both files are there, and the old
// one as long as they do not go together.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	f := &files{t: t, cert: filepath.Join(dir, "c.pem"), key: filepath.Join(dir, "c.key")}
	cert, key := made(t, 1)
	f.write(f.cert, cert)
	f.write(f.key, key)
	var log bytes.Buffer
	p, err := Read(f.cert, f.key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	c := new(tls.Config)
	p.Serve(c)
	want := func(when string, serial int64, says string) {
		t.Helper()
		if got := shown(t, c); got != serial || !strings.Contains(log.String(), says) {
			t.Errorf("%s: certificate %d, want %d; log %s", when, got, serial, log.String())
		}
		log.Reset()
	}
	want("at first", 1, "")
	cert, key = made(t, 2)
	f.write(f.cert, cert)
	want("with half of the new pair", 1, "stays as it was")
	f.write(f.key, key)
	want("with both", 2, "read again")
	if err := os.Remove(f.cert); err != nil {
		t.Fatal(err)
	}
	want("without a file", 2, "stays as it was")
	if want("later", 2, ""); log.Len() > 0 {
		t.Errorf("said again: %s", log.String())
	}
}

func TestNotRead(t *testing.T) {
	if _, err := Read("/nowhere/c.pem", "/nowhere/c.key", nil); err == nil || !strings.Contains(err.Error(), "/nowhere/c.pem") {
		t.Errorf("error %v", err)
	}
}
