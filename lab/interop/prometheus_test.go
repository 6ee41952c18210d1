package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/lab/harness"
)

// prometheus is a server of somebody else's.
type prometheus struct {
	t        *testing.T
	path     string
	modern   bool // 3.0 or later: it receives OTLP and scrapes native histograms by configuration
	address  string
	dir      string
	cmd      *exec.Cmd
	scrapes  string // address of a target; empty: none
	interval string
}

// installed are the Prometheus servers that are there. Those that are not are said.
func installed(t *testing.T) (paths map[string]bool) {
	t.Helper()
	paths = map[string]bool{}
	if path, err := exec.LookPath("prometheus"); err == nil {
		paths[path] = isModern(t, path)
	}
	if *newer != "" {
		paths[*newer] = true
	}
	return paths
}

// needPrometheus is one that is there, of 3.0 or later if modern.
func needPrometheus(t *testing.T, modern bool) *prometheus {
	t.Helper()
	for path, is := range installed(t) {
		if is == modern {
			return &prometheus{t: t, path: path, modern: is, address: harness.FreeAddress(t), dir: t.TempDir(), interval: "1s"}
		}
	}
	if modern {
		t.Skip("no Prometheus of 3.0 or later, which has an OTLP receiver: make interop builds one, -prometheus or WEIR_PROMETHEUS name one")
	}
	t.Skip("no Prometheus of Debian's age: apt-get install prometheus")
	return nil
}

func isModern(t *testing.T, path string) bool {
	t.Helper()
	out, err := exec.Command(path, "--version").CombinedOutput()
	if err != nil {
		t.Fatalf("%s --version: %v: %s", path, err, out)
	}
	return !strings.Contains(string(out), "version 2.")
}

// start starts it, also after stop, on the data that it has.
func (p *prometheus) start() {
	p.t.Helper()
	config := "global: {scrape_interval: " + p.interval + "}\n"
	args := []string{"--storage.tsdb.path=" + filepath.Join(p.dir, "data"), "--web.listen-address=" + p.address, "--web.enable-remote-write-receiver"}
	if p.modern {
		config += "otlp: {translation_strategy: UnderscoreEscapingWithSuffixes}\n"
		args = append(args, "--web.enable-otlp-receiver", "--enable-feature=exemplar-storage")
	} else {
		args = append(args, "--enable-feature=native-histograms")
	}
	if p.scrapes != "" {
		config += "scrape_configs:\n- job_name: scraped\n  static_configs: [{targets: ['" + p.scrapes + "']}]\n"
		if p.modern {
			config += "  scrape_native_histograms: true\n"
		}
	}
	file := filepath.Join(p.dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		p.t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the child has its own
	p.cmd = exec.Command(p.path, append(args, "--config.file="+file)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.stop)
	harness.Until(p.t, 30*time.Second, func() string {
		if resp, err := http.Get("http://" + p.address + "/-/ready"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return ""
			}
		}
		said, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		return "Prometheus is not ready: " + string(said[max(0, len(said)-500):])
	})
}

func (p *prometheus) stop() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // it was killed
		p.cmd = nil
	}
}

// result is one series of an answer.
type result struct {
	Metric    map[string]string
	Value     [2]any
	Histogram [2]json.RawMessage
}

// number is the value of a series.
func (r result) number(t *testing.T) float64 {
	t.Helper()
	text, _ := r.Value[1].(string)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%v: %v", r, err)
	}
	return v
}

// query asks at a time; zero: now. problem is what the server says about the query.
func (p *prometheus) query(expr string, at time.Time) (results []result, problem string) {
	p.t.Helper()
	q := url.Values{"query": {expr}}
	if !at.IsZero() {
		q.Set("time", strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64))
	}
	resp, err := http.Get("http://" + p.address + "/api/v1/query?" + q.Encode())
	if err != nil {
		return nil, err.Error()
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err.Error()
	}
	var answer struct {
		Error string
		Data  struct{ Result json.RawMessage }
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Error != "" {
		return nil, fmt.Sprintf("%s: %v %s", expr, err, answer.Error)
	}
	if err := json.Unmarshal(answer.Data.Result, &results); err != nil {
		return nil, fmt.Sprintf("%s: %s: %v", expr, answer.Data.Result, err)
	}
	return results, ""
}

// histogram is what Prometheus has of a native histogram: its count and its buckets
// by the bound that is further from zero; 0 for the zero bucket.
type histogram struct {
	count   float64
	sum     float64
	buckets map[float64]float64
}

// histogram is the only series of a query; nil with a reason where there is none.
func (p *prometheus) histogram(expr string, at time.Time) (*histogram, string) {
	p.t.Helper()
	results, problem := p.query(expr, at)
	if problem != "" || len(results) != 1 || results[0].Histogram[1] == nil {
		return nil, fmt.Sprintf("%s has %d series: %s", expr, len(results), problem)
	}
	var h struct {
		Count, Sum string
		Buckets    [][4]any
	}
	if err := json.Unmarshal(results[0].Histogram[1], &h); err != nil {
		p.t.Fatal(err)
	}
	out := &histogram{buckets: map[float64]float64{}}
	out.count, _ = strconv.ParseFloat(h.Count, 64)
	out.sum, _ = strconv.ParseFloat(h.Sum, 64)
	for _, b := range h.Buckets {
		lower, _ := strconv.ParseFloat(b[1].(string), 64)
		upper, _ := strconv.ParseFloat(b[2].(string), 64)
		n, _ := strconv.ParseFloat(b[3].(string), 64)
		switch {
		case lower < 0 && upper > 0 || lower == -upper:
			out.buckets[0] += n
		case math.Abs(lower) > math.Abs(upper):
			out.buckets[lower] += n
		default:
			out.buckets[upper] += n
		}
	}
	return out, ""
}

// minus is what came between two sums.
func (h *histogram) minus(before *histogram) *histogram {
	out := &histogram{count: h.count - before.count, sum: h.sum - before.sum, buckets: map[float64]float64{}}
	for bound, n := range h.buckets {
		if n -= before.buckets[bound]; n != 0 {
			out.buckets[bound] = n
		}
	}
	return out
}
