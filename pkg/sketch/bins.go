package sketch

import (
	"iter"
	"maps"
	"math"
)

// bins counts values per key. It keeps occupied buckets only: eight bytes each, in two arrays so that a search touches
// nothing but keys.
type bins struct {
	keys []int32  // strictly ascending, at most MaxBins
	lows []uint32 // lows[i] is the lower half of the count of keys[i]; same length and capacity as keys

	highs map[int32]uint32 // the upper half of a count, by key; only counts above 2^32-1 are here, so nil as a rule

	last int32 // where the last value went; any number: it is checked before it is believed
}

// at returns the count of bin i.
func (b *bins) at(i int) uint64 {
	n := uint64(b.lows[i])
	if b.highs != nil {
		n += uint64(b.highs[b.keys[i]]) << 32
	}
	return n
}

// set makes n the count of bin i.
func (b *bins) set(i int, n uint64) {
	b.lows[i] = uint32(n)
	if high := uint32(n >> 32); high != 0 {
		if b.highs == nil {
			b.highs = make(map[int32]uint32)
		}
		b.highs[b.keys[i]] = high
	}
}

// add counts n more values for key. It refuses, and changes nothing, if that takes one bin more than MaxBins.
func (b *bins) add(key int32, n uint64) bool {
	i := int(b.last)
	if uint(i) >= uint(len(b.keys)) || b.keys[i] != key {
		i = b.search(key)
		if i == len(b.keys) || b.keys[i] != key {
			return b.insert(i, key, n)
		}
		b.last = int32(i)
	}
	if sum := uint64(b.lows[i]) + n; sum <= math.MaxUint32 {
		b.lows[i] = uint32(sum)
		return true
	}
	b.set(i, b.at(i)+n)
	return true
}

// search returns the first place whose key is not below key. Keys ascend by at least one, so the first and the last one
// bound the place, and tell it where no bucket between them is empty. What is left is halved without a branch that
// depends on keys: for values in random order the processor's wrong guesses would cost more than the search.
func (b *bins) search(key int32) int {
	n := len(b.keys)
	if n == 0 {
		return 0
	}
	low := min(max(0, n-1-int(b.keys[n-1]-key)), n)
	high := max(low, min(n, int(key-b.keys[0])))
	for n = high - low; n > 0; {
		half := (n + 1) >> 1
		below := (b.keys[low+half-1] - key) >> 31 // all ones if that key is below, else 0
		low += half & int(below)
		n -= half
	}
	return low
}

func (b *bins) insert(i int, key int32, n uint64) bool {
	if len(b.keys) == MaxBins {
		return false
	}
	b.extend(1)
	copy(b.keys[i+1:], b.keys[i:])
	copy(b.lows[i+1:], b.lows[i:])
	b.keys[i] = key
	b.set(i, n)
	b.last = int32(i)
	return true
}

// extend lengthens both arrays by n bins of any content.
func (b *bins) extend(n int) {
	n += len(b.keys)
	if n > cap(b.keys) {
		c := roomFor(n)
		b.keys = append(make([]int32, 0, c), b.keys...)
		b.lows = append(make([]uint32, 0, c), b.lows...)
	}
	b.keys, b.lows = b.keys[:n], b.lows[:n]
}

// roomFor returns the capacity to allocate for n bins: eight more up to 128, then an eighth more. Growing is rare, as
// arrays are used again; memory of thousands of open windows is what counts.
func roomFor(n int) int {
	step := max(8, n>>3&^7)
	return min((n+step-1)/step*step, MaxBins)
}

// clear empties b and keeps its arrays, unless they hold more than limit bins.
func (b *bins) clear(limit int) {
	if cap(b.keys) > limit {
		*b = bins{}
		return
	}
	b.keys, b.lows, b.highs = b.keys[:0], b.lows[:0], nil
}

func (b *bins) copyFrom(o *bins) {
	b.clear(MaxBins)
	b.extend(len(o.keys))
	copy(b.keys, o.keys)
	copy(b.lows, o.lows)
	b.highs = maps.Clone(o.highs)
}

// A regrouping moves bins to coarser ones: first everything near zero to zero, then bucket pairs together. It keeps the
// order of keys.
type regrouping struct {
	zero int32 // magnitudes below this become the zero bucket
	drop uint8 // steps down in scale
}

func (r regrouping) of(key int32) int32 {
	if -r.zero < key && key < r.zero {
		return 0
	}
	return coarser(key, r.drop)
}

// regroup applies r to b in place.
func (b *bins) regroup(r regrouping) {
	old := *b
	b.highs = nil
	w := -1 // the bin written last; never beyond the one being read
	for i := range old.keys {
		key, n := r.of(old.keys[i]), old.at(i)
		if w >= 0 && b.keys[w] == key {
			n += b.at(w)
		} else {
			w++
			b.keys[w] = key
		}
		b.set(w, n)
	}
	b.keys, b.lows = b.keys[:w+1], b.lows[:w+1]
}

// union returns how many bins b and o, regrouped by r, have together.
func (b *bins) union(o *bins, r regrouping) int {
	n, i := len(b.keys), 0
	for j := 0; j < len(o.keys); n++ {
		key := r.of(o.keys[j])
		j = o.skip(j, r)
		for i < len(b.keys) && b.keys[i] < key {
			i++
		}
		if i < len(b.keys) && b.keys[i] == key {
			n--
		}
	}
	return n
}

// skip returns the first bin after j that r does not put together with j.
func (b *bins) skip(j int, r regrouping) int {
	key := r.of(b.keys[j])
	for j++; j < len(b.keys) && r.of(b.keys[j]) == key; j++ {
	}
	return j
}

// merge adds the bins of o, regrouped by r, to those of b, which gives union bins. It works from the greatest key down,
// so that b's own bins move up within b's arrays; o may be b itself.
func (b *bins) merge(o *bins, r regrouping, union int) {
	i, j := len(b.keys)-1, len(o.keys)-1
	b.extend(union - len(b.keys))
	for w := len(b.keys) - 1; j >= 0; w-- {
		key := r.of(o.keys[j])
		if i >= 0 && b.keys[i] > key {
			b.keys[w], b.lows[w] = b.keys[i], b.lows[i] // its upper half goes by key and stays
			i--
			continue
		}
		n := uint64(0)
		for ; j >= 0 && r.of(o.keys[j]) == key; j-- {
			n += o.at(j)
		}
		if i >= 0 && b.keys[i] == key {
			n += b.at(i)
			i--
		}
		b.keys[w] = key
		b.set(w, n)
	}
}

// positive yields magnitude and count of each bin above zero, from zero outward.
func (b *bins) positive() iter.Seq2[int32, uint64] {
	return func(yield func(int32, uint64) bool) {
		for i := b.search(1); i < len(b.keys) && yield(b.keys[i], b.at(i)); i++ {
		}
	}
}

// negative yields magnitude and count of each bin below zero, from zero outward.
func (b *bins) negative() iter.Seq2[int32, uint64] {
	return func(yield func(int32, uint64) bool) {
		for i := b.search(0) - 1; i >= 0 && yield(-b.keys[i], b.at(i)); i-- {
		}
	}
}

// zeros returns the count of the zero bucket.
func (b *bins) zeros() uint64 {
	if i := b.search(0); i < len(b.keys) && b.keys[i] == 0 {
		return b.at(i)
	}
	return 0
}
