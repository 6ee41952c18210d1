package exporter

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"weir/schemas"
)

// secrets are the files of an exporter, in one folder: policy names them, and
// cannot name any other.
type secrets struct {
	dir string
	schemas.Exporter
}

// maxSecret bounds such a file.
const maxSecret = 1 << 20

func (s *secrets) file(name string) ([]byte, error) {
	if s.dir == "" {
		return nil, fmt.Errorf("read %s: there is no folder of secrets", name)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("read %s: make the folder %s and put it there: %w", name, s.dir, err)
	}
	defer func() { _ = root.Close() }() // it was only read
	b, err := root.ReadFile(name)
	if err == nil && len(b) > maxSecret {
		err = fmt.Errorf("%d bytes: too large for a secret", len(b))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(s.dir, name), err)
	}
	return b, nil
}

// headers are those of a request, as the files have them now: a token may be
// changed while requests go on.
func (s *secrets) headers() (http.Header, error) {
	h := http.Header{}
	if s.HeadersFile != "" {
		b, err := s.file(s.HeadersFile)
		if err != nil {
			return nil, err
		}
		if err := parseHeaders(h, b); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, s.HeadersFile), err)
		}
	}
	if s.TokenFile != "" {
		b, err := s.file(s.TokenFile)
		if err != nil {
			return nil, err
		}
		h.Set("Authorization", "Bearer "+string(bytes.TrimSpace(b)))
	}
	return h, nil
}

func parseHeaders(h http.Header, b []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return fmt.Errorf("line %d: write Header: value", n)
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return lines.Err()
}

// tls is how the receiver is checked; nil: as the system does it.
func (s *secrets) tls() (*tls.Config, error) {
	if s.CAFile == "" {
		return nil, nil
	}
	b, err := s.file(s.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, errors.New(filepath.Join(s.dir, s.CAFile) + " holds no certificate in PEM")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
