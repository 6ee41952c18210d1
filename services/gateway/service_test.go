package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// TestPublishedLines runs a region on an embedded server: a window that becomes
// final is one message, what comes later another, and a restart repeats neither.
func TestPublishedLines(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	e, err := bus.Embed(bus.Config{Dir: t.TempDir(), OperatorPassword: "secret", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	if err := e.Ensure(t.Context(), schemas.OneProcess(schemas.DefaultSizes(), []string{"r01"})); err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 10)
	stop, err := e.Subscribe(schemas.WindowsAll, 1<<20, func(r bus.Request) { heard <- r.Subject + " " + string(r.Data) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	start := func() func() {
		s, err := New(RegionConfig(func(string) string { return "r01" }), e.Bus, log)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	n, after := uint64(0), uint64(0)
	commit := func(through int64, windows ...schemas.Window) {
		t.Helper()
		n++
		c := &schemas.Commit{Producer: "a001", Epoch: schemas.Epoch{1}, N: n, RunFirst: n, End: true, Time: int64(n) * 10 * second, Wall: 1, Windows: windows}
		c.Views = []schemas.Progress{{View: "device", Size: 10 * second, Uplink: schemas.TierRegion, Publish: true, OnTimeThrough: through, FinalThrough: through}}
		m := message(c)
		if after, err = e.Append(t.Context(), m.Subject, m.Data, after); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(from int64, count, sum int, more string) {
		t.Helper()
		want := fmt.Sprintf(`weir.windows.t.device {"tenant":"t","view":"device","key":{"device":"d","metric":"temp"},"start":"%s","end":"%s","count":%d,"sum":%d,"min":2,"max":%d,`+
			`"p50":2,"p90":%[5]d,"p99":%[5]d,"revision":1,"timing":"final","completeness":null,"clock_error_ms":1.5,"agent":"a001","region":"r01","gateway":"%[6]s"%[7]s}`,
			schemas.RowTime(from), schemas.RowTime(from+10*second), count, sum, sum-2*(count-1), schemas.Producer("r01", schemas.Partition("a001")), more)
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("not heard: %s", want)
		}
	}
	window := func(start int64, timing schemas.Timing, values ...float64) schemas.Window {
		w := sketched("device", "device", "d", start, n+1, values...)
		w.Timing, w.ClockError = timing, 1_500_000
		return w
	}

	stopFirst := start()
	commit(0, window(0, schemas.OnTime, 2, 2, 3))
	commit(10*second, window(10*second, schemas.OnTime, 2, 4))
	hear(0, 3, 7, "") // no revision of it was committed when it became final
	commit(10*second, window(0, schemas.FinalTiming, 2))
	hear(0, 1, 2, `,"amendment":true`)
	stopFirst()
	defer start()()
	commit(20 * second)
	hear(10*second, 2, 6, "")
}
