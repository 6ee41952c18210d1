package console

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// BenchmarkQueryDay asks, over HTTP, a region's outbox with a day of windows of 10 s and of a minute of 100 devices, in
// four partitions that commit once a second: 950,000 windows in 346,000 messages. It reports the time of
// a question and the highest resident memory of the process, server included.
func BenchmarkQueryDay(b *testing.B) {
	d := newDay(b)
	end := d.begin + 24*3600*second
	for _, q := range []struct {
		name     string
		from, to int64
		query    string
		rows     int
	}{
		{"last five minutes", end - 300*second, end, "", 100 * (30 + 5)},
		{"an hour yesterday", d.begin + 3*3600*second, d.begin + 4*3600*second, "&view=device", 100 * 360},
		{"an hour yesterday, one device", d.begin + 3*3600*second, d.begin + 4*3600*second, "&view=device&device=d7", 360},
		{"the newest ten", d.begin, end, "&limit=10", 10},
	} {
		b.Run(q.name, func(b *testing.B) {
			path := fmt.Sprintf("/api/v1/windows?tier=region&from=%d&to=%d%s", q.from, q.to, q.query)
			began := time.Now()
			d.ask(b, path, q.rows)
			b.Logf("%s: the first took %v", q.name, time.Since(began))
			forgetPeak(b)
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				d.ask(b, path, q.rows)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
			b.ReportMetric(float64(peak(b))/1e6, "peak-MB")
		})
	}
}

// day is a console on a store that holds a day. It begins now: the server's clock cannot be set, and messages
// that are stored before their time are found by it as others are.
type day struct {
	api   *httptest.Server
	begin int64
}

func newDay(b *testing.B) *day {
	log := slog.New(slog.DiscardHandler)
	e, err := bus.Embed(bus.Config{Dir: b.TempDir(), OperatorPassword: "secret", Log: log})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Stop)
	if err := e.Ensure(b.Context(), schemas.OneProcess(schemas.DefaultSizes(), []string{"r0"})); err != nil {
		b.Fatal(err)
	}
	d := &day{begin: (time.Now().UnixNano()/(3600*second) + 1) * 3600 * second}
	var enc schemas.CommitEncoder
	const partitions, each = 4, 25
	for s := int64(1); s <= 24*3600; s++ {
		for p := range partitions {
			name := fmt.Sprintf("r0/%d", p)
			now := d.begin + s*second
			c := says(entry(name, uint64(s)), now-60*second)
			c.Time = now
			for i := range each {
				key := []string{"a", fmt.Sprintf("d%d", p*each+i), "temp"}
				for _, size := range []int64{10, 60} {
					if s%size == 0 {
						view := map[int64]string{10: "device", 60: "minute"}[size]
						w := window(view, deviceDims, key, now-size*second, 1, schemas.OnTime, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
						w.FirstN, w.End = c.N, now
						c.Local = append(c.Local, w)
					}
				}
			}
			if _, err := e.Store(b.Context(), schemas.GatewayOutbox("r0", p, schemas.KindCommit), enc.Append(nil, &c)); err != nil {
				b.Fatal(err)
			}
		}
	}
	d.api = httptest.NewUnstartedServer(nil)
	s, err := New(Config{Version: "test", GoVersion: "go1.26", Policy: testLanguage}, e.Bus, d.api.Listener, log)
	if err != nil {
		b.Fatal(err)
	}
	d.api.Config.Handler = s.handler()
	d.api.Start()
	b.Cleanup(d.api.Close)
	return d
}

func (d *day) ask(b *testing.B, path string, rows int) {
	answer, err := http.Get(d.api.URL + path)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if n := strings.Count(string(body), "\n"); err != nil || n != rows {
		b.Fatalf("%d rows, %v; want %d: %.300s", n, err, rows, body)
	}
}

// forgetPeak makes the kernel forget the highest resident memory so far.
func forgetPeak(b *testing.B) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Log("the peak is that of the whole process:", err)
	}
}

// peak is the highest resident memory of this process, in bytes.
func peak(b *testing.B) (bytes int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &bytes); err != nil {
		b.Fatal(err)
	}
	return bytes << 10
}
