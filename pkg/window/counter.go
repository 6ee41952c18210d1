package window

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// Counter adds up the increase of a counter that may reset: readings like 5, 7, 2, 4 of a device that restarted after 7
// mean an increase of 2 + 2 + 2. It is a part of the accumulator of a counter view, whose Spec has Carry set; the zero
// value is empty. Values must be finite.
//
// The increase of a window is the sum of the steps that end in it, over the samples in order of event time (of identity
// where times are equal): the step from the sample before is the difference, or the whole value where it falls, because
// then the counter has begun again at zero. The step into the first sample starts from the last sample before the
// window, whenever that was; the first sample of all has no step. Steps are never stored: a Counter keeps samples in
// order and works out the steps when it is asked, with the slice before as an argument. Hence the order of arrival
// cannot matter, a late sample changes exactly the steps beside it, and the increases of consecutive windows add up to
// the increase of the whole.
//
// What is kept is bounded. A sample between two others in value adds nothing to the increase, so beyond thinFrom samples
// those are dropped whose neighbors are behind the watermark too. That is exact for every sample that comes ahead of
// the watermark, in any order, and for a later one too unless it shows a reset that was hidden between kept samples.
// A slice with more than foldFrom resets keeps the newer half of its samples, and of the older half only the increase.
type Counter struct {
	samples []sample // ascending; see before
}

// sample is one reading of the counter.
type sample struct {
	at    int64
	value float64
	id    uint64  // identity of the record, which orders samples of the same time
	extra float64 // increase since the sample before, beyond the plain step: that of samples folded away
}

const (
	thinFrom = 256  // samples; thinning is tried at multiples of it
	foldFrom = 1024 // samples that a slice never exceeds
)

// Reset makes c empty and keeps its memory.
func (c *Counter) Reset() { c.samples = c.samples[:0] }

// Add takes the value read at an event time. id is the identity of the record. watermark is the device's data
// watermark: samples before it are rarely still to come.
func (c *Counter) Add(at int64, value float64, id uint64, watermark int64) {
	s := sample{at: at, value: value, id: id}
	i := len(c.samples)
	for i > 0 && s.order(c.samples[i-1]) < 0 {
		i--
	}
	c.samples = slices.Insert(c.samples, i, s)
	if len(c.samples)%thinFrom == 0 {
		c.shrink(watermark)
	}
}

// Merge takes in the samples of another slice of the same series.
func (c *Counter) Merge(from *Counter) {
	sorted := len(c.samples) == 0 || len(from.samples) == 0 ||
		c.samples[len(c.samples)-1].order(from.samples[0]) <= 0
	c.samples = append(c.samples, from.samples...)
	if !sorted {
		slices.SortFunc(c.samples, sample.order)
	}
}

// Increase is what the counter went up by in this window, and how often it was seen to reset. before is the slice before the
// window (Revision.Before); nil or empty if nothing is known before the first sample, which then has no step.
func (c *Counter) Increase(before *Counter) (total float64, resets int) {
	if len(c.samples) == 0 {
		return 0, 0
	}
	last, known := before.last()
	if !known {
		last = c.samples[0]
	}
	// Only the ends of rising runs are added up, so the sum does not depend on what was dropped in between.
	base := last.value
	for _, s := range c.samples {
		if s.value < last.value {
			total += last.value - base
			base = 0
			resets++
		}
		total += s.extra
		last = s
	}
	return total + (last.value - base), resets
}

// Last is the newest sample's time and value, false if there is none.
func (c *Counter) Last() (at int64, value float64, ok bool) {
	s, ok := c.last()
	return s.at, s.value, ok
}

func (c *Counter) last() (sample, bool) {
	if c == nil || len(c.samples) == 0 {
		return sample{}, false
	}
	return c.samples[len(c.samples)-1], true
}

// order compares by time, then identity; then by value, so that even samples that should not exist have one order.
func (s sample) order(t sample) int {
	return cmp.Or(cmp.Compare(s.at, t.at), cmp.Compare(s.id, t.id), cmp.Compare(s.value, t.value))
}

// step is what the counter went up by from a to b, without what was folded away.
func step(a, b sample) float64 {
	if b.value < a.value {
		return b.value
	}
	return b.value - a.value
}

// shrink drops samples that add nothing, and when there are too many all the same, folds the older half.
func (c *Counter) shrink(watermark int64) {
	c.thin(watermark)
	if len(c.samples) < foldFrom {
		return
	}
	c.thin(forever)
	if len(c.samples) >= foldFrom/2 {
		c.fold(len(c.samples) / 2)
	}
}

// thin drops the samples that lie between their neighbors in value, where nothing more is expected up to the neighbor
// after.
func (c *Counter) thin(watermark int64) {
	all := c.samples
	kept := all[:min(1, len(all))]
	for i := 1; i < len(all); i++ {
		s, before := all[i], kept[len(kept)-1]
		if i+1 < len(all) && all[i+1].at < watermark && redundant(before, s, all[i+1]) {
			continue
		}
		kept = append(kept, s)
	}
	c.samples = kept
}

// redundant reports whether s adds nothing between its neighbors.
func redundant(before, s, after sample) bool {
	return before.value <= s.value && s.value <= after.value && s.extra == 0
}

// fold drops the samples between the first one and the one at index to, which takes over their increase.
func (c *Counter) fold(to int) {
	first, pivot := c.samples[0], &c.samples[to]
	total := 0.0
	for i := 1; i <= to; i++ {
		total += step(c.samples[i-1], c.samples[i]) + c.samples[i].extra
	}
	pivot.extra = total - step(first, *pivot)
	c.samples = slices.Delete(c.samples, 1, to)
}

// AppendBinary appends the samples to b: their number as uvarint, then of each the time less the one before (varint),
// identity (uvarint), value and extra (float bits reversed, uvarint). The accumulator that holds the Counter has the
// version byte.
func (c *Counter) AppendBinary(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.samples)))
	last := int64(0)
	for _, s := range c.samples {
		b = binary.AppendVarint(b, s.at-last)
		b = binary.AppendUvarint(b, s.id)
		b = appendFloat(b, s.value)
		b = appendFloat(b, s.extra)
		last = s.at
	}
	return b
}

// Decode replaces c with what AppendBinary wrote at the front of b, and returns the bytes after it. On an error c is
// empty.
func (c *Counter) Decode(b []byte) (rest []byte, err error) {
	c.Reset()
	r := newReader(b)
	last := sample{}
	for i := range r.count("samples", 4) {
		s := sample{at: last.at + r.varint("time"), id: r.uvarint("identity"), value: r.float("value"), extra: r.float("extra")}
		if r.err == nil && i > 0 && s.order(last) < 0 {
			r.fail("sample %d is out of order", i)
		}
		if r.err != nil {
			c.Reset()
			return nil, fmt.Errorf("decode counter: %w", r.err)
		}
		c.samples = append(c.samples, s)
		last = s
	}
	if r.err != nil {
		return nil, fmt.Errorf("decode counter: %w", r.err)
	}
	return r.rest, nil
}
