package ingest

import (
	"fmt"
	"testing"
	"time"

	"weir/schemas"
)

// Where the wall clock has been set back, readings of devices whose clocks are
// right are not from the future; those that are, are.
func TestWallClockSetBack(t *testing.T) {
	start := time.Unix(1763760000, 0)
	c := agentClock{base: start.Add(time.Hour).UnixNano(), start: start} // it went on from a later time
	if got := c.lead(start); got != int64(time.Hour) {
		t.Fatalf("agent time leads by %v, want an hour", time.Duration(got))
	}
	if got := (agentClock{base: start.UnixNano(), start: start}).lead(start.Add(time.Minute)); got != 0 {
		t.Errorf("agent time leads by %v, want none", time.Duration(got))
	}
	d := &decoder{lead: c.lead(start)}
	for at, why := range map[time.Duration]schemas.Reason{time.Hour: "", time.Hour + 6*time.Second: schemas.Future} {
		m := d.decode(fmt.Appendf(nil, `{"t":1,"ts":%d}`, start.Add(at).UnixMilli()), testRules(), start.UnixNano())
		if m.why() != why {
			t.Errorf("a reading of %v later is refused for %q, want %q: %s", at, m.why(), why, m.detail)
		}
	}
}
