package main

import (
	"context"
	"os"
	"testing"
	"time"

	"weir/simulator"
)

// asked is a server that is this process and counts how often it is asked.
type asked struct{ times float64 }

func (a *asked) mqtt() string { return "" }
func (a *asked) pid() int     { return os.Getpid() }
func (a *asked) stop() error  { return nil }

func (a *asked) counters(context.Context) (counters, error) {
	a.times++
	return counters{Messages: a.times}, nil
}

func (a *asked) judge(context.Context, simulator.Summary) (verdict, error) { return verdict{}, nil }

// TestGauge: the span begins when all devices have played for a while and no
// window is due, is as long as asked for, and has in it only what was sent
// meanwhile; then the devices stop.
func TestGauge(t *testing.T) {
	wall, stopped := time.Unix(1_760_000_001, 0), 0
	g := &gauge{
		ctx: t.Context(), server: &asked{}, span: wholeSpan,
		now: func() time.Time { return wall }, stop: func() { stopped++ },
	}
	g.look(simulator.Progress{Phase: simulator.Connecting, Elapsed: 20 * time.Second})
	if _, err := g.outcome(); err == nil {
		t.Error("a run that never played has an outcome")
	}
	for s := range 20 {
		at := time.Duration(s)*time.Second + 5*time.Millisecond
		g.look(simulator.Progress{Phase: simulator.Playing, Elapsed: at, Summary: simulator.Summary{Records: int64(s) * 1000}})
		wall = wall.Add(time.Second)
	}
	o, err := g.outcome()
	if err != nil {
		t.Fatal(err)
	}
	if o.Seconds != 10 || o.Records != 10_000 || o.rate() != 1000 || o.In.Messages != 1 || stopped != 1 {
		t.Errorf("outcome %+v, stopped %d times; wanted 10,000 records in 10 s, one message, one stop", o, stopped)
	}
	if g.begin.at != 5*time.Second+5*time.Millisecond {
		t.Errorf("the span began after %v, wanted 5 s: 6 s after a window's end", g.begin.at)
	}
}

func TestSpanBegins(t *testing.T) {
	f := func(s span, second, into int64, want bool) {
		t.Helper()
		if got := s.begins(time.Unix(1_760_000_000+second, 0), time.Duration(into)*time.Second); got != want {
			t.Errorf("%+v at second %d of a window, %d s into the run: %v", s, second, into, got)
		}
	}
	f(wholeSpan, 7, 3, true)
	f(wholeSpan, 7, 2, false)
	f(wholeSpan, 5, 9, false)
	f(wholeSpan, 8, 9, false)
	f(quickSpan, 8, 9, true)
	f(quickSpan, 8, 1, false)
}
