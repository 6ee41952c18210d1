package gcra

import (
	"math"
	"math/bits"
)

// second is in nanoseconds. Amounts are compared in billionths of a unit, so that rate × nanoseconds is one of them.
const second = 1_000_000_000

// Bounds of times and of what a bucket may owe, ns.
const (
	horizon  = 1 << 62 // of times, either way
	longest  = 1 << 61 // a burst takes at most so long to come back
	furthest = 3 << 61 // of a bucket's tat: what was taken by force counts up to there
)

// Never is the wait for what no wait will let pass.
const Never = math.MaxInt64

// Limit is a rate with a burst.
type Limit struct {
	Rate  int64 // units per second; 0 or less: nothing passes
	Burst int64 // units that may pass at once after a silence; what is larger never passes
}

func (l Limit) normal() Limit {
	l.Rate, l.Burst = max(l.Rate, 0), max(l.Burst, 0)
	if most := mul(uint64(l.Rate), longest); most.hi < second {
		q, _ := bits.Div64(most.hi, most.lo, second)
		l.Burst = int64(min(uint64(l.Burst), q))
	}
	return l
}

// Bucket lets units pass at a limit. Its state is one point in time: the theoretical arrival time, at which it will be
// full again. The zero value is closed: nothing passes.
type Bucket struct {
	limit Limit
	tat   int64  // ns
	part  uint64 // of a nanosecond on top of tat, in 1/Rate; always < Rate
}

// New is a full bucket.
func New(l Limit) Bucket { return Bucket{limit: l.normal(), tat: -horizon} }

// Limit is what the bucket goes by.
func (b *Bucket) Limit() Limit { return b.limit }

// Allow takes n units if they may pass at time now. Else it takes nothing, and wait is how long, in ns, until they may
// if nothing else passes: Never where n is more than the burst. Nothing, or less, always passes.
func (b *Bucket) Allow(now, n int64) (ok bool, wait int64) {
	if wait = b.Wait(now, n); wait == 0 {
		b.Take(now, n)
	}
	return wait == 0, wait
}

// Wait is how long after now n units may pass, ns: 0 is at once. It takes nothing.
func (b *Bucket) Wait(now, n int64) int64 {
	switch {
	case n <= 0:
		return 0
	case n > b.limit.Burst || b.limit.Rate == 0:
		return Never
	}
	over, more := diff(add(b.owed(now), mul(uint64(n), second)), b.size())
	if !more || over == (wide{}) {
		return 0
	}
	ns, rest := bits.Div64(over.hi, over.lo, uint64(b.limit.Rate))
	if rest > 0 {
		ns++
	}
	return int64(min(ns, Never))
}

// Available is how many units may pass at time now.
func (b *Bucket) Available(now int64) int64 {
	left, more := diff(b.size(), b.owed(now))
	if !more {
		return 0
	}
	n, _ := bits.Div64(left.hi, left.lo, second)
	return int64(n)
}

// Take takes n units whether they may pass or not: what is too much is waited for by those who come later.
func (b *Bucket) Take(now, n int64) {
	if n <= 0 || b.limit.Rate == 0 {
		return
	}
	if now = clip(now); b.tat < now {
		b.tat, b.part = now, 0
	}
	ns, part := b.duration(n)
	b.part += part
	if b.part >= uint64(b.limit.Rate) {
		b.part -= uint64(b.limit.Rate)
		ns++
	}
	if b.tat >= furthest-ns {
		b.tat, b.part = furthest, 0
		return
	}
	b.tat += ns
}

// Refund gives n units back that were taken and not used. The bucket never holds more than its burst.
func (b *Bucket) Refund(n int64) {
	if n <= 0 || b.limit.Rate == 0 {
		return
	}
	ns, part := b.duration(n)
	if part > b.part {
		b.part += uint64(b.limit.Rate)
		ns++
	}
	b.part -= part
	b.tat = max(b.tat-ns, -horizon)
}

// Resize changes the limit at time now. What is available stays, up to the new burst, and what is owed stays: the
// change itself lets nothing pass.
func (b *Bucket) Resize(now int64, l Limit) {
	now = clip(now)
	left, more := diff(b.size(), b.owed(now))
	*b = Bucket{limit: l.normal()}
	size := b.size()
	switch {
	case !more: // left is what is owed beyond the burst
		b.owe(now, add(size, left))
	case less(left, size):
		owed, _ := diff(size, left)
		b.owe(now, owed)
	default:
		b.owe(now, wide{})
	}
}

// owe sets what is owed at time now.
func (b *Bucket) owe(now int64, owed wide) {
	b.tat, b.part = furthest, 0
	if rate := uint64(b.limit.Rate); owed.hi < rate { // else a rate of 0, or longer than can be told
		ns, part := bits.Div64(owed.hi, owed.lo, rate)
		if ns < uint64(furthest-now) {
			b.tat, b.part = now+int64(ns), part
		}
	}
}

// size is the burst.
func (b *Bucket) size() wide {
	if b.limit.Rate == 0 {
		return wide{}
	}
	return mul(uint64(b.limit.Burst), second)
}

// owed is what has been taken and has not come back by time now.
func (b *Bucket) owed(now int64) wide {
	now = clip(now)
	if b.tat < now {
		return wide{}
	}
	return add(mul(uint64(b.tat-now), uint64(b.limit.Rate)), wide{lo: b.part})
}

// duration is how long n units take, as nanoseconds and parts of one. Beyond the longest burst it is cut.
func (b *Bucket) duration(n int64) (ns int64, part uint64) {
	rate := uint64(b.limit.Rate)
	units := mul(uint64(n), second)
	if units.hi >= rate {
		return longest, 0
	}
	q, part := bits.Div64(units.hi, units.lo, rate)
	if q >= longest {
		return longest, 0
	}
	return int64(q), part
}

func clip(now int64) int64 { return min(max(now, -horizon), horizon) }
