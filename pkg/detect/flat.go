package detect

import "math"

// flat watches how long a value stays exactly the same. Each run of equal values is one observation, judged while it
// lasts and learned when it ends, so that a coarse or sluggish sensor has long runs of its own.
type flat struct {
	run   uint32  // equal values so far, the newest included
	runs  uint32  // that have ended
	cut   float32 // of the tail
	tail  tail
	usual float32 // mean length of a run
	known float32 // the longest run, fading
	part  half    // surprise of the running one
}

var flatTails = tailSpec{share: 0.02, memory: 500, least: 0, most: 0.6, prior: 0.15, priorWeight: 20, floor: 0.01, clip: 20}

const (
	flatWarm  = 100        // runs before one is a surprise
	flatMoves = 3          // usual length of a run from which on a series is one that mostly stands still
	flatKnown = 2          // longest runs that a run must beat: what reads 0 each night does so again
	flatFades = 10 * 86400 // s in which the longest run fades to a third of it
)

// update takes in a value that is the same as the one before, or not, interval seconds later. It is −log₁₀ of the
// probability that a run lasts as long as the newest one does, 0 where it is not much longer than one that is known.
func (f *flat) update(same bool, interval, weight float64) float64 {
	f.part = 0
	f.known -= f.known * float32(min(interval/flatFades, 1))
	if f.run == 0 || !same {
		if f.run > 0 {
			f.learn(float64(f.run), weight)
		}
		f.run = 1
		return 0
	}
	f.run += min(1, math.MaxUint32-f.run)
	if f.runs < flatWarm || float32(f.run) <= flatKnown*f.known {
		return 0
	}
	u := f.surprise(float64(f.run))
	f.part = halfOf(u)
	return u
}

// surprise counts on a tail of one sample at least, so that where no value ever came twice, three may.
func (f *flat) surprise(run float64) float64 {
	y := run - max(float64(f.cut), 2)
	t := f.tail
	t.mean = max(t.mean, 0.35)
	t.count = max(t.count, 20)
	return t.surprise(&flatTails, y, 0)
}

func (f *flat) learn(run, weight float64) {
	if f.runs == 0 {
		f.cut = float32(run)
	}
	f.known = max(f.known, float32(weight*run))
	run += dither(f.runs)
	cut := float64(f.cut)
	if y := run - cut; y > 0 && f.runs > flatWarm/4 {
		f.tail.learn(&flatTails, y, max(cut, 1), float32(weight))
	}
	n := min(float64(f.runs)+1, slowMemory)
	f.usual += float32(weight * (run - float64(f.usual)) / n)
	f.cut = float32(track(cut, run, flatTails.share, 0.5*weight*float64(f.usual)*max(flatTails.floor, 3/math.Sqrt(float64(f.runs)+1))))
	f.runs += min(1, math.MaxUint32-f.runs)
}

// moves reports whether the series is known as one that moves nearly all the time.
func (f *flat) moves() bool { return f.runs >= flatWarm && f.usual < flatMoves }

func (f *flat) fields(c *codec) {
	c.f32(&f.cut)
	c.u32(&f.run)
	c.u32(&f.runs)
	f.tail.fields(c)
	c.f32s(&f.usual, &f.known)
	c.half(&f.part)
	c.atLeast("longest run", float64(f.known), 0)
}

// dither is a number from 0 to 1 that looks random: what is whole is spread over the step that it stands for, so that
// a tail of steps is one without steps.
func dither(n uint32) float64 {
	n *= 0x9e3779b9
	n = (n ^ n>>16) * 0x85ebca6b
	return float64((n^n>>13)*0xc2b2ae35) / (1 << 32)
}
