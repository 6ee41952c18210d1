package ingest

import (
	"bytes"
	zip "compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"weir/schemas"
	"weir/services/internal/otlp"
)

// startOTLP is a service with both OTLP listeners, and a client of one.
func startOTLP(t testing.TB, tune func(*Settings, *Deps)) (*harness, *grpc.ClientConn) {
	t.Helper()
	cfg := quick()
	cfg.MQTT, cfg.OTLPGRPC, cfg.OTLPHTTP, cfg.JournalShare = "", "127.0.0.1:0", "127.0.0.1:0", 1<<30
	h := start(t, cfg, newMemLog(), tune)
	addr, _ := h.OTLPAddrs()
	cc, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return h, cc
}

// spans is a request of n spans, of which every third has no trace.
func spans(n int) ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	all := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		s := all.AppendEmpty()
		s.SetName("GET /")
		if i%3 != 2 {
			s.SetTraceID(pcommon.TraceID{1, byte(i)})
		}
		s.SetSpanID(pcommon.SpanID{1, byte(i)})
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(-time.Second)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), slowest)
	t.Cleanup(cancel)
	return ctx
}

// signalRows are the ledger rows of a signal over the journal.
func (h *harness) signalRows(t testing.TB, signal schemas.Signal) map[string]uint64 {
	t.Helper()
	rows := map[string]uint64{}
	for _, f := range h.mustStop(t) {
		for _, w := range f.Flow {
			if w.Signal == signal {
				rows[fmt.Sprintf("%s %s %s", w.Tenant, w.Outcome, w.Reason)] += w.N
			}
		}
		rows["journaled"] += uint64(f.Records())
	}
	return rows
}

func wantRows(t testing.TB, got, want map[string]uint64) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

func TestOTLPOverGRPC(t *testing.T) {
	h, cc := startOTLP(t, nil)
	client := ptraceotlp.NewGRPCClient(cc)
	for _, option := range [][]grpc.CallOption{nil, {grpc.UseCompressor(gzip.Name)}} {
		r, err := client.Export(within(t), spans(9), option...)
		if err != nil {
			t.Fatal(err)
		}
		if p := r.PartialSuccess(); p.RejectedSpans() != 3 || p.ErrorMessage() == "" {
			t.Errorf("%d spans rejected, %q", p.RejectedSpans(), p.ErrorMessage())
		}
		if n := h.Status().Agents[0].Journaled; n%6 != 0 || n == 0 {
			t.Errorf("%d records in the journal when the answer came", n)
		}
	}
	if _, err := pmetricotlp.NewGRPCClient(cc).Export(within(t), pmetricotlp.NewExportRequest()); err != nil {
		t.Errorf("an empty request: %v", err)
	}
	if st := h.Status().OTLP; st.Traces != 2 || st.Metrics != 1 {
		t.Errorf("status %+v", st)
	}
	wantRows(t, h.signalRows(t, schemas.Traces), map[string]uint64{"default  ": 18, "default rejected bad_value": 6, "journaled": 12})
}

// post sends a request over HTTP.
func (h *harness) post(t testing.TB, path, media, encoding string, body []byte) (code int, answer []byte, header http.Header) {
	t.Helper()
	_, addr := h.OTLPAddrs()
	r, err := http.NewRequestWithContext(within(t), http.MethodPost, "http://"+addr.String()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", media)
	r.Header.Set("Content-Encoding", encoding)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return resp.StatusCode, answer, resp.Header
}

func TestOTLPOverHTTP(t *testing.T) {
	h, _ := startOTLP(t, nil)
	packed, err := spans(3).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	text, err := spans(3).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	_, _ = z.Write(packed)
	_ = z.Close()
	bomb := bytes.Repeat([]byte{0}, otlp.MaxBytes+1)
	var small bytes.Buffer
	z = zip.NewWriter(&small)
	_, _ = z.Write(bomb)
	_ = z.Close()
	for name, c := range map[string]struct {
		path, media, encoding string
		body                  []byte
		want                  int
	}{
		"protobuf":  {"/v1/traces", "application/x-protobuf", "", packed, 200},
		"JSON":      {"/v1/traces", "application/json; charset=utf-8", "", text, 200},
		"gzip":      {"/v1/traces", "application/x-protobuf", "gzip", zipped.Bytes(), 200},
		"no gzip":   {"/v1/traces", "application/x-protobuf", "gzip", packed, 400},
		"deflate":   {"/v1/traces", "application/x-protobuf", "deflate", packed, 415},
		"text":      {"/v1/traces", "text/plain", "", packed, 415},
		"garbage":   {"/v1/traces", "application/json", "", []byte("{"), 400},
		"bomb":      {"/v1/traces", "application/x-protobuf", "gzip", small.Bytes(), 413},
		"elsewhere": {"/v1/profiles", "application/json", "", text, 404},
	} {
		t.Run(name, func(t *testing.T) {
			code, answer, _ := h.post(t, c.path, c.media, c.encoding, c.body)
			if code != c.want {
				t.Fatalf("%d %s, want %d", code, answer, c.want)
			}
			if r := ptraceotlp.NewExportResponse(); code == 200 && c.media == "application/x-protobuf" {
				if err := r.UnmarshalProto(answer); err != nil || r.PartialSuccess().RejectedSpans() != 1 {
					t.Errorf("answer %x: %v", answer, err)
				}
			}
		})
	}
	wantRows(t, h.signalRows(t, schemas.Traces), map[string]uint64{
		"default  ": 9, "default rejected bad_value": 3, "_  ": 2, "_ rejected too_large": 1, "_ rejected undecodable": 1, "journaled": 6,
	})
}

// Where there are users, credentials say who sends: what a resource claims to be
// is no device of another user.
func TestOTLPUsers(t *testing.T) {
	u, _ := loadUsers(t, hashed(t, "d1", ", tenant: t, device: d1"))
	h, cc := startOTLP(t, func(_ *Settings, d *Deps) { d.Users = u })
	client := ptraceotlp.NewGRPCClient(cc)
	if _, err := client.Export(within(t), spans(3)); status.Code(err) != codes.Unauthenticated {
		t.Errorf("nobody is let in with %v", err)
	}
	ctx := metadata.AppendToOutgoingContext(within(t), "authorization", "Basic ZDE6ZDE=")
	if _, err := client.Export(ctx, spans(3)); err != nil {
		t.Fatal(err)
	}
	if d := h.Devices("a1"); len(d) != 1 || d[0].Tenant != "t" || d[0].Device != "d1" {
		t.Errorf("devices %+v", d)
	}
	if code, _, header := h.post(t, "/v1/traces", "application/json", "", []byte("{}")); code != 401 || header.Get("WWW-Authenticate") == "" {
		t.Errorf("nobody over HTTP: %d %v", code, header)
	}
}

// A full journal takes nothing, says when to come again, and counts nothing.
func TestOTLPBusy(t *testing.T) {
	h, cc := startOTLP(t, nil)
	h.fill(t)
	_, err := ptraceotlp.NewGRPCClient(cc).Export(within(t), spans(3))
	s := status.Convert(err)
	if s.Code() != codes.ResourceExhausted || len(s.Details()) != 1 {
		t.Fatalf("got %v with %v", err, s.Details())
	}
	if r, ok := s.Details()[0].(*errdetails.RetryInfo); !ok || r.RetryDelay.AsDuration() != retryAfter {
		t.Errorf("told to come again in %v", s.Details())
	}
	if code, _, header := h.post(t, "/v1/metrics", "application/json", "", []byte(`{}`)); code != 200 {
		t.Errorf("an empty request: %d %v", code, header)
	}
	body, _ := spans(1).MarshalJSON()
	if code, _, header := h.post(t, "/v1/traces", "application/json", "", body); code != 429 || header.Get("Retry-After") != "1" {
		t.Errorf("over HTTP: %d %v", code, header)
	}
	wantRows(t, h.signalRows(t, schemas.Traces), map[string]uint64{"journaled": 0})
}
