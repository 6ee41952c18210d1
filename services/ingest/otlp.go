package ingest

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"weir/schemas"
	"weir/services/internal/otlp"
	"weir/services/internal/users"
)

// maxDecoding bounds the requests that are decoded at the same time: what they
// decode to takes several times their size.
const maxDecoding = 4

// journalWithin is how long a request may take from when its body is there.
const journalWithin = 10 * time.Second

// retryAfter is when a sender may come again that has been told to.
const retryAfter = time.Second

// otlpFront takes OTLP requests, over whatever they come.
type otlpFront struct {
	s      *Service
	places places
	turns  chan struct{} // taken by requests that are being decoded

	mu           sync.Mutex
	unauthorized map[users.Refusal]uint64
	requests     [3]atomic.Uint64 // by signal: metrics, traces, logs
	refused      atomic.Uint64    // not taken, to be sent again
	undecodable  atomic.Uint64
}

func newOTLPFront(s *Service) *otlpFront {
	return &otlpFront{
		s: s, places: places{free: maxInFlight}, turns: make(chan struct{}, maxDecoding), unauthorized: map[users.Refusal]uint64{},
	}
}

// call is one request.
type call struct {
	signal   schemas.Signal
	encoding otlp.Encoding
	login    string // the value of the authorization header
	from     netip.Addr
	body     []byte
	ruling   ruling
}

// Why a request is not taken, beside users.Refusal. Those of the second row may be
// sent again.
var (
	errUnreadable, errMedia, errTooLong       = errors.New("unreadable"), errors.New("unsupported media type"), errors.New("too large")
	errBusy, errCrowded, errLate, errStopping = errors.New("the journal takes no more at present: send again later"),
		fmt.Errorf("%d requests are being taken, and there is no place for more: send again later", maxInFlight),
		fmt.Errorf("the request is not in the journal after %v: send it again, what is in it is counted once", journalWithin),
		errors.New("the receiver is stopping: send again")
)

// verdict is what an error is over gRPC and over HTTP, and whether the request may
// be sent again.
func verdict(err error) (code codes.Code, http int, again bool) {
	why, refused := errors.AsType[users.Refusal](err)
	switch {
	case refused && !why.Later():
		return codes.Unauthenticated, 401, false
	case errors.Is(err, errUnreadable):
		return codes.InvalidArgument, 400, false
	case errors.Is(err, errTooLong):
		return codes.InvalidArgument, 413, false
	case errors.Is(err, errMedia):
		return codes.InvalidArgument, 415, false
	case refused, errors.Is(err, errBusy), errors.Is(err, errCrowded):
		return codes.ResourceExhausted, 429, true
	}
	return codes.Unavailable, 503, true
}

// body is that of a request on its way in. cut ends reading from elsewhere.
type body struct {
	read func() ([]byte, error)
	cut  func()
}

// receive reads the body of a request in a place of its own, journals what is in it
// and returns the response.
func (f *otlpFront) receive(ctx context.Context, c *call, in body) (out []byte, err error) {
	grant, err := f.authenticate(ctx, c)
	if err != nil {
		return nil, err
	}
	here := f.places.take(time.Now(), in.cut)
	if here == nil {
		f.refused.Add(1)
		return nil, errCrowded
	}
	defer here.leave()
	patience := time.AfterFunc(bodyWithin, here.expire)
	c.body, err = in.read()
	patience.Stop()
	switch {
	case !here.complete():
		f.refused.Add(1)
		return nil, errCrowded
	case errors.Is(err, errTooLong):
		return nil, f.reject(c, schemas.TooLarge, err)
	case err != nil:
		return nil, err
	}
	f.requests[signalIndex(c.signal)].Add(1)
	return f.take(ctx, c, grant)
}

// take journals a request whose body is there, and returns the response.
func (f *otlpFront) take(ctx context.Context, c *call, g Grant) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, journalWithin, errLate)
	defer cancel()
	out, err := f.admit(ctx, c, g)
	if err == nil {
		err = out.journaled.wait(ctx, f.s.stopping)
	}
	if err != nil {
		if _, _, again := verdict(err); again {
			f.refused.Add(1)
		}
		return nil, err
	}
	return otlp.Answer(c.signal, c.encoding, out.rejected, out.detail)
}

// admit decodes a request and hands it to the agents, in its turn. Who waits for
// the journal afterwards holds nothing of it.
func (f *otlpFront) admit(ctx context.Context, c *call, g Grant) (exported, error) {
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-ctx.Done():
		return exported{}, context.Cause(ctx)
	}
	tenant := cmp.Or(g.Tenant, f.s.cfg.OTLPTenant)
	b, err := otlp.Read(c.signal, c.encoding, c.body, f.s.exportRules(c, tenant, g.Device))
	if err != nil {
		return exported{}, f.reject(c, reasonOf(err), fmt.Errorf("%w: %w", errUnreadable, err))
	}
	c.body = nil
	out, err := f.s.export(ctx, tenant, c.signal, b)
	if err == nil {
		f.s.ruled(&c.ruling)
	}
	return out, err
}

// reasonOf is why what cannot be read is refused.
func reasonOf(err error) schemas.Reason {
	switch {
	case errors.Is(err, otlp.ErrDeep):
		return schemas.TooDeep
	case errors.Is(err, otlp.ErrMany):
		return schemas.TooMany
	}
	return schemas.Undecodable
}

// reject counts a request that cannot be read as one record, and returns why.
func (f *otlpFront) reject(c *call, why schemas.Reason, err error) error {
	f.undecodable.Add(1)
	f.s.take(&arrival{route: f.nowhere(c.signal), payload: c.body, fault: why, detail: err.Error()}, false)
	return err
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
	Metrics, Traces, Logs uint64 // requests whose body was read
	InFlight              int    // requests that are there now
	Busy                  uint64 // requests told to come again
	Undecodable           uint64 // requests refused as a whole
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
		InFlight: f.places.taken(), Busy: f.refused.Load(), Undecodable: f.undecodable.Load(), Unauthorized: map[users.Refusal]uint64{},
	}
	for why, n := range f.unauthorized {
		st.Unauthorized[why] = n
	}
	return st
}
