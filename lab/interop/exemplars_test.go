package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/lab/harness"
	"weir/schemas"
)

// sendSpans sends spans that end within one second, each of a trace of its own and slower than the one before. It returns
// the slowest one's trace.
func sendSpans(t *testing.T, address string, end time.Time, n int) (slowest string) {
	t.Helper()
	var spans []string
	for i := range n {
		slowest = fmt.Sprintf("%032x", i+1)
		at := end.Add(time.Duration(i) * time.Millisecond).UnixNano()
		spans = append(spans, fmt.Sprintf(`{"traceId":%q,"spanId":"%016x","name":"buy","kind":2,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}`, slowest, i+1, at-int64(i+1)*1e6, at))
	}
	body := `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`
	answer, err := http.Post("http://"+address+"/v1/traces", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // it has been read
	if said, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK || strings.Contains(string(said), "rejected") {
		t.Fatalf("%s: %s %v", answer.Status, said, err)
	}
	return slowest
}

// exemplars are the traces that Prometheus has of a series.
func (p *prometheus) exemplars(series string) (traces map[string]bool, problem string) {
	p.t.Helper()
	now := time.Now()
	q := url.Values{"query": {series}, "start": {fmt.Sprint(now.Add(-time.Hour).Unix())}, "end": {fmt.Sprint(now.Add(time.Hour).Unix())}}
	answer, err := http.Get("http://" + p.address + "/api/v1/query_exemplars?" + q.Encode())
	if err != nil {
		return nil, err.Error()
	}
	defer func() { _ = answer.Body.Close() }() // it has been read
	var found struct {
		Error string
		Data  []struct {
			Exemplars []struct{ Labels map[string]string }
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil || found.Error != "" {
		return nil, fmt.Sprintf("%s: %v %s", series, err, found.Error)
	}
	traces = map[string]bool{}
	for _, s := range found.Data {
		for _, e := range s.Exemplars {
			traces[e.Labels["trace_id"]] = true
		}
	}
	return traces, ""
}

// TestExemplars: the traces that Weir shows of a window are those that Prometheus has of it, whatever the way.
func TestExemplars(t *testing.T) {
	t.Parallel()
	prom := needPrometheus(t, true)
	in := harness.FreeAddress(t)
	p := harness.Start(t, weir, "--otlp-http", in, "--policy", policy(
		t, map[string]any{"name": "otlp", "kind": "otlp", "endpoint": "http://" + prom.address + "/api/v1/otlp/v1/metrics"},
	))
	prom.scrapes = p.HTTP
	prom.start()
	d := p.Connect("clock")
	defer func() { _ = d.Close() }() // all it had to say was acknowledged
	slowest := sendSpans(t, in, time.Now().Truncate(time.Second), 50)
	settle(t, p, d, "clock")
	shown := map[string]bool{}
	harness.Until(t, 30*time.Second, func() string {
		clear(shown)
		for _, w := range p.Windows("--view", "fleet", "--metric", "weir.span", "--tenant", "default") {
			for _, e := range w.Exemplars {
				shown[e.TraceID] = true
			}
		}
		if !shown[slowest] || len(shown) != schemas.MaxExemplars {
			return fmt.Sprintf("weir windows shows %v, want %d with the slowest span, %s", slices.Sorted(maps.Keys(shown)), schemas.MaxExemplars, slowest)
		}
		return ""
	})
	for _, way := range []struct{ name, series string }{
		{"OTLP", `{__name__=~"weir_span.*",weir_view="fleet"}`},
		{"scrape", `weir_view_values{metric="weir.span",view="fleet",job="scraped"}`},
	} {
		harness.Until(t, 30*time.Second, func() string {
			traces, problem := prom.exemplars(way.series)
			if problem == "" && !maps.Equal(traces, shown) {
				problem = fmt.Sprintf("Prometheus has the traces %v, Weir shows %v", slices.Sorted(maps.Keys(traces)), slices.Sorted(maps.Keys(shown)))
			}
			if problem != "" {
				return way.name + ": " + problem
			}
			return ""
		})
	}
}
