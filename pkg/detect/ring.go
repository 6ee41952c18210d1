package detect

import "sort"

// A ring holds the newest values of a series, in their order of arrival and sorted.
type ring struct {
	values []float64 // by arrival; values[at] is the oldest once the ring is full
	sorted []float64
	at     int
}

func newRing(size int) ring {
	return ring{values: make([]float64, 0, size), sorted: make([]float64, 0, size)}
}

func (r *ring) full() bool { return len(r.values) == cap(r.values) }

// add puts x in the place of the oldest value.
func (r *ring) add(x float64) {
	if !r.full() {
		r.values = append(r.values, x)
		r.insert(x)
		return
	}
	old := sort.SearchFloat64s(r.sorted, r.values[r.at])
	r.sorted = append(r.sorted[:old], r.sorted[old+1:]...)
	r.values[r.at] = x
	r.at = (r.at + 1) % len(r.values)
	r.insert(x)
}

func (r *ring) insert(x float64) {
	i := sort.SearchFloat64s(r.sorted, x)
	r.sorted = append(r.sorted, 0)
	copy(r.sorted[i+1:], r.sorted[i:])
	r.sorted[i] = x
}

// quantile of what is in the ring, by the nearest rank below; q from 0 to 1.
func (r *ring) quantile(q float64) float64 {
	return r.sorted[int(q*float64(len(r.sorted)-1))]
}

func (r *ring) fields(c *codec) {
	n, at := uint32(len(r.values)), uint32(r.at)
	c.u32(&n)
	c.u32(&at)
	c.within("values in the ring", uint64(n), uint64(cap(r.values))+1)
	c.within("place in the ring", uint64(at), uint64(cap(r.values)))
	if at != 0 && int(n) < cap(r.values) {
		c.fail("place %d in a ring of %d values that is not full", at, n)
	}
	if c.err != nil {
		return
	}
	if c.reading {
		r.at, r.values = int(at), r.values[:n]
	}
	for i := range r.values {
		c.f64(&r.values[i])
	}
	if c.reading {
		r.sorted = append(r.sorted[:0], r.values...)
		sort.Float64s(r.sorted)
	}
}
