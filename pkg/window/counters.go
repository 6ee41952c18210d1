package window

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
)

// Counters are the counters of several series that share a window, each by a number that names its series. The zero
// value is empty. What holds of one [Counter] holds of each: the increases of consecutive windows add up to that of the
// whole, series by series, whatever the series have to do with each other.
type Counters struct {
	series []uint64   // ascending
	counts []*Counter // of each; none is empty
}

// Reset makes c empty.
func (c *Counters) Reset() {
	clear(c.counts)
	c.series, c.counts = c.series[:0], c.counts[:0]
}

// Of is the counter of a series, made where there is none. The caller adds to it.
func (c *Counters) Of(series uint64) *Counter {
	i, there := slices.BinarySearch(c.series, series)
	if !there {
		c.series = slices.Insert(c.series, i, series)
		c.counts = slices.Insert(c.counts, i, new(Counter))
	}
	return c.counts[i]
}

// Has reports whether there are samples of a series. c may be nil.
func (c *Counters) Has(series uint64) bool { return c.of(series) != nil }

// of is the counter of a series, nil if there is none.
func (c *Counters) of(series uint64) *Counter {
	if c == nil {
		return nil
	}
	if i, there := slices.BinarySearch(c.series, series); there {
		return c.counts[i]
	}
	return nil
}

// Merge takes in the samples of another slice.
func (c *Counters) Merge(from *Counters) {
	for i, series := range from.series {
		c.Of(series).Merge(from.counts[i])
	}
}

// Succeed makes c, which is what came before a slice, what comes before the next one: the newest sample of each series.
func (c *Counters) Succeed(from *Counters) {
	for i, series := range from.series {
		newest, _ := from.counts[i].last()
		newest.extra = 0
		to := c.Of(series)
		to.samples = append(to.samples[:0], newest)
	}
}

// Increases yields what each series went up by in this window, in the order of their numbers. before is what came before
// the window; nil if nothing is known. A series of which nothing is known before has no step into its first sample.
func (c *Counters) Increases(before *Counters) iter.Seq2[uint64, float64] {
	return func(yield func(uint64, float64) bool) {
		for i, series := range c.series {
			if total, _ := c.counts[i].Increase(before.of(series)); !yield(series, total) {
				return
			}
		}
	}
}

// AppendBinary appends to b how many series there are, as uvarint, then of each its number less the one before (uvarint)
// and its counter. What holds the Counters has the version byte.
func (c *Counters) AppendBinary(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.series)))
	last := uint64(0)
	for i, series := range c.series {
		b = binary.AppendUvarint(b, series-last)
		b = c.counts[i].AppendBinary(b)
		last = series
	}
	return b
}

// Decode replaces c with what AppendBinary wrote at the front of b, and returns the bytes after it. On an error c is
// empty.
func (c *Counters) Decode(b []byte) (rest []byte, err error) {
	c.Reset()
	r := newReader(b)
	series := uint64(0)
	for i := range r.count("series", 6) {
		step := r.uvarint("series")
		if series += step; i > 0 && (step == 0 || series < step) {
			r.fail("series %d is out of order", i)
		}
		one := new(Counter)
		r.take("counter", one.Decode)
		if r.err == nil && len(one.samples) == 0 {
			r.fail("series %d is empty", i)
		}
		if r.err != nil {
			c.Reset()
			return nil, fmt.Errorf("decode counters: %w", r.err)
		}
		c.series, c.counts = append(c.series, series), append(c.counts, one)
	}
	if r.err != nil {
		return nil, fmt.Errorf("decode counters: %w", r.err)
	}
	return r.rest, nil
}
