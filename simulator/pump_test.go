package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"weir/simulator/plan"
	"weir/simulator/producttest"
)

// TestPump: it sends over NATS until it is asked to end.
func TestPump(t *testing.T) {
	h := &natsHouse{product: &producttest.Product{Size: 10 * time.Second, Lateness: time.Minute, Now: func() int64 { return time.Now().UnixNano() }}}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	url := h.listen(t)
	go func() { ended <- Pump(ctx, url, "demo") }()
	for deadline := time.After(time.Minute); h.taken.Load() < 2; {
		select {
		case err := <-ended:
			t.Fatalf("it ended by itself: %v", err)
		case <-deadline:
			t.Fatalf("%d readings in a minute", h.taken.Load())
		case <-time.After(20 * time.Millisecond):
		}
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := Pump(t.Context(), "nats://:no:url", "demo"); err == nil {
		t.Error("a URL that is none is taken")
	}
}

func TestPumpReading(t *testing.T) {
	for _, n := range []int64{0, 1, plan.PumpLearns / 1e9} {
		flow, pressure := plan.Pump(n)
		var got struct{ Flow, Pressure float64 }
		if err := json.Unmarshal(plan.PumpReading(n), &got); err != nil || fmt.Sprintf("%.3f %.4f", flow, pressure) != fmt.Sprintf("%.3f %.4f", got.Flow, got.Pressure) {
			t.Errorf("%s: %v, want %g and %g", plan.PumpReading(n), err, flow, pressure)
		}
		if along := (flow-40)*(pressure-4) > 0; along == plan.PumpBroken(n) {
			t.Errorf("second %d: flow %g and pressure %g, broken: %v", n, flow, pressure, plan.PumpBroken(n))
		}
	}
}
