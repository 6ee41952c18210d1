package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/lab/sights"
	"weir/simulator"
)

// tier is what users of one tier saw.
type tier struct {
	OnTime sights.Spread `json:"on_time"` // after the end of windows
	Final  sights.Spread `json:"final"`   // after the end and the allowed lateness
}

// delayed is a row.
type delayed struct {
	audience
	Rate   float64 `json:"records_per_second"`
	Behind float64 `json:"behind_seconds"` // greatest delay of the devices behind their schedule
	Peak   int64   `json:"peak_rss_bytes"`
	Region tier    `json:"region"`
	Center tier    `json:"center"`
	verdict
}

// measureDelays measures each row once: one run has many windows.
func measureDelays(ctx context.Context, o options) (rows []delayed, err error) {
	for _, a := range audiences {
		if !strings.Contains(a.Name, o.only) {
			continue
		}
		if o.quick {
			a.Long = 2*a.Size + a.Lateness + margin
		}
		d, err := a.measure(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		fmt.Fprintf(o.notice, "%s: on time at region after %v s, at center after %v s\n", d.Name, d.Region.OnTime, d.Center.OnTime)
		rows = append(rows, d)
	}
	return rows, nil
}

func (a audience) measure(ctx context.Context, o options) (d delayed, err error) {
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return d, err
	}
	defer os.RemoveAll(dir)
	policy := filepath.Join(dir, "policy.json")
	if err := os.WriteFile(policy, []byte(a.policy()), 0o600); err != nil {
		return d, err
	}
	w, err := startProduct(o, a.Devices, "--policy", policy)
	if err != nil {
		return d, err
	}
	d, err = a.play(ctx, w, filepath.Join(dir, "truth"))
	return d, errors.Join(err, w.stop())
}

// play runs the devices under the eyes of the users.
func (a audience) play(ctx context.Context, w *product, truth string) (d delayed, err error) {
	d.audience = a
	var over playing
	g, err := a.open(w)
	if err != nil {
		return d, errors.Join(err, g.see(&d, over))
	}
	look := func(p simulator.Progress) {
		switch {
		case p.Phase != simulator.Playing:
			return
		case over.from.IsZero():
			over.from = time.Now().Add(-p.Elapsed)
		}
		d.Behind = max(d.Behind, p.Behind.Seconds())
	}
	sent, err := simulator.Run(ctx, a.options(w, truth), look)
	if err == nil {
		over.to = over.from.Add(time.Duration(sent.Seconds * float64(time.Second)))
		d.Rate = sent.RecordsPerSecond
		d.verdict, err = w.judge(ctx, sent)
	}
	if err == nil {
		d.Peak, err = peakOf(w.pid())
	}
	return d, errors.Join(err, ctx.Err(), g.see(&d, over))
}

var delayColumns = []string{
	"what", "records per second", "on time at region, s", "on time at center, s", "final at region, s", "final at center, s", "peak RSS, MB", "missing",
}

func (d *delayed) row() []string {
	return []string{
		d.Name, count(d.Rate), d.Region.OnTime.String(), d.Center.OnTime.String(), d.Region.Final.String(), d.Center.Final.String(),
		count(float64(d.Peak) / 1e6), d.verdict.text(),
	}
}

// Wanted of prompt devices: the greatest delay of on-time windows after their
// end, of final ones after their end and the allowed lateness.
const (
	wantedAtRegion = 2.0 // s
	wantedAtCenter = 4.0
	wantedFinal    = 4.0
	promptWithin   = 0.1 // s behind schedule: more is not prompt
)

// notes say what is not as wanted, or not what it seems.
func (d *delayed) notes() (notes []string) {
	say := func(wrong bool, format string, args ...any) {
		if wrong {
			notes = append(notes, d.Name+": "+fmt.Sprintf(format, args...))
		}
	}
	check := func(what string, s sights.Spread, wanted float64) {
		say(s.Max > wanted, "%s up to %.1f s, %.0f s wanted", what, s.Max, wanted)
		say(s.Unseen > 0, "%s: %d of %d windows were not seen", what, s.Unseen, s.Unseen+s.Windows)
	}
	check("on time at region", d.Region.OnTime, wantedAtRegion)
	check("on time at center", d.Center.OnTime, wantedAtCenter)
	check("final at region", d.Region.Final, wantedFinal)
	check("final at center", d.Center.Final, wantedFinal)
	say(d.Behind > promptWithin, "the devices were up to %.1f s behind their schedule, which is in the delays", d.Behind)
	return notes
}
