package detect

import "math"

// The slow band looks at blocks of about five minutes: level, season, drift. Where samples come slower than every
// hundred seconds, each is a block of its own. Its five features are those of the measured detector.
const (
	blockLength = 300 * second

	levelTime      = 48 * 60 // s, or at least levelBlocks
	levelBlocks    = 9.5
	activityTime   = 96 * 60 // s, or at least activityBlocks; also of the smoothing
	activityBlocks = 19.5
	peakTime       = 1000 * 60 // s, or at least peakBlocks; a fifth of it beside a fast band, which sees each new fault at once
	peakBlocks     = 200

	slowMemory  = 1000 // blocks that location and spread remember
	slowWarm    = 50   // blocks before anything is a surprise
	againWeight = 0.2  // of an excess that follows one
	slowMost    = 30   // decades of one feature
	slowLoners  = 8    // effective blocks before, or else five times slowWarm
)

// The features of the slow band.
const (
	slowValue = iota
	slowDifference
	slowLevel
	slowActivity
	slowDaily
	slowFeatures
)

var slowNames = [slowFeatures]string{"value", "difference", "level", "activity", "daily"}

// recordOf is the place of a feature in slow.records; a record of activity says nothing.
var recordOf = [slowFeatures]int{slowValue: 0, slowDifference: 1, slowLevel: 2, slowActivity: -1, slowDaily: 3}

var slowTails = tailSpec{share: 0.02, memory: 50, least: -0.3, most: 0.3, priorWeight: 10, meanWeight: 3, floor: 0.02, clip: 8}

// A slowFeature is one of the numbers that the slow band watches.
type slowFeature struct {
	upper, lower tail
	location     float64
	over, under  float32 // distances of the tails' cuts from the location, up and down
	spread       float32 // mean absolute deviation from the location
	part         half    // of the newest score
	n            uint16  // values before the current one, up to what matters
}

// A record is the range of a feature so far.
type record struct {
	high, low float64 // the same until there are two values
}

// surprise judges phi, then learns it with a weight of 0 to 1. A feature begins with its first valid value. Excesses in
// a row are one event: again says that the value before was one.
func (f *slowFeature) surprise(phi float64, warm, again bool, weight float64) (u float64) {
	if f.n == 0 {
		f.n, f.location = 1, phi
		return 0
	}
	if warm && f.n > slowWarm {
		weight := weight
		if again {
			weight *= againWeight
		}
		off := phi - f.location
		u = max(f.beyond(&f.upper, float64(f.over), off, weight), f.beyond(&f.lower, float64(f.under), -off, weight))
	}
	w := weight / min(float64(f.n)+1, slowMemory)
	moved := w * (phi - f.location)
	f.location += moved
	f.spread += float32(w * (math.Abs(phi-f.location) - float64(f.spread)))
	step := 0.5 * weight * float64(f.spread) * max(slowTails.floor, 3/math.Sqrt(float64(f.n)+1))
	f.over = float32(track(float64(f.over)-moved, phi-f.location, slowTails.share, step))
	f.under = float32(track(float64(f.under)+moved, f.location-phi, slowTails.share, step))
	f.n += min(1, math.MaxUint16-f.n)
	return u
}

// exceeds reports whether phi is beyond a cut.
func (f *slowFeature) exceeds(phi float64) bool {
	return phi-f.location > float64(f.over) || f.location-phi > float64(f.under)
}

// beyond judges and learns a distance off the location against one tail.
func (f *slowFeature) beyond(t *tail, cut, off, weight float64) float64 {
	y, middle := off-cut, max(cut, 0.5*float64(f.spread)+1e-300)
	u := t.surprise(&slowTails, y, middle)
	if y > 0 {
		t.learn(&slowTails, y, middle, float32(weight))
	}
	return u
}

// surprise of a new extreme: one among count exchangeable values has probability 2/count.
func (r *record) surprise(count, phi float64) float64 {
	width, beyond := r.high-r.low, 0.0
	switch {
	case phi > r.high:
		beyond, r.high = phi-r.high, phi
	case phi < r.low:
		beyond, r.low = r.low-phi, phi
	}
	if beyond <= 0 || width <= 0 {
		return 0
	}
	return math.Log10(count/2+1) + min(10, 5*beyond/width)
}

func (r *record) fields(c *codec) {
	c.f64s(&r.high, &r.low)
}

func (f *slowFeature) fields(c *codec) {
	f.upper.fields(c)
	f.lower.fields(c)
	c.f64(&f.location)
	c.f32s(&f.over, &f.under, &f.spread)
	c.half(&f.part)
	c.u16(&f.n)
	c.atLeast("spread", float64(f.spread), 0)
}

// slow is the slow band of one series.
type slow struct {
	previous             float64 // block
	level                float64 // EWMA of the blocks
	activity             float32 // EWMA of the absolute difference
	smooth               float32 // EWMA of the score
	peak                 float32 // of the smoothed score, decaying
	effective            float32 // blocks that count as independent
	n                    uint32  // blocks before the current one
	difference, residual half    // newest, for the explanation
	product              float32 // EWMA of neighbors' deviations, clipped: with square the correlation of neighbors
	square               float32
	features             [slowFeatures]slowFeature
	running              uint8 // bit i: the newest value of feature i was an excess
	begun                uint8 // bit i: record i has a value
	records              [slowFeatures - 1]record
	profile              profile
}

// update judges block x that ends at t, dt seconds after the one before; interval is the usual dt. It returns the sum of
// surprises, and what smoothing makes of it. With weight 0 to 1 the block is learned.
func (s *slow) update(t int64, x, dt, interval, weight float64) (score, smoothed float64) {
	dt = min(dt, 3*interval)
	first := s.n == 0
	if first {
		s.previous, s.level = x, x
	}
	difference := x - s.previous
	s.correlate(x)
	s.previous = x
	s.level += gain(dt, max(levelTime, levelBlocks*interval)) * (x - s.level)
	if !first {
		w := max(gain(dt, max(activityTime, activityBlocks*interval)), 1/float64(s.n))
		s.activity += float32(w * (math.Abs(difference) - float64(s.activity)))
	}
	score = s.judge(t, x, difference, dt, weight)
	s.smooth += float32(gain(dt, max(activityTime, activityBlocks*interval)) * (score - float64(s.smooth)))
	s.n++
	return score, 0.5*score + float64(s.smooth)
}

// judge is the weighted sum of the features' surprises and half of their records'.
func (s *slow) judge(t int64, x, difference, dt, weight float64) (score float64) {
	residual, known := s.profile.residual(t, x, gain(dt, float64(s.profile.cycle)/second), 4*float64(s.features[slowDaily].spread))
	s.difference, s.residual = halfOf(difference), halfOf(residual)
	spread := float64(s.features[slowValue].spread)
	phi := [slowFeatures]float64{x, difference, s.level, math.Log(float64(s.activity) + 1e-4*spread), residual}
	valid := [slowFeatures]bool{true, s.n > 0, float64(s.n) >= levelBlocks, float64(s.n) >= activityBlocks && float64(s.activity)+spread > 0, known}
	weights := [slowFeatures]float64{1, 0.5, 0.5, 0.5, s.trust()}
	warm := s.n > slowWarm && (s.effective >= slowLoners || s.n > 5*slowWarm)
	for i := range s.features {
		f := &s.features[i]
		running := f.exceeds(phi[i])
		f.part = 0
		if !valid[i] {
			continue
		}
		u := weights[i] * min(f.surprise(phi[i], warm, s.running>>i&1 == 1, weight), slowMost)
		if r := recordOf[i]; r >= 0 {
			if s.begun>>r&1 == 0 {
				s.begun |= 1 << r
				s.records[r] = record{high: phi[i], low: phi[i]}
			}
			u += 0.5 * s.records[r].surprise(float64(s.effective)+1, phi[i])
		}
		if !warm {
			u = 0
		}
		f.part = halfOf(u)
		if s.running &^= 1 << i; running {
			s.running |= 1 << i
		}
		score += u
	}
	return score
}

// heard is the share of a day that blocks of length seconds have covered so far, 1 where there is no cycle: how far a
// level goes in a day is known after a day.
func (s *slow) heard(length float64) float64 {
	if s.profile.cycle <= 0 {
		return 1
	}
	return min(float64(s.n)*length*second/float64(s.profile.cycle), 1)
}

// loud reports whether the newest block itself is still unusual, in its value or for its time of day. Averages, and the
// smoothed score, stay so for long after.
func (s *slow) loud() bool {
	return s.features[slowValue].part.float()+s.features[slowDaily].part.float() >= 2
}

// above reports whether a smoothed score beats the recent peak, which fades over dt.
func (s *slow) above(smoothed, dt, interval float64, alone bool) bool {
	fade := max(peakTime, peakBlocks*interval)
	if !alone {
		fade /= 5
	}
	fresh := smoothed > float64(s.peak)
	s.peak = max(s.peak*float32(math.Exp(-min(dt, 3*interval)/fade)), float32(smoothed))
	return fresh
}

// trust is the weight of the daily residual: a half, and up to another where the profile explains the series.
func (s *slow) trust() float64 {
	with, without := float64(s.features[slowDaily].spread), float64(s.features[slowValue].spread)
	if s.features[slowDaily].n == 0 || without <= 0 {
		return 0.5
	}
	return 0.5 + 0.5*min(max(2*(1-with/without), 0), 1)
}

// correlate counts a block as the part of an independent one that its likeness to the block before leaves.
func (s *slow) correlate(x float64) {
	f := &s.features[slowValue]
	limit := 4 * float64(f.spread)
	clip := func(v float64) float64 { return min(max(v, -limit), limit) }
	here, before := clip(x-f.location), clip(s.previous-f.location)
	w := float32(1 / min(float64(s.n)+1, slowMemory))
	scale := max(limit, 1e-300) // keeps squares in range
	s.product += w * (float32(here/scale*before/scale) - s.product)
	s.square += w * (float32(here/scale*here/scale) - s.square)
	rho := 0.0
	if s.square > 0 {
		rho = min(max(float64(s.product/s.square), 0), 0.99)
	}
	s.effective += float32((1 - rho) / (1 + rho))
}

func (s *slow) fields(c *codec) {
	c.f64s(&s.previous, &s.level)
	c.f32s(&s.activity, &s.smooth, &s.peak, &s.effective)
	c.half(&s.difference)
	c.half(&s.residual)
	c.u32(&s.n)
	c.u8(&s.running)
	c.u8(&s.begun)
	c.f32s(&s.product, &s.square)
	for i := range s.features {
		s.features[i].fields(c)
	}
	for i := range s.records {
		s.records[i].fields(c)
	}
	s.profile.fields(c)
	c.atLeast("activity", float64(s.activity), 0)
	c.atLeast("effective blocks", float64(s.effective), 0)
}
