package sketch

import (
	"fmt"
	"math"
	"unsafe"
)

// Limits and defaults of every sketch.
const (
	ExactLimit = 8       // up to this many values are kept as they are
	MaxBins    = 1024    // most occupied buckets, the zero bucket included; one more lowers the scale
	MaxCount   = 1 << 53 // most values in one sketch: beyond, float64 and JSON readers lose units

	MinScale     = -4 // the coarsest and the finest scale: Prometheus native schemas
	MaxScale     = 8
	DefaultScale = 6 // alpha = 0.5415 %

	DefaultZeroWidth = 1e-6

	// keptBins bounds the memory that Reset keeps for the next use.
	keptBins = 256
)

// A Config chooses the resolution of a sketch. Its zero value is a valid choice (scale 0, only zeros are zero) but
// rarely the wanted one: start from DefaultConfig.
type Config struct {
	// Scale sets the relative error: Accuracy(Scale). MinScale to MaxScale.
	Scale int

	// ZeroWidth is the greatest |x| that counts as zero, in units of the values. Finite and not negative. With 0, zeros
	// and subnormal numbers count as zero. A wide one loses small values; a narrow one spends buckets on noise.
	ZeroWidth float64
}

// DefaultConfig returns what a zero Sketch uses.
func DefaultConfig() Config {
	return Config{Scale: DefaultScale, ZeroWidth: DefaultZeroWidth}
}

// Validate reports what is wrong with c.
func (c Config) Validate() error {
	if c.Scale < MinScale || c.Scale > MaxScale {
		return fmt.Errorf("sketch scale %d: choose one from %d to %d", c.Scale, MinScale, MaxScale)
	}
	if !(c.ZeroWidth >= 0 && c.ZeroWidth <= math.MaxFloat64) {
		return fmt.Errorf("sketch zero width %v: choose a finite one of at least 0", c.ZeroWidth)
	}
	return nil
}

// A Sketch summarizes a multiset of numbers; see the package documentation. The zero Sketch is empty and ready: it takes
// DefaultConfig at its first value, or the configuration of the first sketch merged into it.
//
// A copy made by assignment shares memory with its original: use CopyFrom.
//
// It is in one of two forms. Exact: bins is empty, values[:count] are the values. Buckets: bins hold count values, and
// sum, least and greatest describe them.
type Sketch struct {
	count    uint64              // at most MaxCount
	values   [ExactLimit]float64 // exact form: ascending; no -0
	sum      float64             // buckets: finite
	least    float64             // buckets: the exact minimum, no -0
	greatest float64             // buckets: the exact maximum, no -0

	zeroWidth float64
	bins      bins
	drop      uint8 // MaxScale - scale
	chosen    bool  // zeroWidth and drop are set; a zero Sketch has not chosen yet and is empty
}

// New returns an empty sketch of a chosen resolution.
func New(c Config) (*Sketch, error) {
	s := new(Sketch)
	if err := s.Configure(c); err != nil {
		return nil, err
	}
	return s, nil
}

// Configure chooses the resolution of an empty sketch, as one taken back from a free list after Reset.
func (s *Sketch) Configure(c Config) error {
	if s.count > 0 {
		return fmt.Errorf("configure a sketch of %d values: reset it first", s.count)
	}
	if err := c.Validate(); err != nil {
		return err
	}
	s.choose(c)
	return nil
}

func (s *Sketch) choose(c Config) {
	s.drop = uint8(MaxScale - c.Scale)
	s.zeroWidth = c.ZeroWidth + 0 // not -0
	s.chosen = true
}

// settle makes a zero Sketch choose the defaults.
func (s *Sketch) settle() {
	if !s.chosen {
		s.choose(DefaultConfig())
	}
}

// Reset makes s a zero Sketch again: empty, nothing chosen. It keeps the memory of up to 256 buckets for the next use.
func (s *Sketch) Reset() {
	kept := s.bins
	kept.clear(keptBins)
	*s = Sketch{bins: kept}
}

// CopyFrom makes s equal to o, using the memory that s has. Nothing is shared.
func (s *Sketch) CopyFrom(o *Sketch) {
	if s == o {
		return
	}
	kept := s.bins
	kept.copyFrom(&o.bins)
	*s = *o
	s.bins = kept
}

// Count returns the number of values, exactly.
func (s *Sketch) Count() uint64 { return s.count }

// Exact reports whether s still holds the values themselves. An empty sketch does.
func (s *Sketch) Exact() bool { return len(s.bins.keys) == 0 }

// Bins returns the number of occupied buckets, the zero bucket included: 0 while s is exact, then 1 to MaxBins.
func (s *Sketch) Bins() int { return len(s.bins.keys) }

// Config returns the resolution in force. The scale may be coarser than the configured one; see Downscale.
func (s *Sketch) Config() Config {
	if !s.chosen {
		return DefaultConfig()
	}
	return Config{Scale: MaxScale - int(s.drop), ZeroWidth: s.zeroWidth}
}

// Scale returns the scale in force. Accuracy(s.Scale()) is the relative error of quantiles once s is not exact.
func (s *Sketch) Scale() int { return s.Config().Scale }

// Sum returns the sum of the values, 0 if there are none. It is finite: a sum that leaves the range of float64 stays at
// its end.
func (s *Sketch) Sum() float64 {
	if !s.Exact() {
		return s.sum
	}
	sum := 0.0
	for _, v := range s.values[:s.count] {
		sum = plus(sum, v)
	}
	return sum
}

// Min returns the least value, exactly, or NaN if there is none.
func (s *Sketch) Min() float64 {
	switch {
	case s.count == 0:
		return math.NaN()
	case s.Exact():
		return s.values[0]
	default:
		return s.least
	}
}

// Max returns the greatest value, exactly, or NaN if there is none.
func (s *Sketch) Max() float64 {
	switch {
	case s.count == 0:
		return math.NaN()
	case s.Exact():
		return s.values[s.count-1]
	default:
		return s.greatest
	}
}

// MemoryBytes returns the bytes that s holds, its own struct and spare capacity included.
func (s *Sketch) MemoryBytes() int {
	const perBin, perHigh = 8, 16 // two arrays; a map entry with its share of empty ones
	return int(unsafe.Sizeof(*s)) + perBin*cap(s.bins.keys) + perHigh*len(s.bins.highs)
}

// plus adds and keeps the result finite.
func plus(a, b float64) float64 {
	sum := a + b
	if sum-sum != 0 {
		return math.Copysign(math.MaxFloat64, sum)
	}
	return sum
}
