package detect

import (
	"fmt"
	"math"
)

// MaxChannels is how many channels a Joint watches at most.
const MaxChannels = 16

// A VectorSample is one value of each channel of a device, taken at the same time.
type VectorSample struct {
	Time         int64     // event time, Unix nanoseconds
	Values       []float64 // one of each channel, in the order of NewJoint; NaN where there is none
	Completeness float64   // as in Sample
	ClockError   int64     // as in Sample
}

// A Joint watches up to 16 channels of one device together: it finds what no channel shows alone, such as a pressure
// that is normal by itself and not with this flow. Its statistics are Hotelling's T², how unusual a vector is among the
// directions in which the channels usually vary, and Q, how far it lies off them (Jackson and Mudholkar, 1979). What is
// usual follows the series over a day. The last stage is that of every detector: an alert budget and episodes.
//
// Its state is at most 4.5 KB. Update allocates nothing; once in a hundred samples it takes some 50 µs for 16 channels.
type Joint struct {
	budget   budgeted
	names    []string
	n        uint32 // samples learned
	refused  Refused
	mean     [MaxChannels]float64
	variance [MaxChannels]float64              // about the mean
	cov      [MaxChannels][MaxChannels]float64 // of clipped standard values; only the lower half is kept
	vectors  [MaxChannels][MaxChannels]float64 // columns are the directions, greatest variance first
	values   [MaxChannels]float64              // variances along them
	kept     uint8                             // directions that T² looks at, 0: not fitted yet
	plane    jointPart                         // T²
	off      jointPart                         // Q
	newest   [MaxChannels]float64
	standard [MaxChannels]float64 // of newest
}

// A jointPart is one of the statistics with its tail.
type jointPart struct {
	cut   float64
	tail  tail
	usual float64
	u     float64 // newest surprise
}

const (
	jointTime  = 86400.0 // s that what is usual remembers, or at least jointLeast samples
	jointLeast = 500
	jointFit   = 100 // samples between two fits
	jointWarm  = 300 // samples before the first verdict
	jointKept  = 0.9 // share of the variance that the kept directions have
	jointClip  = 4.0 // standard deviations that one value can teach

	jointRare       = 5    // decades, from which on
	jointRareWeight = 0.25 // of a value is learned by its tail
)

// jointTails are scoreTails that doubt the shape: vectors with heavy tails raised six times the budget on their first day.
var jointTails = tailSpec{
	share: 0.01, memory: 1000, least: -0.05, most: 0.6, prior: 0.1, priorWeight: 20, doubt: 0.5, meanWeight: 5, floor: 0.01, clip: 20,
}

// NewJoint watches the named channels.
func NewJoint(channels []string, c Config) (*Joint, error) {
	if n := len(channels); n < 2 || n > MaxChannels {
		return nil, fmt.Errorf("joint detector of %d channels: use 2 to %d", n, MaxChannels)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("joint detector: %w", err)
	}
	j := &Joint{names: append([]string(nil), channels...), budget: *newBudgeted(c.full(), nil)}
	return j, nil
}

// Threshold is what Alert is compared with.
func (j *Joint) Threshold() float64 { return j.budget.threshold() }

// Refused counts the samples that were neither judged nor learned.
func (j *Joint) Refused() Refused { return j.refused }

// Update judges s by what came before it, then learns from it. Samples with less than half of the channels are refused,
// and what a Detector refuses. Values are not kept after the call.
func (j *Joint) Update(s VectorSample) Verdict {
	if !j.take(s) {
		return nothing
	}
	b := &j.budget
	dt := float64(s.Time-b.last) / second
	begun := b.begun
	b.begun, b.last = true, s.Time
	if begun {
		b.cadence.update(dt)
	}
	if b.interval == 0 {
		return nothing
	}
	if !begun {
		dt = b.interval
	}
	weight := b.weight(s.Time, b.interval)
	score := j.judge(weight)
	j.learn(min(dt, 3*b.interval), b.interval, weight)
	return b.verdict(s.Time, score, score-math.Log10(2)) // two statistics share the budget
}

// take copies what can be judged.
func (j *Joint) take(s VectorSample) bool {
	there := 0
	for i := range j.names {
		j.newest[i] = j.mean[i]
		if i < len(s.Values) && math.Abs(s.Values[i]) <= greatestValue {
			j.newest[i] = s.Values[i]
			there++
		}
	}
	switch {
	case len(s.Values) != len(j.names) || 2*there < len(j.names):
		j.refused.Value++
	case !(s.Completeness >= leastComplete) || s.ClockError > greatestClock:
		j.refused.Partial++
	case j.budget.begun && s.Time <= j.budget.last:
		j.refused.Disorder++
	default:
		return true
	}
	return false
}

// judge is the greater surprise of T² and Q.
func (j *Joint) judge(weight float64) float64 {
	j.plane.u, j.off.u = 0, 0
	for i := range j.names {
		j.standard[i] = 0
		if sigma := math.Sqrt(j.variance[i]); sigma > 0 {
			j.standard[i] = min(max((j.newest[i]-j.mean[i])/sigma, -1e6), 1e6)
		}
	}
	if j.kept == 0 || j.n < jointWarm {
		return 0
	}
	t2, q := 0.0, 0.0
	for k := range j.names {
		t := j.along(k)
		if k < int(j.kept) {
			t2 += t * t / j.values[k]
		} else {
			q += t * t
		}
	}
	j.plane.judge(math.Sqrt(t2), j.n-jointWarm, weight)
	j.off.judge(math.Sqrt(q), j.n-jointWarm, weight)
	return max(j.plane.u, j.off.u)
}

// along is the newest standard vector along direction k.
func (j *Joint) along(k int) (t float64) {
	for i := range j.names {
		t += j.vectors[i][k] * j.standard[i]
	}
	return t
}

func (p *jointPart) judge(phi float64, n uint32, weight float64) {
	y := phi - p.cut
	beyond := max(p.cut-p.usual, 1e-9)
	if n > jointWarm {
		p.u = p.tail.surprise(&jointTails, y, beyond)
		if y > 0 {
			p.tail.learn(&jointTails, y, beyond, float32(p.teaches(weight)))
		}
	}
	p.usual += weight * (phi - p.usual) / min(float64(n)+1, slowMemory)
	p.cut = jointTails.follow(p.cut, n, phi, p.usual, weight)
}

// teaches is how much of the newest value its tail learns. Where the same fault comes again and again, the tail must not
// become what it does: an alert that is open teaches weight a second time, and what is rare a part.
func (p *jointPart) teaches(weight float64) float64 {
	weight *= weight
	if p.u > jointRare {
		weight *= jointRareWeight
	}
	return weight
}

// learn moves what is usual; values beyond jointClip deviations teach no more than those.
func (j *Joint) learn(dt, interval, weight float64) {
	w := weight * max(gain(dt, max(jointTime, jointLeast*interval)), 1/(float64(j.n)+1))
	var z [MaxChannels]float64
	for i := range j.names {
		d := j.newest[i] - j.mean[i]
		if limit := jointClip * math.Sqrt(j.variance[i]); j.n > 30 && limit > 0 {
			d = min(max(d, -limit), limit)
		}
		z[i] = min(max(j.standard[i], -jointClip), jointClip)
		j.mean[i] += w * d
		j.variance[i] = (1 - w) * (j.variance[i] + w*d*d)
	}
	for i := range j.names {
		for k := range i + 1 {
			j.cov[i][k] += w * (z[i]*z[k] - j.cov[i][k])
		}
	}
	if j.n += min(1, math.MaxUint32-j.n); j.n%jointFit == 0 {
		j.fit()
	}
}

// fit finds the directions. A tenth of a percent of noise of its own keeps each channel from being exactly explained.
func (j *Joint) fit() {
	n := len(j.names)
	a := j.cov
	total := 0.0
	for i := range n {
		for k := range i {
			a[k][i] = a[i][k]
		}
		a[i][i] += 1e-3
		total += a[i][i]
	}
	eigen(&a, &j.vectors, n)
	for k := range n {
		j.values[k] = max(a[k][k], 1e-6)
	}
	j.order(n)
	sum := 0.0
	for k := range n - 1 {
		sum += j.values[k]
		j.kept = uint8(k + 1)
		if sum >= jointKept*total {
			break
		}
	}
}

// order sorts the directions by variance, greatest first.
func (j *Joint) order(n int) {
	for i := range n {
		for k := i; k > 0 && j.values[k] > j.values[k-1]; k-- {
			j.values[k], j.values[k-1] = j.values[k-1], j.values[k]
			for r := range n {
				j.vectors[r][k], j.vectors[r][k-1] = j.vectors[r][k-1], j.vectors[r][k]
			}
		}
	}
}

// Explain appends what each channel contributed to the newest verdict, greatest first. What is expected is the
// channel's mean for T², and for Q what the other channels have it be.
func (j *Joint) Explain(dst []Contribution) []Contribution {
	return ranked(dst, func(add func(Contribution, float64)) {
		if j.kept == 0 || max(j.plane.u, j.off.u) <= 0 {
			return
		}
		for i, name := range j.names {
			share, expected := j.channel(i)
			sigma := math.Sqrt(j.variance[i])
			add(Contribution{Feature: name, Observed: j.newest[i], Expected: j.mean[i] + expected*sigma, Spread: sigma}, share)
		}
	})
}

// channel is the part of channel i in the statistic that is surer, and the standard value that would be usual.
func (j *Joint) channel(i int) (share, expected float64) {
	if j.off.u > j.plane.u {
		for k := range int(j.kept) {
			expected += j.vectors[i][k] * j.along(k)
		}
		rest := j.standard[i] - expected
		return rest * rest, expected
	}
	for k := range int(j.kept) {
		share += j.standard[i] * j.vectors[i][k] * j.along(k) / j.values[k]
	}
	return share, 0
}

// AppendState appends the whole state to b, beginning with a version byte.
func (j *Joint) AppendState(b []byte) []byte {
	c := codec{b: append(b, stateVersion, jointKind, uint8(len(j.names)))}
	j.fields(&c)
	return c.b
}

// jointKind tells the state of a Joint from those of detectors.
const jointKind = 100

// RestoreState takes a state back from the beginning of b and returns the rest. The Joint stays as it was where b is no
// state of as many channels.
func (j *Joint) RestoreState(b []byte) ([]byte, error) {
	c := codec{b: b, reading: true}
	var version, kind, n uint8
	c.u8(&version)
	c.u8(&kind)
	c.u8(&n)
	if version != stateVersion || kind != jointKind || int(n) != len(j.names) {
		c.fail("version %d of kind %d with %d channels, wanted %d of %d with %d", version, kind, n, stateVersion, jointKind, len(j.names))
	}
	restored := *j
	if restored.fields(&c); c.err != nil {
		return b, c.err
	}
	*j = restored
	return c.b, nil
}

func (j *Joint) fields(c *codec) {
	n := len(j.names)
	c.u32(&j.n)
	for _, r := range []*uint32{&j.refused.Value, &j.refused.Disorder, &j.refused.Partial} {
		c.u32(r)
	}
	for i := range n {
		c.f64s(&j.mean[i], &j.variance[i], &j.values[i], &j.newest[i], &j.standard[i])
		c.atLeast("variance", j.variance[i], 0)
		for k := range n {
			c.f64(&j.vectors[i][k])
			if k <= i {
				c.f64(&j.cov[i][k])
			}
		}
	}
	c.u8(&j.kept)
	c.within("directions", uint64(j.kept), uint64(n))
	for k := range int(min(j.kept, MaxChannels)) {
		c.atLeast("variance", j.values[k], 1e-6)
	}
	for _, p := range []*jointPart{&j.plane, &j.off} {
		p.tail.fields(c)
		c.f64s(&p.cut, &p.usual, &p.u)
	}
	j.budget.common(c)
}
