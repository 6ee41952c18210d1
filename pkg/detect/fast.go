package detect

import "math"

// The fast band looks at each sample, where they come faster than the blocks of the slow band: spikes, jumps, steps,
// noise that grows or fades. What it watches is relative to a location and a spread of the last half hour or so.
const (
	locationTime    = 600 // s, or at least locationSamples
	locationSamples = 200
	spreadTime      = 6 * 3600 // s, or at least spreadSamples; also of the usual difference
	spreadSamples   = 600

	shortSamples  = 5 // time constants of the short and the long mean and of the activity, in intervals
	longSamples   = 20
	noisySamples  = 60
	roughSamples  = 120
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
	fastNoisy
	fastRough
	fastCalm
	fastFeatures
)

var fastNames = [fastFeatures]string{"value", "value", "jump", "mean of 5", "mean of 20", "noise", "noise of 120", "noise of 120"}

// fastWeights are how many independent values one of each feature stands for: what is smoothed repeats itself.
var fastWeights = [fastFeatures]float64{1, 1, 1, 0.3, 0.1, 0.05, 0.025, 0.025}

// fastLeasts are how far a cut lies beyond the mean at least, in means: what few values say of it may be too little.
var fastLeasts = [fastFeatures]float32{0, 0, 0, 0.5, 0.5, 0.1, 0.06, 0.06}

// fastWarms are the samples before a feature surprises anybody.
var fastWarms = [fastFeatures]uint32{fastWarm, fastWarm, fastWarm, fastWarm, fastWarm, 2 * fastWarm, 4 * fastWarm, 4 * fastWarm}

// Tails of single values may be heavy. Those of means of clipped values are not.
var (
	rawTails  = tailSpec{share: 0.01, memory: 1000, least: -0.05, most: 0.6, prior: 0.1, priorWeight: 20, doubt: 1, meanWeight: 5, floor: 0.01, clip: 20}
	meanTails = tailSpec{share: 0.01, memory: 1000, floor: 0.01, meanWeight: 30, clip: 5}
)

// A fastFeature is one number, at least 0, in units of what is usual, with its tail.
type fastFeature struct {
	cut   float32
	usual float32 // its mean
}

// beyond judges phi against a tail, which then learns it as so many independent values: phi and up to step more. The
// cut lies least beyond the middle.
func (f *fastFeature) beyond(t *tail, s *tailSpec, middle, least float32, phi, step, weight float64) (u float64) {
	far := float64(max(f.cut-middle, least, 1e-9))
	cut := float64(middle) + far
	u = t.surprise(s, phi-cut, far)
	if y := phi + step - cut; y > 0 {
		t.learn(s, y, far, float32(weight))
	}
	return u
}

// learn moves mean and cut by the nth value.
func (f *fastFeature) learn(s *tailSpec, n uint32, phi, weight, independent float64) {
	f.usual += float32(weight * (phi - float64(f.usual)) / min(float64(n)+1, slowMemory))
	f.cut = float32(s.follow(float64(f.cut), n, phi, float64(f.usual), weight*independent))
}

// fast is the fast band of one series.
type fast struct {
	location float64
	spread   float32 // mean absolute deviation, of clipped values
	jump     float32 // mean absolute difference, clipped
	short    float32 // means of clipped deviations, in spreads
	long     float32
	noise    float32 // mean of clipped absolute differences, in jumps
	rough    float32 // the same over longer
	quantum  float32 // smallest difference that is none, 0 while there was none
	newest   float32 // absolute difference, for the explanation
	n        uint32
	features [fastFeatures]fastFeature
	raw      [fastShort]tail                // of the features before fastShort
	means    [fastFeatures - fastShort]thin // of the others
	parts    [fastFeatures]half             // of the newest score
}

// A thin is a tail without a shape of its own.
type thin struct{ mean, count float32 }

// update judges x, dt seconds after the value previous; interval is the usual dt.
func (f *fast) update(x, previous, dt, interval, weight float64) (score float64) {
	if f.n == 0 {
		previous, f.location, f.noise, f.rough = x, x, 1, 1
	}
	difference := math.Abs(x - previous)
	f.newest = float32(difference)
	f.quantize(difference)
	dt = min(dt, 3*interval)
	z, j := ratio(x-f.location, f.spread), ratio(difference, f.jump)
	clipped := min(max(z, -clipDeviation), clipDeviation)
	rough := math.Exp(-dt / (roughSamples * interval)) // the others are powers of it
	noisy := rough * rough
	long := noisy * noisy * noisy
	short := long * long * long * long
	follow(&f.short, clipped, 1-short)
	follow(&f.long, clipped, 1-long)
	follow(&f.noise, min(j, clipDeviation), 1-noisy)
	follow(&f.rough, min(j, clipDeviation), 1-rough)
	score = f.judge([fastFeatures]float64{
		max(z, 0), max(-z, 0), j, math.Abs(float64(f.short)), math.Abs(float64(f.long)),
		float64(f.noise), float64(f.rough), 1 / (float64(f.rough) + 0.01),
	}, weight)
	f.learn(x, difference, dt, interval, weight)
	f.n += min(1, math.MaxUint32-f.n)
	return score
}

// follow moves an average by a part of the way to x.
func follow(average *float32, x, part float64) {
	*average += float32(part * (x - float64(*average)))
}

// ratio is v in units of what is usual, 0 while nothing is.
func ratio(v float64, usual float32) float64 {
	if usual <= 0 {
		return 0
	}
	return min(max(v/float64(usual), -1e9), 1e9)
}

// quantize looks for the step of a coarse sensor. It slowly forgets a step that does not come again.
func (f *fast) quantize(difference float64) {
	f.quantum = float32(min(float64(f.quantum)*1.00001, greatestValue))
	if difference > 1e-9*float64(f.spread) && (difference < float64(f.quantum) || f.quantum == 0) {
		f.quantum = float32(difference)
	}
}

// judge is the greatest surprise and a quarter of the others.
func (f *fast) judge(phi [fastFeatures]float64, weight float64) (score float64) {
	var most, sum float64
	step := (dither(f.n) - 0.5) * float64(f.quantum)
	steps := [fastShort]float64{ratio(step, f.spread), ratio(step, f.spread), ratio(step, f.jump)}
	for i := range f.features {
		x, u := &f.features[i], 0.0
		spec, blur := &meanTails, 0.0
		if i < fastShort {
			if spec = &rawTails; phi[i] > 0 {
				blur = steps[i]
			}
		}
		if f.n > fastWarms[i] {
			u = f.surprise(i, phi[i], blur, weight*fastWeights[i])
		}
		if f.n >= fastBegin {
			x.learn(spec, f.n-fastBegin, phi[i]+blur, weight, fastWeights[i])
		}
		f.parts[i] = halfOf(u)
		most = max(most, u)
		sum += u
	}
	return most + 0.25*(sum-most)
}

// surprise judges feature i with its tail.
func (f *fast) surprise(i int, phi, step, weight float64) (u float64) {
	x := &f.features[i]
	if i < fastShort {
		return x.beyond(&f.raw[i], &rawTails, 0, 0, phi, step, weight)
	}
	m := &f.means[i-fastShort]
	t := tail{mean: m.mean, count: m.count}
	u = x.beyond(&t, &meanTails, x.usual, x.usual*fastLeasts[i], phi, step, weight)
	m.mean, m.count = t.mean, t.count
	return u
}

// learn moves what is usual. One value cannot move it by more than clipDeviation spreads.
func (f *fast) learn(x, difference, dt, interval, weight float64) {
	begin := 1 / (float64(f.n) + 1)
	w := weight * max(gain(dt, max(locationTime, locationSamples*interval)), begin)
	v := weight * max(gain(dt, max(spreadTime, spreadSamples*interval)), begin)
	e := x - f.location
	if f.n > fastWarm/10 {
		e, difference = clip(e, f.spread), clip(difference, f.jump)
	}
	f.location += w * e
	follow(&f.spread, math.Abs(e), v)
	follow(&f.jump, difference, v)
}

// clip keeps v within clipDeviation times of what is usual, once anything is.
func clip(v float64, usual float32) float64 {
	if usual <= 0 {
		return v
	}
	limit := clipDeviation * float64(usual)
	return min(max(v, -limit), limit)
}

func (f *fast) fields(c *codec) {
	c.f64(&f.location)
	c.f32s(&f.spread, &f.jump, &f.short, &f.long, &f.noise, &f.rough, &f.quantum, &f.newest)
	c.u32(&f.n)
	for i := range f.features {
		c.f32s(&f.features[i].cut, &f.features[i].usual)
		c.half(&f.parts[i])
	}
	for i := range f.raw {
		f.raw[i].fields(c)
	}
	for i := range f.means {
		c.f32s(&f.means[i].mean, &f.means[i].count)
		c.atLeast("mean excess", float64(min(f.means[i].mean, f.means[i].count)), 0)
	}
	c.atLeast("spread", float64(min(f.spread, f.jump, f.noise, f.rough, f.quantum)), 0)
}
