package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"weir/schemas"
)

// client posts to one receiver.
type client struct {
	cfg     schemas.Receiver
	secrets string // folder of the files that policy names; empty: there is none
	product string
	to      string
	http    *http.Client
}

// answer is what became of a request.
type answer struct {
	err   error
	final bool          // it will never be taken
	asked time.Duration // to wait for, by the receiver
}

func newClient(cfg schemas.Receiver, secrets, product string) (*client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: %w", cfg.Name, err)
	}
	if cfg.Kind == schemas.Alertmanager && strings.Trim(u.Path, "/") == "" {
		u.Path = "/api/v2/alerts"
	}
	c := &client{cfg: cfg, secrets: secrets, product: product, to: u.String()}
	secure, err := c.tls()
	if err != nil {
		return nil, err
	}
	c.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: secure, ForceAttemptHTTP2: true, MaxConnsPerHost: 1,
			DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 5 * time.Second,
		},
	}
	return c, nil
}

// maxSecret bounds a file with a secret.
const maxSecret = 1 << 20

// file reads a file of the folder of secrets; policy can name no other.
func (c *client) file(name string) ([]byte, error) {
	if c.secrets == "" {
		return nil, fmt.Errorf("receiver %s: read %s: there is no folder of secrets", c.cfg.Name, name)
	}
	root, err := os.OpenRoot(c.secrets)
	if err != nil {
		return nil, fmt.Errorf("receiver %s: read %s: make the folder %s and put it there: %w", c.cfg.Name, name, c.secrets, err)
	}
	defer func() { _ = root.Close() }() // it was only read
	b, err := root.ReadFile(name)
	if err == nil && len(b) > maxSecret {
		err = fmt.Errorf("%d bytes: too large for a secret", len(b))
	}
	if err != nil {
		return nil, fmt.Errorf("receiver %s: read %s: %w", c.cfg.Name, filepath.Join(c.secrets, name), err)
	}
	return bytes.TrimSpace(b), nil
}

func (c *client) tls() (*tls.Config, error) {
	if c.cfg.CAFile == "" {
		return nil, nil
	}
	b, err := c.file(c.cfg.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("receiver %s: %s holds no certificate in PEM", c.cfg.Name, c.cfg.CAFile)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// send sends a message once.
func (c *client) send(ctx context.Context, m *message) answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.cfg.Timeout))
	defer cancel()
	r, err := c.request(ctx, m)
	if err != nil {
		return answer{err: err}
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the URL, which may hold a secret
		}
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }() // what is of interest has been read
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	return judge(resp.StatusCode, resp.Header.Get("Retry-After"), strings.TrimSpace(string(said)))
}

// request makes the request; files are read as they are now, so that secrets may be
// changed while it runs.
func (c *client) request(ctx context.Context, m *message) (*http.Request, error) {
	now := time.Now()
	body := m.notice(c.cfg.Name)
	if c.cfg.Kind == schemas.Alertmanager {
		body = m.alerts(now.UnixNano(), int64(c.cfg.Repeat))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", c.product)
	r.Header.Set(idHeader, m.id)
	if c.cfg.TokenFile != "" {
		token, err := c.file(c.cfg.TokenFile)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+string(token))
	}
	if c.cfg.SecretFile != "" {
		secret, err := c.file(c.cfg.SecretFile)
		if err != nil {
			return nil, err
		}
		r.Header.Set(timestampHeader, strconv.FormatInt(now.Unix(), 10))
		r.Header.Set(signatureHeader, Sign(secret, now.Unix(), body))
	}
	return r, nil
}

// judge classes an answer. What is wrong with the message itself is never sent again;
// what may be wrong with the receiver's setup is.
func judge(status int, retryAfter, said string) answer {
	if status >= 200 && status < 300 {
		return answer{}
	}
	a := answer{err: fmt.Errorf("status %d: %.200s", status, said)}
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		a.final = true
	}
	if n, err := strconv.Atoi(retryAfter); err == nil && n > 0 {
		a.asked = time.Duration(n) * time.Second
	}
	return a
}
