package ingest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/schemas"
	"weir/services/internal/otlp"
	"weir/services/internal/users"
)

// maxRequest bounds an OTLP request, unpacked, in bytes.
const maxRequest = 16 << 20

// maxReading bounds the requests that are read at the same time: with what they
// decode to, each takes several times its size.
const maxReading = 4

// retryAfter is when a sender may come again that has been told to.
const retryAfter = time.Second

// otlpFront takes OTLP requests, over whatever they come.
type otlpFront struct {
	s     *Service
	slots chan struct{} // taken by requests that are being read

	mu           sync.Mutex
	unauthorized map[users.Refusal]uint64
	requests     [3]atomic.Uint64 // by signal: metrics, traces, logs
	refused      atomic.Uint64    // not taken, to be sent again
	undecodable  atomic.Uint64
}

func newOTLPFront(s *Service) *otlpFront {
	return &otlpFront{s: s, slots: make(chan struct{}, maxReading), unauthorized: map[users.Refusal]uint64{}}
}

// call is one request.
type call struct {
	signal   schemas.Signal
	encoding otlp.Encoding
	login    string // the value of the authorization header
	from     netip.Addr
	body     []byte
}

// Why a request is refused for good.
var errUnreadable = errors.New("unreadable")

// take journals a request and returns the response. Its error is a users.Refusal,
// errUnreadable, or something that may be different later.
func (f *otlpFront) take(ctx context.Context, c *call) ([]byte, error) {
	grant, err := f.authenticate(ctx, c)
	if err != nil {
		return nil, err
	}
	f.requests[signalIndex(c.signal)].Add(1)
	b, err := f.read(ctx, c, grant)
	if err != nil {
		return nil, err
	}
	tenant := grant.Tenant
	if tenant == "" {
		tenant = f.s.cfg.OTLPTenant
	}
	out, err := f.s.export(ctx, tenant, c.signal, b)
	if err != nil {
		f.refused.Add(1)
		return nil, err
	}
	return otlp.Answer(c.signal, c.encoding, out.rejected, out.detail)
}

// read decodes a request, in its turn. One that is none is one record, refused.
func (f *otlpFront) read(ctx context.Context, c *call, g Grant) (*otlp.Batch, error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	b, err := otlp.Read(c.signal, c.encoding, c.body, f.s.exportRules(g.Device))
	if err == nil {
		return b, nil
	}
	why := schemas.Undecodable
	if errors.Is(err, otlp.ErrDeep) {
		why = schemas.TooDeep
	}
	f.undecodable.Add(1)
	in := arrival{route: f.nowhere(c.signal), payload: c.body, fault: why, detail: err.Error()}
	f.s.take(&in, false)
	return nil, fmt.Errorf("%w: %w", errUnreadable, err)
}

// nowhere is the route of what names no device.
func (f *otlpFront) nowhere(signal schemas.Signal) *route {
	r := f.s.router.nowhere("otlp." + string(signal))
	r.signal = signal
	return r
}

func signalIndex(s schemas.Signal) int {
	switch s {
	case schemas.Traces:
		return 1
	case schemas.Logs:
		return 2
	}
	return 0
}

// authenticate finds out who sends: basic credentials, where there are users.
func (f *otlpFront) authenticate(ctx context.Context, c *call) (Grant, error) {
	u := f.s.deps.Users
	if u == nil {
		return Grant{}, nil
	}
	name, password := basic(c.login)
	g, err := u.Authenticate(users.Attempt{Name: name, Password: []byte(password), From: c.from, Gone: ctx.Done()})
	if err == nil {
		return g, nil
	}
	why, _ := errors.AsType[users.Refusal](err)
	f.mu.Lock()
	f.unauthorized[why]++
	f.mu.Unlock()
	return Grant{}, why
}

// basic takes apart HTTP's basic credentials; empty if there are none.
func basic(header string) (name, password string) {
	scheme, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "basic") {
		return "", ""
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return "", ""
	}
	name, password, _ = strings.Cut(string(b), ":")
	return name, password
}

// OTLPStatus counts OTLP requests.
type OTLPStatus struct {
	Metrics, Traces, Logs uint64 // requests that were let in
	Busy                  uint64 // of them, told to come again
	Undecodable           uint64 // of them
	Unauthorized          map[users.Refusal]uint64
}

func (s OTLPStatus) rows() []MessageCount {
	return []MessageCount{
		{"otlp", string(schemas.Metrics), s.Metrics}, {"otlp", string(schemas.Traces), s.Traces}, {"otlp", string(schemas.Logs), s.Logs},
	}
}

func (f *otlpFront) status() OTLPStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := OTLPStatus{
		Metrics: f.requests[0].Load(), Traces: f.requests[1].Load(), Logs: f.requests[2].Load(),
		Busy: f.refused.Load(), Undecodable: f.undecodable.Load(), Unauthorized: map[users.Refusal]uint64{},
	}
	for why, n := range f.unauthorized {
		st.Unauthorized[why] = n
	}
	return st
}
