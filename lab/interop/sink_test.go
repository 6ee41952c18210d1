package interop

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // what Weir sends
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"weir/lab/harness"
)

// sink is an OTLP receiver that misbehaves in turn: it hangs, is busy, takes a
// request and says nothing, or rejects a part.
type sink struct {
	pmetricotlp.UnimplementedGRPCServer
	t *testing.T

	mu       sync.Mutex
	requests int
	mood     func(request int) mood
	points   map[string]string // what was stored, by stream and time
	newest   map[string]uint64 // count of the newest point of a stream
	at       map[string]pcommon.Timestamp
	added    map[string]uint64 // deltas: Σ of distinct points
	repeats  int
	changed  []string        // points that came again with another value
	traces   map[string]bool // of exemplars
}

type mood int

const (
	kind    mood = iota
	hanging      // no answer until the client gives up
	busy         // 503 or UNAVAILABLE, with a time
	mute         // stored, and the connection dies
	picky        // one point rejected
)

func newSink(t *testing.T) *sink {
	return &sink{
		t: t, points: map[string]string{}, newest: map[string]uint64{}, at: map[string]pcommon.Timestamp{}, added: map[string]uint64{}, traces: map[string]bool{},
		mood: func(int) mood { return kind },
	}
}

// next is the mood for one more request.
func (s *sink) next() mood {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return s.mood(s.requests)
}

func (s *sink) calm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = func(int) mood { return kind }
}

// store notes the points of a request.
func (s *sink) store(m pmetric.Metrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range m.ResourceMetrics().All() {
		for _, scope := range r.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				if metric.Type() != pmetric.MetricTypeExponentialHistogram {
					continue
				}
				for _, p := range metric.ExponentialHistogram().DataPoints().All() {
					s.put(fmt.Sprint(r.Resource().Attributes().AsRaw(), metric.Name(), p.Attributes().AsRaw()), p)
				}
			}
		}
	}
}

func (s *sink) put(stream string, p pmetric.ExponentialHistogramDataPoint) {
	id := fmt.Sprint(stream, p.StartTimestamp(), p.Timestamp())
	value := fmt.Sprint(p.Count(), p.Scale(), p.ZeroCount(), p.Positive().Offset(), p.Positive().BucketCounts().AsRaw(), p.Negative().Offset(), p.Negative().BucketCounts().AsRaw())
	if was, known := s.points[id]; known {
		s.repeats++
		if was != value {
			s.changed = append(s.changed, id)
		}
		return
	}
	s.points[id] = value
	for _, e := range p.Exemplars().All() {
		s.traces[e.TraceID().String()] = true
	}
	s.added[stream] += p.Count()
	if p.Timestamp() >= s.at[stream] {
		s.at[stream], s.newest[stream] = p.Timestamp(), p.Count()
	}
}

// sum is how many values the streams of a view hold.
func (s *sink) sum(delta bool) (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.newest
	if delta {
		of = s.added
	}
	for _, v := range of {
		n += v
	}
	return n
}

// ServeHTTP is OTLP over HTTP.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := gzip.NewReader(r.Body)
	var b []byte
	if err == nil {
		b, err = io.ReadAll(body)
	}
	request := pmetricotlp.NewExportRequest()
	if err == nil {
		err = request.UnmarshalProto(b)
	}
	if err != nil || r.URL.Path != "/v1/metrics" {
		http.Error(w, fmt.Sprint(r.URL.Path, err), http.StatusBadRequest)
		return
	}
	answer := pmetricotlp.NewExportResponse()
	switch s.next() {
	case hanging:
		<-r.Context().Done()
		return
	case busy:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	case mute:
		s.store(request.Metrics())
		panic(http.ErrAbortHandler)
	case picky:
		answer.PartialSuccess().SetRejectedDataPoints(1)
		answer.PartialSuccess().SetErrorMessage("one too many")
	}
	s.store(request.Metrics())
	out, _ := answer.MarshalProto() // it has just been made
	_, _ = w.Write(out)             // whoever does not get it sends again
}

// Export is OTLP over gRPC.
func (s *sink) Export(ctx context.Context, request pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	answer := pmetricotlp.NewExportResponse()
	switch s.next() {
	case hanging:
		<-ctx.Done()
		return answer, ctx.Err()
	case busy:
		st, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
		if err != nil {
			return answer, err
		}
		return answer, st.Err()
	case mute:
		s.store(request.Metrics())
		return answer, status.Error(codes.Unavailable, "gone")
	case picky:
		answer.PartialSuccess().SetRejectedDataPoints(1)
	}
	s.store(request.Metrics())
	return answer, nil
}

// listen serves both and returns their URLs.
func (s *sink) listen() (overHTTP, overGRPC string) {
	s.t.Helper()
	var at [2]net.Listener
	for i := range at {
		var err error
		if at[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			s.t.Fatal(err)
		}
	}
	server, remote := &http.Server{Handler: s}, grpc.NewServer()
	pmetricotlp.RegisterGRPCServer(remote, s)
	go func() { _ = server.Serve(at[0]) }() // ends with the test
	go func() { _ = remote.Serve(at[1]) }() // likewise
	s.t.Cleanup(func() { _ = server.Close(); remote.Stop() })
	return "http://" + at[0].Addr().String(), "http://" + at[1].Addr().String()
}

// TestInjectedFailures: two receivers hang, are busy, lose connections after they have stored, and reject parts, while
// weir up is killed three times. What they have in the end is what the ledger counts, and what came again was the same.
func TestInjectedFailures(t *testing.T) {
	t.Parallel()
	sums, deltas := newSink(t), newSink(t)
	moody := func(n int) mood { return []mood{kind, busy, kind, mute, hanging, kind, picky, kind}[n%8] }
	sums.mood, deltas.mood = moody, moody
	overHTTP, _ := sums.listen()
	_, overGRPC := deltas.listen()
	p := harness.Start(t, weir, "--policy", policyOf(
		t, patient,
		map[string]any{"name": "sums", "kind": "otlp", "at": "region", "endpoint": overHTTP, "timeout": "500ms"},
		map[string]any{"name": "deltas", "kind": "otlp", "protocol": "grpc", "at": "region", "temporality": "delta", "endpoint": overGRPC, "timeout": "500ms"},
	))
	harness.Pause(500 * time.Millisecond) // policy is followed once it has settled
	for round := range 4 {
		d := p.Connect("pump")
		for i := range 25 {
			say(t, d, "pump", fmt.Sprintf(`{"temp":%d,"ts":%d}`, i-12, time.Now().UnixMilli()))
			harness.Pause(60 * time.Millisecond)
		}
		_ = d.Close() // all it had to say was acknowledged
		if round < 3 {
			p.Kill()
			p.Launch()
			p.Ready()
		}
	}
	sums.calm()
	deltas.calm()
	harness.Until(t, 60*time.Second, func() string {
		l := p.Ledger()
		if l.Totals.InFlight != 0 || l.Totals.Counted != 100 {
			return fmt.Sprintf("ledger %+v", l.Totals)
		}
		if a, b := sums.sum(false), deltas.sum(true); a != 100 || b != 100 {
			return fmt.Sprintf("sums have %d values and deltas %d, of 100", a, b)
		}
		return ""
	})
	for name, s := range map[string]*sink{"sums": sums, "deltas": deltas} {
		s.mu.Lock()
		if len(s.changed) > 0 {
			t.Errorf("%s: %d points came again with another value, such as %s", name, len(s.changed), s.changed[0])
		}
		t.Logf("%s: %d requests, %d points, %d came twice", name, s.requests, len(s.points), s.repeats)
		s.mu.Unlock()
	}
}
