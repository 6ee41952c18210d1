package window_test

import (
	"fmt"
	"time"

	"weir/pkg/window"
)

// count is the smallest accumulator.
type count struct{ records int }

func (c *count) Reset()            { c.records = 0 }
func (c *count) Merge(from *count) { c.records += from.records }

// One device, windows of ten seconds, 30 s of allowed lateness. The shell around this reads records in order and brings
// the agent's time; here both are written down.
func Example() {
	const second = int64(time.Second)
	spec := window.Spec{Size: 10 * second, Lateness: 30 * second}
	sources := window.NewSources(window.Config{})
	device := sources.Add(0)
	pool := window.NewPool[count](100)
	var panes window.Panes[count]

	record := func(at, agentNow int64) {
		sources.Observe(device, at*second, agentNow*second)
		acc, ok := panes.Accept(&spec, at*second, sources.DataWatermark(device), pool)
		if !ok {
			fmt.Println("late: the record of second", at)
			return
		}
		acc.records++
	}
	tick := func(agentNow int64) {
		watermark := sources.Watermark(device, agentNow*second)
		finalThrough := sources.Low(agentNow*second, spec.Lateness) - spec.Lateness
		panes.Advance(&spec, watermark, sources.DataWatermark(device), finalThrough, pool, func(r window.Revision[count]) {
			fmt.Printf("[%d,%d) %s, revision %d: %d records\n", r.Start/second, r.End/second, r.Timing, r.State.Revision, r.Acc.records)
		})
	}

	record(3, 3)
	record(8, 8)
	record(11, 11)
	tick(12)
	record(9, 12) // behind the watermark, within the lateness
	tick(13)
	record(44, 44)
	record(7, 44) // beyond it: 43.5 has passed 10 + 30
	tick(45)

	// Output:
	// [0,10) on_time, revision 1: 2 records
	// [0,10) late, revision 2: 3 records
	// late: the record of second 7
	// [10,20) on_time, revision 1: 1 records
}

// A counter that falls has begun again at zero.
func ExampleCounter() {
	var c window.Counter
	c.Add(1, 5, 0, 0)
	c.Add(4, 4, 0, 0)
	c.Add(3, 2, 0, 0) // late, and in its place all the same
	c.Add(2, 7, 0, 0)
	increase, resets := c.Increase(nil)
	fmt.Println(increase, resets)
	// Output: 6 1
}
