// Package certs shows a TLS certificate that may be replaced while the
// process runs, as those do that live for ninety days.
//
// In: PEM files of a certificate and its key. Out: the pair, at each handshake.
//
// Promises: files that have changed are read at the next handshake. What cannot be
// read, or does not go together because the other file is still to come, is told and
// changes nothing: the pair before it stays.
//
// Limits: a change is seen by size and time of modification. Authorities, which say
// whom to trust, are not looked at again.
package certs

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Pair is a certificate and its key. It is safe for concurrent use.
type Pair struct {
	cert, key string // files
	log       *slog.Logger

	mu   sync.Mutex
	pair *tls.Certificate
	read [2]stamp // of the files, when they were read or tried last
}

// stamp tells one state of a file from another.
type stamp struct {
	size int64
	at   time.Time
}

// Read reads a pair. log, which may be nil, is told of later changes.
func Read(cert, key string, log *slog.Logger) (*Pair, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &Pair{cert: cert, key: key, log: log}
	p.read = p.stamps()
	return p, p.load()
}

func (p *Pair) load() error {
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return fmt.Errorf("read TLS certificate %s with key %s: %w", p.cert, p.key, err)
	}
	p.pair = &pair
	return nil
}

func (p *Pair) stamps() (all [2]stamp) {
	for i, name := range []string{p.cert, p.key} {
		if info, err := os.Stat(name); err == nil { // one that is not there is another state
			all[i] = stamp{info.Size(), info.ModTime()}
		}
	}
	return all
}

// now is the pair as the files have it.
func (p *Pair) now() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if is := p.stamps(); is != p.read {
		p.read = is
		if err := p.load(); err != nil {
			p.log.Warn("TLS certificate stays as it was", "err", err)
		} else {
			p.log.Info("TLS certificate is read again", "file", p.cert)
		}
	}
	return p.pair
}

// Serve makes a listener show the pair.
func (p *Pair) Serve(c *tls.Config) {
	c.Certificates = nil
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.now(), nil }
}

// Show makes a connection show the pair to a server that asks.
func (p *Pair) Show(c *tls.Config) {
	c.Certificates = nil
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.now(), nil }
}
