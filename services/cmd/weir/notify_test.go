package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"weir/schemas"
	"weir/services/notify"
)

// hook is a webhook that remembers what it was told.
type hook struct {
	*httptest.Server
	t      *testing.T
	secret string

	mu    sync.Mutex
	deaf  bool // it answers that it cannot
	heard []schemas.FindingRow
}

func newHook(t *testing.T, secret string) *hook {
	h := &hook{t: t, secret: secret}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // who was killed in the middle of a notice says it again
	}
	at, _ := strconv.ParseInt(r.Header.Get("Weir-Timestamp"), 10, 64)
	var n notify.Notice
	if json.Unmarshal(body, &n) != nil || r.Header.Get("Weir-Signature") != notify.Sign([]byte(h.secret), at, body) {
		h.t.Errorf("a notice that is none, or not signed: %s %v", body, r.Header)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.deaf {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.heard = append(h.heard, n.Findings...)
}

func (h *hook) setDeaf(deaf bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaf = deaf
}

// told reports whether it was told of such a finding.
func (h *hook) told(fits func(*schemas.FindingRow) bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.ContainsFunc(h.heard, func(r schemas.FindingRow) bool { return fits(&r) }) {
		return nil
	}
	return fmt.Errorf("told of %d findings: %+v", len(h.heard), h.heard)
}

// TestReceiversAreTold over kill -9, though one of them hangs and the other one is deaf
// for a while.
func TestReceiversAreTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	hangs := make(chan struct{})
	hung := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hangs }))
	defer hung.Close()
	defer close(hangs)
	h := newHook(t, "a secret")
	document := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(document, fmt.Appendf(nil, `{"detect": {"metrics": {"temp": {"max": 80}}}, "alerts": {"receivers": [
		{"name": "hung", "kind": "webhook", "url": %q, "timeout": "1s"},
		{"name": "ops", "kind": "webhook", "url": %q, "secret_file": "hook", "group_interval": "0s"}]}}`, hung.URL, h.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	p, i := up(t, dir, "--policy", document)
	if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", "hook"), []byte("a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	send(t, i, `{"temp":95}`)
	limit := func(r *schemas.FindingRow) bool { return r.Kind == "limit" && r.Open() }
	p.eventually("told", func() error { return h.told(limit) })
	h.mu.Lock()
	id := h.heard[0].ID
	h.mu.Unlock()

	h.setDeaf(true)
	closed := func(r *schemas.FindingRow) bool { return r.State == "closed" && r.ID == id }
	p.eventually("closed", func() error {
		send(t, i, `{"temp":21.5}`)
		rows, err := findingsOf(i, "?tier=center")
		if err == nil && !slices.ContainsFunc(rows, func(r schemas.FindingRow) bool { return closed(&r) }) {
			err = fmt.Errorf("findings %+v", rows)
		}
		return err
	})
	p.kill()
	if h.told(closed) == nil {
		t.Fatal("who was deaf was told")
	}
	h.setDeaf(false)
	p, _ = up(t, dir)
	p.eventually("told after the start of what had failed before", func() error { return h.told(closed) })
	p.interrupt()
}
