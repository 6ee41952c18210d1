package gcra

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// sent is an amount that a pacer let pass.
type sent struct {
	at   int64
	lane Lane
	n    int64
}

// line is what comes into one lane: amounts, and when.
type line struct{ at, n []int64 }

// play is lanes that send whatever a pacer lets pass, until a time.
func play(p *Pacer, lines [Lanes]line, until int64) (out []sent, wrong string) {
	var waiting [Lanes]int64
	for now := int64(0); now < until; {
		next := until
		for l := range lines {
			waiting[l] = 0
			if q := &lines[l]; len(q.at) > 0 && q.at[0] <= now {
				waiting[l] = q.n[0]
			} else if len(q.at) > 0 {
				next = min(next, q.at[0])
			}
		}
		lane, wait := p.Next(now, waiting)
		switch {
		case lane != None && (waiting[lane] == 0 || wait != 0):
			return nil, fmt.Sprintf("at %d lane %d passes after a wait of %d with %v waiting", now, lane, wait, waiting)
		case lane != None && lane != Alert && waiting[Alert] > 0:
			return nil, fmt.Sprintf("at %d lane %d goes before an alert", now, lane)
		case lane != None:
			out = append(out, sent{now, lane, waiting[lane]})
			lines[lane].at, lines[lane].n = lines[lane].at[1:], lines[lane].n[1:]
		case waiting != [Lanes]int64{} && (wait <= 0 || wait == Never):
			return nil, fmt.Sprintf("at %d %v wait for %d", now, waiting, wait)
		case wait > next-now:
			now = next
		default:
			now += wait
		}
	}
	return out, ""
}

// every is amounts of n, one each gap, from a time until another.
func every(gap, n, from, until int64) (l line) {
	for at := from; at < until; at += gap {
		l.at, l.n = append(l.at, at), append(l.n, n)
	}
	return l
}

// total is how much of a lane passed in [from, to).
func total(out []sent, l Lane, from, to int64) (n int64) {
	for _, s := range out {
		if s.lane == l && s.at >= from && s.at < to {
			n += s.n
		}
	}
	return n
}

const quiet = 2 * second

// TestPacerBounds: whatever comes, no interval has more than the rate allows, nor more of Backfill than its share
// where Live flows.
func TestPacerBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Shares{
			Rate: rapid.Int64Range(1, 1e6).Draw(t, "rate"), Reserve: rapid.Float64Range(0, 1).Draw(t, "reserve"),
			Backfill: rapid.Float64Range(0, 1).Draw(t, "share"), Least: rapid.Float64Range(0, 1).Draw(t, "least"), Quiet: quiet,
		}
		largest := rapid.Int64Range(1, max(1, s.Rate)).Draw(t, "largest")
		var lines [Lanes]line
		for l := range lines {
			at := int64(0)
			for range rapid.IntRange(0, 40).Draw(t, "count") {
				at += rapid.SampledFrom([]int64{0, 0, 1, second / 100, second, 5 * second}).Draw(t, "gap")
				lines[l].at = append(lines[l].at, at)
				lines[l].n = append(lines[l].n, rapid.Int64Range(1, largest).Draw(t, "n"))
			}
		}
		flows := lines[Live]
		p := NewPacer(s)
		out, wrong := play(p, lines, 1000*second)
		if wrong != "" {
			t.Fatal(wrong)
		}
		checkBounds(t, p, s, out, flows, largest)
	})
}

// checkBounds looks at every interval that begins and ends with something sent.
func checkBounds(t *rapid.T, p *Pacer, s Shares, out []sent, flows line, largest int64) {
	share := float64(p.share.limit.Burst + largest)
	for i := range out {
		all, back := int64(0), int64(0)
		for _, o := range out[i:] {
			seconds := float64(o.at-out[i].at) / second
			if all += o.n; float64(all) > float64(p.all.limit.Burst+largest)+float64(s.Rate)*seconds {
				t.Fatalf("%d units passed in %v s", all, seconds)
			}
			if o.lane == Backfill && !flowing(out, flows, o.at) {
				break
			}
			if o.lane != Backfill {
				continue
			}
			if back += o.n; float64(back) > share+s.Backfill*float64(s.Rate)*seconds {
				t.Fatalf("%d units of backfill passed in %v s while live flowed", back, seconds)
			}
		}
	}
}

// flowing reports whether Live has had something to send shortly before a time.
func flowing(out []sent, flows line, at int64) bool {
	k := 0 // live amounts sent by then
	for _, o := range out {
		if o.lane != Live {
			continue
		}
		if o.at <= at && at < o.at+quiet {
			return true
		}
		if o.at <= at {
			k++
		}
	}
	return k < len(flows.at) && flows.at[k] <= at
}

func TestPacerShares(t *testing.T) {
	const rate, span = 100_000, 100 * second
	s := Shares{Rate: rate, Reserve: 0.1, Backfill: 0.5, Least: 0.05, Quiet: quiet}
	f := func(name string, lines [Lanes]line, from int64, want [Lanes]float64) {
		t.Helper()
		out, wrong := play(NewPacer(s), lines, span)
		if wrong != "" {
			t.Fatalf("%s: %s", name, wrong)
		}
		for l, want := range want {
			got := float64(total(out, Lane(l), from, span)) / rate / (float64(span-from) / second)
			if got < want-0.004 || got > want+0.004 {
				t.Errorf("%s: lane %d had %.4f of the rate, want %.4f", name, l, got, want)
			}
		}
	}
	flood := every(second/1000, 1000, 0, span) // ten times the rate
	steady := func(share float64) line { return every(second/10, int64(share*rate/10), 0, span) }

	f("backfill alone has it all", [Lanes]line{Backfill: flood}, 10*second, [Lanes]float64{0, 0, 1})
	f("a little live: backfill has its share", [Lanes]line{Live: steady(0.2), Backfill: flood}, 10*second, [Lanes]float64{0, 0.2, 0.5})
	f("much live: backfill has the rest", [Lanes]line{Live: steady(0.8), Backfill: flood}, 10*second, [Lanes]float64{0, 0.8, 0.2})
	f("too much live: backfill has its least", [Lanes]line{Live: flood, Backfill: flood}, 10*second, [Lanes]float64{0, 0.95, 0.05})
	f("alerts go first", [Lanes]line{steady(0.3), flood, flood}, 10*second, [Lanes]float64{0.3, 0.65, 0.05})
	f("alerts may take all", [Lanes]line{flood, flood, flood}, 10*second, [Lanes]float64{1, 0, 0})
	f("live once a second flows", [Lanes]line{Live: every(second, 100, 0, span), Backfill: flood}, 10*second, [Lanes]float64{0, 0.001, 0.5})
	f("live stops: backfill has it all", [Lanes]line{Live: every(second, 100, 0, 10*second), Backfill: flood}, 12*second, [Lanes]float64{0, 0, 1})
}

// TestPacerReserve: an alert finds its reserve, though others have sent all they could.
func TestPacerReserve(t *testing.T) {
	p := NewPacer(Shares{Rate: 100_000, Reserve: 0.2, Backfill: 0.5, Quiet: quiet})
	for lane := Live; lane != None; {
		lane, _ = p.Next(0, [Lanes]int64{Live: 100, Backfill: 100})
	}
	if lane, wait := p.Next(0, [Lanes]int64{5000, 100, 100}); lane != Alert {
		t.Errorf("an alert within the reserve waits for %d ns", wait)
	}
	if lane, wait := p.Next(0, [Lanes]int64{1, 100, 100}); lane != None || wait != 10_000 {
		t.Errorf("beyond the reserve: lane %d, wait %d; want 10 µs for a unit", lane, wait)
	}
}

// TestPacerLarge: what is larger than the burst passes when the burst is whole, and is paid for afterwards.
func TestPacerLarge(t *testing.T) {
	p := NewPacer(Shares{Rate: 1000, Backfill: 0.5, Quiet: quiet})
	f := func(now int64, waiting [Lanes]int64, lane Lane, wait int64) {
		t.Helper()
		if got, w := p.Next(now, waiting); got != lane || w != wait {
			t.Errorf("at %d: lane %d after %d, want %d after %d", now, got, w, lane, wait)
		}
	}
	f(0, [Lanes]int64{Live: 10_000}, Live, 0)
	f(0, [Lanes]int64{Live: 1}, None, 9_751_000_000)
	f(9_751_000_000, [Lanes]int64{Live: 1}, Live, 0)
}

func TestPacerWithoutLimit(t *testing.T) {
	p := NewPacer(Shares{Reserve: 0.5, Backfill: 0.5, Least: 0.1, Quiet: quiet})
	f := func(waiting [Lanes]int64, want Lane, wait int64) {
		t.Helper()
		if got, w := p.Next(0, waiting); got != want || w != wait {
			t.Errorf("%v: lane %d, wait %d; want %d, %d", waiting, got, w, want, wait)
		}
	}
	f([Lanes]int64{}, None, Never)
	f([Lanes]int64{1 << 40, 1 << 40, 1 << 40}, Alert, 0)
	f([Lanes]int64{0, 1 << 40, 1 << 40}, Live, 0)
	f([Lanes]int64{0, 0, 1 << 40}, Backfill, 0)
}

func BenchmarkPacer(b *testing.B) {
	b.ReportAllocs()
	p, now := NewPacer(Shares{Rate: 1e6, Reserve: 0.1, Backfill: 0.5, Least: 0.05, Quiet: quiet}), int64(0)
	for b.Loop() {
		now += 500_000
		p.Next(now, [Lanes]int64{0, 600, 600})
	}
}
