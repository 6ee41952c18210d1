package gcra_test

import (
	"fmt"
	"time"

	"weir/pkg/gcra"
)

// Ten a second, three at once.
func ExampleBucket() {
	b := gcra.New(gcra.Limit{Rate: 10, Burst: 3})
	now := int64(0)
	for range 5 {
		ok, wait := b.Allow(now, 1)
		fmt.Println(time.Duration(now), ok, time.Duration(wait))
		now += wait
	}
	// Output:
	// 0s true 0s
	// 0s true 0s
	// 0s true 0s
	// 0s false 100ms
	// 100ms true 0s
}

// A link of 1 MB/s on which something new is sent once a second, while 10 MB of older data wait.
func ExamplePacer() {
	p := gcra.NewPacer(gcra.Shares{Rate: 1e6, Reserve: 0.1, Backfill: 0.5, Quiet: int64(2 * time.Second)})
	sent := map[gcra.Lane]int64{}
	for now := int64(0); now < int64(5*time.Second); {
		waiting := [gcra.Lanes]int64{gcra.Backfill: 1000}
		if due := now/int64(time.Second) + 1; sent[gcra.Live] < 20_000*due {
			waiting[gcra.Live] = 20_000
		}
		lane, wait := p.Next(now, waiting)
		sent[lane] += waiting[max(lane, 0)]
		now += wait
	}
	fmt.Println(sent[gcra.Live], "live,", sent[gcra.Backfill]/100_000, "× 100 kB of backfill")
	// Output:
	// 100000 live, 25 × 100 kB of backfill
}
