package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"weir/schemas"
	"weir/simulator"
)

// product is a weir up.
type product struct {
	*process
	dir  string
	weir string   // the binary
	args []string // of every start
	at   struct { // of run.json
		HTTP, MQTT string
		OTLPGRPC   string `json:"otlp_grpc"`
	}
}

// How a run's devices are spread.
const (
	devicesPerAgent = 100
	agentsPerRegion = 10
)

// agentsOf is how many agents so many devices get.
func agentsOf(devices int) int { return max(1, devices/devicesPerAgent) }

// startProduct starts weir up on a new data folder, with its default policy
// unless flags say something else.
func startProduct(o options, devices int, flags ...string) (*product, error) {
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return nil, err
	}
	agents := agentsOf(devices)
	w := &product{dir: dir, weir: o.weir, args: append([]string{
		"up", "--quiet", "--devices", "0", "--data", filepath.Join(dir, "data"),
		"--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--otlp-grpc", "", "--otlp-http", "",
		"--agents", strconv.Itoa(agents), "--regions", strconv.Itoa(max(1, agents/agentsPerRegion)),
	}, flags...)}
	if err := w.start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return w, nil
}

// start starts a process on the data folder and waits until it is ready.
func (w *product) start() error {
	p, err := startProcess(w.command(w.args...))
	if err != nil {
		return err
	}
	w.process, w.at.MQTT = p, ""
	if err := w.await(w.announced); err != nil {
		return errors.Join(err, w.interrupt())
	}
	return nil
}

// command is a command of the binary. No other one takes this product for the
// one to ask.
func (w *product) command(args ...string) *exec.Cmd {
	cmd := exec.Command(w.weir, args...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+w.dir)
	return cmd
}

// announced reports whether run.json is there, which it is once devices are
// accepted.
func (w *product) announced() bool {
	data, err := os.ReadFile(filepath.Join(w.dir, "data", "run.json"))
	return err == nil && json.Unmarshal(data, &w.at) == nil && w.at.MQTT != ""
}

func (w *product) mqtt() string { return w.at.MQTT }

func (w *product) stop() error { return errors.Join(w.interrupt(), os.RemoveAll(w.dir)) }

func (w *product) counters(ctx context.Context) (counters, error) {
	page, err := w.get(ctx, "/metrics")
	if err != nil {
		return counters{}, err
	}
	return parseMetrics(string(page))
}

// get reads a page.
func (w *product) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.at.HTTP+path, nil)
	if err != nil {
		return nil, err
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	page, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, r.Status, page)
	}
	return page, err
}

// judge verifies the run against its truth, then reads the ledger.
func (w *product) judge(ctx context.Context, sent simulator.Summary) (verdict, error) {
	report, err := simulator.Verify(ctx, simulator.VerifyOptions{Truth: []string{sent.Truth}, HTTP: w.at.HTTP, Timeout: 2 * time.Minute}, nil)
	if _, unequal := errors.AsType[*simulator.NotEqualError](err); err != nil && !unequal {
		return verdict{}, fmt.Errorf("verify run %s: %w", sent.Run, err)
	}
	l, err := w.ledger(ctx)
	if err != nil {
		return verdict{}, err
	}
	return verdict{
		Missing: sent.Records - int64(l.Totals.Counted), Differences: report.Differences, Unexplained: l.Totals.Unexplained,
	}, nil
}

// balance is what weir ledger says.
type balance struct {
	schemas.Ledger
	Lag float64 `json:"lag_seconds"` // of the slowest stage
}

func (w *product) ledger(ctx context.Context) (b balance, err error) {
	page, err := w.get(ctx, "/api/v1/ledger")
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(page, &b); err != nil {
		return b, fmt.Errorf("read the ledger: %w", err)
	}
	return b, nil
}

// parseMetrics adds up what /metrics says, in the text format.
func parseMetrics(page string) (c counters, err error) {
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		series, number, ok := strings.Cut(line, "} ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		at := c.field(series + ",")
		if at == nil {
			continue
		}
		v, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return c, fmt.Errorf("read metric %q: %w", line, err)
		}
		if at == &c.Lag {
			*at = max(*at, v)
		} else {
			*at += v
		}
	}
	return c, nil
}

// field is the counter that a series, with a comma after its last label, goes
// into; nil: none.
func (c *counters) field(series string) *float64 {
	name, labels, _ := strings.Cut(series, "{")
	has := func(label string) bool { return strings.Contains(labels, label+",") }
	switch {
	case name == "weir_windows_total" && has(`tier="region"`):
		return &c.RegionWindows
	case name == "weir_windows_total" && has(`tier="center"`):
		return &c.CenterWindows
	case name == "weir_stream_bytes" && has(`stream="`+schemas.StreamRegionOutbox+`"`):
		return &c.RegionBytes
	case name == "weir_stream_bytes" && has(`stream="`+schemas.StreamCenterOutbox+`"`):
		return &c.CenterBytes
	case name == "weir_lag_seconds":
		return &c.Lag
	}
	return nil
}
