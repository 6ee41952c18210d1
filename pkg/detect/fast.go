package detect

import "math"

// The fast band looks at each sample, where they come faster than the blocks of the slow band: spikes, jumps, steps,
// noise that grows or fades. What it watches is relative to a location and a spread of the last half hour or so.
const (
	locationTime    = 600 // s, or at least locationSamples
	locationSamples = 200
	spreadTime      = 6 * 3600 // s, or at least spreadSamples; also of the usual innovation, and of how neighbors are alike
	spreadSamples   = 600

	shortSamples  = 5 // time constants of the means, in intervals
	longSamples   = 20
	noisySamples  = 60
	clipDeviation = 5.0 // mean absolute deviations: what a mean sees of one sample

	fastBegin = 100 // samples that location and spread settle in
	fastWarm  = 300 // samples before anything is a surprise
)

// The features of the fast band.
const (
	fastUp = iota
	fastDown
	fastJump
	fastShort
	fastLong
	fastLoud
	fastCalm
	fastFeatures
)

var fastNames = [fastFeatures]string{"value", "value", "jump", "mean of 5", "mean of 20", "noise", "calm"}

// fastShares are −log₁₀ of the features' shares of the band's budget: 15 % for each single value, 10 % for each mean
// and for noise that fades, 25 % for noise that grows.
var fastShares = [fastFeatures]float64{0.824, 0.824, 0.824, 1, 1, 0.602, 1}

// Means of values repeat themselves: meanWeights are how many independent values one stands for, meanLeasts how far a
// cut lies beyond what is usual at least, in what is usual.
var (
	meanWeights = [2]float64{0.3, 0.1}
	meanLeasts  = [2]float32{0.5, 0.5}
	meanTails   = tailSpec{share: 0.01, memory: 1000, floor: 0.01, meanWeight: 30, clip: 5}
)

// fast is the fast band of one series.
type fast struct {
	location float64
	lag      float32 // mean clipped distance from an average over locationTime, which the location has on top of it
	spread   float32 // mean absolute deviation, of clipped values
	jump     float32 // mean absolute innovation, clipped
	product  float32 // mean product of neighbors' deviations, clipped, in spreads
	square   float32 // mean square of deviations, clipped, in spreads
	short    float32 // means of clipped deviations, in spreads
	long     float32
	noise    float32 // mean of clipped innovations, in usual ones, for the explanation
	quantum  float32 // smallest difference that is none, 0 while there was none
	n        uint32
	edges    [fastShort]edge
	means    [fastLoud - fastShort]crest
	loud     page
	calm     page
	newest   half               // innovation, for the explanation
	parts    [fastFeatures]half // decades of the newest value
}

// A crest is the upper end of something smooth: exponential beyond a cut.
type crest struct {
	cut, usual  float32
	mean, count float32 // of a tail without a shape of its own
}

// update judges x, dt seconds after the value previous; interval is the usual dt. moves says whether the series is one
// that moves nearly all the time. The score is in decades: −log₁₀ of how often a sample of a normal series has it, all
// features together.
func (f *fast) update(x, previous, dt, interval, weight float64, moves bool) (score float64) {
	if f.n == 0 {
		previous, f.location, f.noise = x, x, 1
	}
	f.quantize(math.Abs(x - previous))
	dt = min(dt, 3*interval)
	perSpread, perJump := f.per(f.spread), f.per(f.jump)
	off, offBefore := x-f.location, previous-f.location
	z, before := ratio(off*perSpread), clipped(offBefore*perSpread)
	innovation := math.Abs(off - f.likeness()*offBefore)
	e := ratio(innovation * perJump)
	f.newest = halfOf(innovation)
	noisy := 1 - gain(dt, noisySamples*interval) // the others are powers of it
	long := noisy * noisy * noisy
	short := long * long * long * long
	seen := clipped(z)
	follow(&f.short, seen, 1-short)
	follow(&f.long, seen, 1-long)
	follow(&f.noise, min(e, pageClip), 1-noisy)
	if f.n >= fastBegin {
		step := (dither(f.n) - 0.5) * float64(f.quantum)
		score = f.judge(z, e, ratio(step*perSpread), ratio(step*perJump), interval, weight, moves)
	}
	f.learn(x, innovation, seen, before, dt, interval, weight)
	f.n += min(1, math.MaxUint32-f.n)
	return score
}

// likeness is how much of a deviation the next one repeats: the correlation of neighbors.
func (f *fast) likeness() float64 {
	if f.square <= 0 || f.n < fastBegin {
		return 0
	}
	return min(max(float64(f.product/f.square), -0.9), 0.995)
}

// follow moves an average by a part of the way to x.
func follow(average *float32, x, part float64) {
	*average += float32(part * (x - float64(*average)))
}

// per is what makes values multiples of what is usual, 0 while nothing is. What is usual of a series that mostly stands
// still is a part of its step.
func (f *fast) per(usual float32) float64 {
	if usual = max(usual, 0.1*f.quantum); usual <= 0 {
		return 0
	}
	return 1 / float64(usual)
}

// ratio keeps a multiple of what is usual finite.
func ratio(v float64) float64 { return min(max(v, -1e9), 1e9) }

func clipped(z float64) float64 { return min(max(z, -clipDeviation), clipDeviation) }

// quantize looks for the step of a coarse sensor. It slowly forgets a step that does not come again.
func (f *fast) quantize(difference float64) {
	f.quantum = float32(min(float64(f.quantum)*1.00001, greatestValue))
	if difference > 1e-9*float64(f.spread) && (difference < float64(f.quantum) || f.quantum == 0) {
		f.quantum = float32(difference)
	}
}

// judge lets each feature judge and learn the newest value: z deviations from the location, e usual innovations from
// what the one before let expect, each blurred by a part of the series' step. Each has its share of the budget: the
// rarest decides.
func (f *fast) judge(z, e, blur, jumpBlur, interval, weight float64, moves bool) (score float64) {
	n := f.n - fastBegin
	p := paceOf(n, interval)
	var u [fastFeatures]float64
	u[fastUp] = f.edges[fastUp].update(&p, max(z, 0), blur, weight)
	u[fastDown] = f.edges[fastDown].update(&p, max(-z, 0), blur, weight)
	u[fastJump] = f.edges[fastJump].update(&p, e, jumpBlur, weight)
	f.judgeNoise(n, e, interval, weight, moves, &u)
	f.parts = [fastFeatures]half{}
	if f.n < fastWarm {
		return 0
	}
	for i := range u {
		if u[i] > 0 {
			f.parts[i] = halfOf(u[i])
			score = max(score, u[i]-fastShares[i])
		}
	}
	return score
}

// judgeNoise is the part of the features that look at many values: their means, and noise that grows or fades. Of a
// series that mostly stands still they say nothing: it has no noise of which they could know how far it goes.
func (f *fast) judgeNoise(n uint32, e, interval, weight float64, moves bool, u *[fastFeatures]float64) {
	part := weight / min(float64(n)+1, slowMemory)
	for i, phi := range [fastLoud - fastShort]float32{f.short, f.long} {
		said := f.means[i].update(n, math.Abs(float64(phi)), meanLeasts[i], part, weight*meanWeights[i])
		if moves {
			u[fastShort+i] = said
		}
	}
	if moves && n >= pageBegin {
		t := turnOf(n-pageBegin, interval, weight)
		e = min(e, pageClip)
		u[fastLoud] = f.loud.update(&t, e-pageLoud)
		u[fastCalm] = f.calm.update(&t, pageCalm-e)
	}
}

// update judges the nth value phi, then learns it: as a part of what is usual, and as weight independent ones. The cut
// lies least beyond what is usual.
func (c *crest) update(n uint32, phi float64, least float32, part, weight float64) (u float64) {
	far := float64(max(c.cut-c.usual, least*c.usual, 1e-9))
	if y := phi - float64(c.usual) - far; y > 0 {
		t := tail{mean: c.mean, count: c.count}
		u = t.surprise(&meanTails, y, far)
		if n >= fastWarm-fastBegin {
			t.learn(&meanTails, y, far, float32(weight))
		}
		c.mean, c.count = t.mean, t.count
	}
	follow(&c.usual, phi, part)
	c.cut = float32(meanTails.follow(float64(c.cut), n, phi, float64(c.usual), weight))
	return u
}

func (c *crest) fields(k *codec) {
	k.f32s(&c.cut, &c.usual, &c.mean, &c.count)
	k.atLeast("mean excess", float64(min(c.mean, c.count)), 0)
}

// learn moves what is usual. One value cannot move it by more than clipDeviation spreads.
func (f *fast) learn(x, innovation, z, before, dt, interval, weight float64) {
	n := float64(f.n)
	w := weight * max(gain(dt, max(locationTime, locationSamples*interval)), 1/(n+1))
	v := weight * max(gain(dt, max(spreadTime, spreadSamples*interval)), 3/(n+3)) // the first ones are soon forgotten
	e := x - f.location
	if f.n > fastWarm/10 {
		e, innovation = clip(e, f.spread, clipDeviation), clip(innovation, f.jump, pageClip)
	}
	was := f.lag
	follow(&f.lag, e+float64(was), w)
	f.location += w*(e+float64(was)) + float64(f.lag-was)
	follow(&f.spread, math.Abs(e), v)
	follow(&f.jump, innovation, v)
	follow(&f.product, z*before, v)
	follow(&f.square, z*z, v)
}

// clip keeps v within some times of what is usual, once anything is.
func clip(v float64, usual float32, times float64) float64 {
	if usual <= 0 {
		return v
	}
	limit := times * float64(usual)
	return min(max(v, -limit), limit)
}

func (f *fast) fields(c *codec) {
	c.f64(&f.location)
	c.f32s(&f.lag, &f.spread, &f.jump, &f.product, &f.square, &f.short, &f.long, &f.noise, &f.quantum)
	c.half(&f.newest)
	c.u32(&f.n)
	for i := range f.edges {
		f.edges[i].fields(c)
	}
	for i := range f.means {
		f.means[i].fields(c)
	}
	f.loud.fields(c)
	f.calm.fields(c)
	for i := range f.parts {
		c.half(&f.parts[i])
	}
	c.atLeast("spread", float64(min(f.spread, f.jump, f.square, f.noise, f.quantum)), 0)
}
