package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // what Weir sends
	"google.golang.org/grpc/status"

	"weir/lab/harness"
	"weir/schemas"
)

// logSink is an OTLP receiver of log records. Every few requests it stores what there is and
// says that it is gone, so that it comes again.
type logSink struct {
	plogotlp.UnimplementedGRPCServer
	mu       sync.Mutex
	requests int
	records  map[string]string // what came, by weir.log.id
	changed  []string          // ids of which another record has come
	repeats  int
}

// Export implements plogotlp.GRPCServer.
func (s *logSink) Export(_ context.Context, q plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	for _, r := range q.Logs().ResourceLogs().All() {
		for _, scope := range r.ScopeLogs().All() {
			for _, l := range scope.LogRecords().All() {
				s.store(r.Resource(), scope.Scope(), l)
			}
		}
	}
	if s.requests%5 == 0 {
		return plogotlp.NewExportResponse(), status.Error(codes.Unavailable, "gone")
	}
	return plogotlp.NewExportResponse(), nil
}

func (s *logSink) store(r pcommon.Resource, scope pcommon.InstrumentationScope, l plog.LogRecord) {
	a := l.Attributes().AsRaw()
	id := fmt.Sprint(a["weir.log.id"])
	says := fmt.Sprintln(
		r.Attributes().AsRaw(), scope.Name(), l.Timestamp(), l.SeverityNumber(), l.Body().AsRaw(), l.TraceID(), l.SpanID(),
		a["weir.tenant"], a["device.id"], a["weir.agent"], a["weir.region"], a["turn"],
	)
	if was, known := s.records[id]; known {
		if s.repeats++; was != says {
			s.changed = append(s.changed, was+" became "+says)
		}
		return
	}
	s.records[id] = says
}

// listen serves it and returns its URL.
func (s *logSink) listen(t *testing.T) string {
	t.Helper()
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	plogotlp.RegisterGRPCServer(server, s)
	go func() { _ = server.Serve(at) }() // ends with the test
	t.Cleanup(server.Stop)
	return "http://" + at.Addr().String()
}

// passingPolicy passes errors through, to receivers at the center and at the region.
func passingPolicy(t *testing.T, center, region string) string {
	t.Helper()
	document, err := json.Marshal(map[string]any{
		"limits": map[string]any{"logs_per_second": 100_000, "logs_at_once": 100_000, "log_size": "1KB"},
		"rules": []any{
			map[string]any{"name": "no-debug", "on": "logs", "action": "drop", "conditions": []string{"severity_number < SEVERITY_NUMBER_INFO"}},
			map[string]any{"name": "errors", "on": "logs", "action": "pass", "conditions": []string{"severity_number >= SEVERITY_NUMBER_ERROR"}},
			map[string]any{"name": "secret", "on": "logs", "action": "transform", "statements": []string{`delete_key(attributes, "password")`}},
		},
		"exporters": []any{
			map[string]any{"name": "center", "kind": "otlp", "protocol": "grpc", "endpoint": center, "views": []string{"none"}, "logs": true, "timeout": "2s"},
			map[string]any{"name": "region", "kind": "otlp", "protocol": "grpc", "at": "region", "endpoint": region, "views": []string{"none"}, "logs": true, "timeout": "2s"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(name, document, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// logTurn is a request of log records: of every four one is an error, one is a warning, one is for
// debugging, and one is an error that is too large to be passed through.
func logTurn(turn int) plogotlp.ExportRequest {
	all := plog.NewLogs()
	r := all.ResourceLogs().AppendEmpty()
	r.Resource().Attributes().PutStr("service.name", "shop")
	r.Resource().Attributes().PutStr("device.id", fmt.Sprintf("box-%d", turn%3))
	scope := r.ScopeLogs().AppendEmpty()
	scope.Scope().SetName("checkout")
	now := pcommon.NewTimestampFromTime(time.Now())
	for i, severity := range [...]plog.SeverityNumber{plog.SeverityNumberError, plog.SeverityNumberWarn, plog.SeverityNumberDebug, plog.SeverityNumberFatal} {
		l := scope.LogRecords().AppendEmpty()
		l.SetTimestamp(now)
		l.SetSeverityNumber(severity)
		l.SetTraceID(pcommon.TraceID{1, byte(turn), byte(turn >> 8), byte(i)})
		l.SetSpanID(pcommon.SpanID{1})
		l.Body().SetStr(fmt.Sprintf("turn %d", turn))
		l.Attributes().PutInt("turn", int64(turn))
		l.Attributes().PutStr("password", "swordfish")
		if severity == plog.SeverityNumberFatal {
			l.Body().SetStr(strings.Repeat("x", 2000))
		}
	}
	return plogotlp.NewExportRequestFromLogs(all)
}

// TestLogsThroughKills: log records that a rule chooses come out at receivers of the region and of
// the center, each once by its id, while the product is killed and receivers lose answers; what is
// held back is counted.
func TestLogsThroughKills(t *testing.T) {
	addr := harness.FreeAddress(t)
	center, region := &logSink{records: map[string]string{}}, &logSink{records: map[string]string{}}
	p := harness.Start(t, weir, "--otlp-grpc", addr, "--agents", "2", "--policy", passingPolicy(t, center.listen(t), region.listen(t)))
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var stop atomic.Bool
	turns, sent := 0, make(chan error, 1)
	go func() {
		var err error
		for client := plogotlp.NewGRPCClient(conn); !stop.Load() && err == nil; turns++ {
			err = deliverLogs(ctx, client, logTurn(turns))
		}
		sent <- err
	}()
	for range 3 {
		harness.Pause(500*time.Millisecond + time.Duration(rand.IntN(500))*time.Millisecond)
		p.Kill()
		p.Launch()
		p.Ready()
	}
	stop.Store(true)
	if err := <-sent; err != nil {
		t.Fatalf("request %d has no answer: %v", turns, err)
	}
	harness.Until(t, 2*time.Minute, func() string {
		l := p.Ledger()
		if a := l.Signals[string(schemas.Logs)]; a.Counted != 3*uint64(turns) || a.InFlight+a.LostDeclared != 0 || l.Totals.Unexplained != 0 {
			return fmt.Sprintf("%d requests, and the ledger has %+v", turns, a)
		}
		for name, s := range map[string]*logSink{"center": center, "region": region} {
			s.mu.Lock()
			n := len(s.records)
			s.mu.Unlock()
			if n != turns {
				return fmt.Sprintf("the receiver of the %s has %d log records, want %d", name, n, turns)
			}
		}
		return ""
	})
	for name, s := range map[string]*logSink{"center": center, "region": region} {
		s.mu.Lock()
		defer s.mu.Unlock()
		wantTurns(t, name, s, turns)
	}
	wantPassing(t, p, uint64(turns))
}

// deliverLogs sends a request until it has an answer.
func deliverLogs(ctx context.Context, client plogotlp.GRPCClient, q plogotlp.ExportRequest) error {
	for {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := client.Export(one, q)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		harness.Pause(100 * time.Millisecond)
	}
}

// wantTurns wants each turn's error to have come, as the rules have left it, and nothing else.
func wantTurns(t *testing.T, name string, s *logSink, turns int) {
	t.Helper()
	if len(s.changed) > 0 {
		t.Errorf("%s: %d log records came again as others, such as %s", name, len(s.changed), s.changed[0])
	}
	came := map[string]int{}
	for _, says := range s.records {
		words := strings.Fields(says)
		came[words[len(words)-1]]++
		for _, want := range [...]string{"map[device.id:box-", "service.name:shop] checkout ", " Error turn ", " default box-", " a00", " r01 "} {
			if !strings.Contains(says, want) {
				t.Fatalf("%s: no %q in log record %s", name, want, says)
			}
		}
	}
	for turn := range turns {
		if n := came[fmt.Sprint(turn)]; n != 1 {
			t.Errorf("%s: the error of turn %d came %d times", name, turn, n)
		}
	}
	t.Logf("%s: %d log records in %d requests, %d came twice", name, len(s.records), s.requests, s.repeats)
}

// wantPassing wants so many log records passed through at each tier, and no fewer held back as too
// large: a request that is sent again is judged again.
func wantPassing(t *testing.T, p *harness.Product, turns uint64) {
	t.Helper()
	passed := func(tier string) string {
		return fmt.Sprintf(`weir_log_records_total{outcome="passed",reason="",tenant="default",tier=%q} %d`, tier, turns)
	}
	held := regexp.MustCompile(`weir_log_records_total\{outcome="held_back",reason="log_too_large",tenant="default",tier="center"\} (\d+)`)
	harness.Until(t, time.Minute, func() string {
		text, err := p.Get("/metrics")
		if err != nil {
			return err.Error()
		}
		for _, tier := range [...]string{"agent", "region", "center"} {
			if !strings.Contains(string(text), passed(tier)+"\n") {
				return "there is no " + passed(tier)
			}
		}
		m := held.FindSubmatch(text)
		if m == nil {
			return "nothing is held back"
		}
		if n, _ := strconv.ParseUint(string(m[1]), 10, 64); n < turns { // digits
			return fmt.Sprintf("%d are held back, want %d", n, turns)
		}
		return ""
	})
}
