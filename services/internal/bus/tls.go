package bus

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"github.com/nats-io/nats-server/v2/server"

	"weir/services/internal/certs"
)

// TLS is one side of a TLS connection, as PEM files. Certificate and key are read
// again when they change, the authorities are not.
type TLS struct {
	Cert, Key string       // who this side is; a listener needs them
	CA        string       // who signs the other side's certificate. Empty: a listener asks for none, a connection goes by the system's CAs
	Log       *slog.Logger // is told of changes of the files; nil: nobody is
	First     bool         // the handshake comes before the first byte of NATS; both sides must want it
}

// tlsWithin bounds a handshake, in seconds: links may be slow.
const tlsWithin = 5.0

// set makes both listeners speak TLS.
func (t *TLS) set(o *server.Options) error {
	if t == nil {
		return nil
	}
	c, err := t.listener()
	if err != nil {
		return err
	}
	o.TLSConfig, o.TLSTimeout, o.TLSHandshakeFirst = c, tlsWithin, t.First
	o.LeafNode.TLSConfig, o.LeafNode.TLSTimeout, o.LeafNode.TLSHandshakeFirst = c.Clone(), tlsWithin, t.First
	return nil
}

// listener is what a listener needs. With a CA it takes only clients that show a
// certificate signed by it.
func (t *TLS) listener() (*tls.Config, error) {
	if t.Cert == "" || t.Key == "" {
		return nil, fmt.Errorf("TLS with certificate %q and key %q: a listener needs both", t.Cert, t.Key)
	}
	pair, err := certs.Read(t.Cert, t.Key, t.Log)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	pair.Serve(c)
	if t.CA != "" {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		c.ClientCAs, err = authorities(t.CA)
	}
	return c, err
}

// Dialer is what a connection or a link needs.
func (t *TLS) Dialer() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.Cert != "" || t.Key != "" {
		pair, err := certs.Read(t.Cert, t.Key, t.Log)
		if err != nil {
			return nil, err
		}
		pair.Show(c)
	}
	if t.CA == "" {
		return c, nil
	}
	var err error
	c.RootCAs, err = authorities(t.CA)
	return c, err
}

func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read TLS authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("TLS authorities %s: no PEM certificate in it", file)
	}
	return pool, nil
}
