package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"weir/simulator"
)

// outcome is one run at one server.
type outcome struct {
	Seconds float64  `json:"seconds"` // of the span
	Records float64  `json:"records"` // sent in the span
	CPU     float64  `json:"cpu_ns"`  // of the server per record, user and system
	Peak    int64    `json:"peak_rss_bytes"`
	AckP99  float64  `json:"ack_p99_ms"`     // 0: nothing was acknowledged
	Behind  float64  `json:"behind_seconds"` // greatest delay of the devices behind their schedule, if over a second
	In      counters `json:"in_span"`
	verdict
}

func (o outcome) rate() float64 { return o.Records / o.Seconds }

// span is when a run is measured.
type span struct {
	from    time.Duration // not before all devices have played for so long
	long    time.Duration // as long as windows are, or a multiple
	aligned bool          // begins long after one window has come out and long before the next does
}

// windowLong is the length of the default policy's windows, which begin at
// multiples of it. They come out within 4 s of their end.
const windowLong = 10 * time.Second

// begins reports whether the span may begin at a wall clock time, at so long
// into the run. Runs look once a second.
func (s span) begins(wall time.Time, into time.Duration) bool {
	phase := time.Duration(wall.UnixNano()) % windowLong
	return into >= s.from && (!s.aligned || phase >= 6*time.Second && phase < 8*time.Second)
}

// atMost is how long a run may have to last until its span is over.
func (s span) atMost() time.Duration { return s.from + windowLong + s.long + 5*time.Second }

// moment is how a run stands at one moment.
type moment struct {
	at      time.Duration
	records int64
	cpu     time.Duration
	counters
}

// gauge takes the moments at both ends of a span, and stops the devices then.
type gauge struct {
	ctx        context.Context
	stop       func()
	now        func() time.Time
	server     server
	span       span
	begin, end *moment
	err        error
}

// early is how much too early the last look of a span may be.
const early = 500 * time.Millisecond

// look is called with the progress of a run, once a second.
func (g *gauge) look(p simulator.Progress) {
	switch {
	case p.Phase == simulator.Connecting || g.err != nil:
	case g.begin == nil && g.span.begins(g.now(), p.Elapsed):
		g.begin = g.moment(p)
	case g.begin != nil && g.end == nil && p.Elapsed > g.begin.at+g.span.long-early:
		g.end = g.moment(p)
		g.stop()
	}
}

// moment reads the CPU time first: it must be of the moment of the progress.
func (g *gauge) moment(p simulator.Progress) *moment {
	m := &moment{at: p.Elapsed, records: p.Summary.Records}
	if m.cpu, g.err = cpuOf(g.server.pid()); g.err == nil {
		m.counters, g.err = g.server.counters(g.ctx)
	}
	return m
}

// play runs the devices of a shape at a server and judges. dir takes the truth.
func play(ctx context.Context, s server, devices shape, over span, dir string) (outcome, error) {
	playing, stop := context.WithCancel(ctx)
	defer stop()
	g := &gauge{ctx: ctx, stop: stop, now: time.Now, server: s, span: over}
	o := devices.simulation(s.mqtt(), over.atMost())
	o.Truth = filepath.Join(dir, fmt.Sprintf("truth-%d", s.pid()))
	sent, err := simulator.Run(playing, o, g.look)
	if err := errors.Join(err, g.err, ctx.Err()); err != nil {
		return outcome{}, fmt.Errorf("play %s: %w", devices.Name, err)
	}
	out, err := g.outcome()
	if err != nil {
		return outcome{}, fmt.Errorf("play %s: %w", devices.Name, err)
	}
	out.AckP99, out.Behind = sent.AckP99, sent.BehindSeconds
	if out.verdict, err = s.judge(ctx, sent); err != nil {
		return outcome{}, err
	}
	out.Peak, err = peakOf(s.pid())
	return out, err
}

// outcome is what lies between both moments.
func (g *gauge) outcome() (outcome, error) {
	if g.begin == nil || g.end == nil || g.end.records <= g.begin.records {
		return outcome{}, errors.New("the run ended before its span: is the machine much too slow for these devices?")
	}
	records := float64(g.end.records - g.begin.records)
	return outcome{
		Seconds: (g.end.at - g.begin.at).Seconds(), Records: records,
		CPU: float64(g.end.cpu-g.begin.cpu) / records, In: g.end.since(g.begin.counters),
	}, nil
}
