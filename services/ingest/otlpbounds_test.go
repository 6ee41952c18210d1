package ingest

import (
	"bytes"
	zip "compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"

	"weir/schemas"
	"weir/services/internal/otlp"
)

func TestPlaces(t *testing.T) {
	p := places{free: 2}
	now, cuts := time.Unix(100, 0), [3]int{}
	first := p.take(now, func() { cuts[0]++ })
	second := p.take(now.Add(time.Second), func() { cuts[1]++ })
	f := func(after time.Duration, wantCuts [3]int) {
		t.Helper()
		if p.take(now.Add(after), func() { cuts[2]++ }) != nil {
			t.Error("there is a place too many")
		}
		if cuts != wantCuts {
			t.Errorf("after %v: cut off %v, want %v", after, cuts, wantCuts)
		}
	}
	f(slowBody, [3]int{})
	f(slowBody+1, [3]int{1})
	f(slowBody+2, [3]int{1}) // the second is not slow yet
	if first.complete() {
		t.Error("the first was cut off and does not know")
	}
	if !second.complete() {
		t.Error("the second was not cut off")
	}
	f(time.Hour, [3]int{1}) // waiting for the journal is no fault of the sender
	second.expire()
	first.leave()
	third := p.take(now, func() { cuts[2]++ })
	third.expire()
	if cuts != [3]int{1, 0, 1} || third.complete() {
		t.Errorf("cut off %v", cuts)
	}
	second.leave()
	third.leave()
	if p.free != 2 || len(p.reading) > 0 {
		t.Errorf("left over: %+v", &p)
	}
}

// hanger is a request of which the end does not come.
type hanger interface {
	// refused returns how the request was answered.
	refused() (again bool, how string)
}

type grpcHanger struct{ grpc.ClientStream }

func (g grpcHanger) refused() (bool, string) {
	var answer []byte
	s := status.Convert(g.RecvMsg(&answer))
	return s.Code() == codes.ResourceExhausted && retries(s), s.String()
}

// retries reports whether a status says when to come again.
func retries(s *status.Status) bool {
	for _, d := range s.Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok && r.RetryDelay.AsDuration() == retryAfter {
			return true
		}
	}
	return false
}

// hangOverGRPC sends a request of a size and keeps its stream open.
func hangOverGRPC(t *testing.T, h *harness, size int) hanger {
	t.Helper()
	addr, _ := h.OTLPAddrs()
	cc, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	s, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", grpc.ForceCodecV2(bytesCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	request := make([]byte, size)
	if err := s.SendMsg(&request); err != nil && !errors.Is(err, io.EOF) { // EOF: it is refused already
		t.Fatal(err)
	}
	return grpcHanger{s}
}

type httpHanger struct {
	net.Conn
	written chan struct{} // closed when the half is sent, or nobody reads it
}

func (g httpHanger) refused() (bool, string) {
	<-g.written
	var head [512]byte
	n, err := io.ReadAtLeast(g, head[:], 12)
	text := head[:n]
	return bytes.Contains(text, []byte(" 429 ")) && bytes.Contains(text, []byte("Retry-After: 1")), fmt.Sprintf("%s %v", text, err)
}

// hangOverHTTP says that a larger request comes and sends that much of it.
func hangOverHTTP(t *testing.T, h *harness, size int) hanger {
	t.Helper()
	_, addr := h.OTLPAddrs()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	g := httpHanger{c, make(chan struct{})}
	go func() {
		defer close(g.written)
		_, _ = fmt.Fprintf(c, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n", otlp.MaxBytes)
		_, _ = c.Write(make([]byte, size))
	}()
	return g
}

// Whoever sends half of a request and then nothing takes a place and the memory of
// one, not more: others are told to come again, and get in when they do.
func TestOTLPHangingSenders(t *testing.T) {
	const senders, size = 100, 3 << 20
	for name, hang := range map[string]func(*testing.T, *harness, int) hanger{"gRPC": hangOverGRPC, "HTTP": hangOverHTTP} {
		t.Run(name, func(t *testing.T) {
			h, cc := startOTLP(t, nil)
			all := make([]hanger, senders)
			for i := range all {
				all[i] = hang(t, h, size)
			}
			h.until(t, "all senders have a place or an answer", func() bool {
				st := h.Status().OTLP
				return st.InFlight <= maxInFlight && st.InFlight+int(st.Busy) == senders
			})
			if most := int64(maxInFlight*otlp.MaxBytes + 64<<20); heap() > most {
				t.Errorf("%d bytes for %d senders, want at most %d", heap(), senders, most)
			}
			good := ptraceotlp.NewGRPCClient(cc)
			ctx, cancel := context.WithTimeout(t.Context(), slowest)
			defer cancel()
			for tries := 1; ; tries++ {
				_, err := good.Export(ctx, spans(3))
				if err == nil {
					break
				}
				if s := status.Convert(err); !retries(s) || s.Code() != codes.ResourceExhausted {
					t.Fatalf("a good sender was told %v at try %d", err, tries)
				}
				runtime.Gosched()
			}
			type verdict struct {
				again bool
				how   string
			}
			verdicts := make(chan verdict, senders)
			for _, g := range all {
				go func() {
					again, how := g.refused()
					verdicts <- verdict{again, how}
				}()
			}
			for i := range senders - maxInFlight + 1 { // one of those who had a place had to leave, or will
				select {
				case v := <-verdicts:
					if !v.again {
						t.Errorf("refused with %s", v.how)
					}
				case <-time.After(slowest):
					t.Fatalf("only %d were answered", i)
				}
			}
		})
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What unpacks to more than a request may be is refused while it is unpacked, and
// is one record.
func TestOTLPBomb(t *testing.T) {
	h, cc := startOTLP(t, nil)
	bomb := make([]byte, 4*otlp.MaxBytes)
	out := []byte{}
	err := cc.Invoke(t.Context(), "/opentelemetry.proto.collector.logs.v1.LogsService/Export", &bomb, &out, grpc.ForceCodecV2(bytesCodec{}), grpc.UseCompressor(gzip.Name))
	if s := status.Convert(err); s.Code() != codes.ResourceExhausted || len(s.Details()) > 0 {
		t.Errorf("over gRPC: %v with %v", err, s.Details())
	}
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	_, _ = z.Write(bomb)
	_ = z.Close()
	if code, answer, _ := h.post(t, "/v1/logs", "application/x-protobuf", "gzip", packed.Bytes()); code != http.StatusRequestEntityTooLarge {
		t.Errorf("over HTTP: %d %s", code, answer)
	}
	wantRows(t, h.signalRows(t, schemas.Logs), map[string]uint64{"_  ": 2, "_ rejected too_large": 2, "journaled": 0})
}

// A request that is not in the journal in time may be there later: its sender is
// told to come again, and then gets its answer.
func TestOTLPLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var hangs atomic.Bool
		log := newMemLog()
		log.fault = func() fault {
			if hangs.Load() {
				return loseMessage
			}
			return fine
		}
		h := start(t, Config{}, log, nil)
		body, err := spans(3).MarshalProto()
		if err != nil {
			t.Fatal(err)
		}
		export := func() error {
			_, err := h.otlp.take(t.Context(), &call{signal: schemas.Traces, encoding: otlp.Protobuf, body: body}, Grant{})
			return err
		}
		hangs.Store(true)
		began := time.Now()
		late := export()
		if took := time.Since(began); !errors.Is(late, errLate) || took != journalWithin {
			t.Errorf("%v after %v", late, took)
		}
		if s := status.Convert(grpcError(late)); s.Code() != codes.Unavailable || !retries(s) {
			t.Errorf("told %v", s)
		}
		header := http.Header{}
		if code, _ := h.otlp.httpError(header, &call{}, late); code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
			t.Errorf("told %d %v", code, header)
		}
		hangs.Store(false)
		time.Sleep(2 * retryMost) // the journal is tried again
		if err := export(); err != nil {
			t.Error(err)
		}
		if st := h.Status().OTLP; st.Busy != 1 {
			t.Errorf("status %+v", st)
		}
		// Both are in the journal, under the same hash: the fold counts one.
		hashes := map[uint64]int{}
		for _, f := range h.mustStop(t) {
			for _, r := range f.Requests {
				hashes[r.Hash]++
			}
		}
		if len(hashes) != 1 {
			t.Errorf("requests in the journal: %v", hashes)
		}
	})
}

// Refused items are sampled like refused readings.
func TestOTLPParked(t *testing.T) {
	parked := make(chan Parked, 10)
	_, cc := startOTLP(t, func(_ *Settings, d *Deps) {
		d.Park = func(_ string, data []byte) error {
			var p Parked
			err := json.Unmarshal(data, &p)
			parked <- p
			return err
		}
	})
	if _, err := ptraceotlp.NewGRPCClient(cc).Export(within(t), spans(3)); err != nil {
		t.Fatal(err)
	}
	p := <-parked // it is parked before the answer
	if p.Tenant != "default" || p.Device != "shop" || p.Reason != schemas.BadValue || p.Detail != `span "GET /" has no trace or no id of its own` {
		t.Errorf("parked %+v", p)
	}
}

func TestOTLPOverTLS(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	a.issue("server")
	a.issue("client")
	other.issue("client")
	cfg := quick()
	cfg.MQTT, cfg.OTLPGRPC, cfg.OTLPHTTP = "", "127.0.0.1:0", "127.0.0.1:0"
	var err error
	if cfg.TLS, err = ServerTLS(a.file("server.pem"), a.file("server.key"), a.file("ca.pem")); err != nil {
		t.Fatal(err)
	}
	h := start(t, cfg, newMemLog(), nil)
	overGRPC, overHTTP := h.OTLPAddrs()
	stranger := a.client("")
	stranger.Certificates = other.client("client").Certificates
	body, err := spans(3).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tls  *tls.Config
		want bool
	}{
		"right":                    {a.client("client"), true},
		"no certificate":           {a.client(""), false},
		"another's certificate":    {stranger, false},
		"a server that is unknown": {&tls.Config{Certificates: a.client("client").Certificates}, false},
	} {
		t.Run(name, func(t *testing.T) {
			cc, err := grpc.NewClient(overGRPC.String(), grpc.WithTransportCredentials(credentials.NewTLS(c.tls)))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cc.Close() }()
			_, err = ptraceotlp.NewGRPCClient(cc).Export(within(t), spans(3))
			if (err == nil) != c.want {
				t.Errorf("over gRPC: %v", err)
			}
			for _, h2 := range []bool{false, true} {
				web := &http.Client{Transport: &http.Transport{TLSClientConfig: c.tls.Clone(), ForceAttemptHTTP2: h2}}
				defer web.CloseIdleConnections()
				resp, err := web.Post("https://"+overHTTP.String()+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
				if (err == nil) != c.want {
					t.Errorf("over HTTP: %v", err)
				}
				if err == nil {
					_ = resp.Body.Close()
					if resp.StatusCode != 200 || (resp.ProtoMajor == 2) != h2 {
						t.Errorf("over %s: %s", resp.Proto, resp.Status)
					}
				}
			}
		})
	}
	wantRows(t, h.signalRows(t, schemas.Traces), map[string]uint64{"default  ": 9, "default rejected bad_value": 3, "journaled": 6})
}
