package window

import "math/bits"

// digits is how many bits a round of kth looks at.
const digits = 8

// kth returns the element that would be at index k if times were sorted; it overwrites times. All of them are between
// least and most, and 0 <= k < len(times).
//
// It selects by digits from the most significant one down: each round counts how many values fall into each of 256
// equal parts of the range, and goes on with the part that holds index k. At most 8 rounds, each linear, whatever the
// values: devices choose them, and a pivot could be chosen against.
func kth(times []int64, k int, least, most int64) int64 {
	width := bits.Len64(uint64(most) - uint64(least))
	for width > 0 {
		shift := max(0, width-digits)
		part, before, within := partOf(times, least, shift, k)
		least += int64(part << shift)
		if within < len(times) {
			times = keepPart(times, least, 1<<shift)
		}
		k -= before
		width = shift
	}
	return least
}

// partOf is the part that holds index k, and how many values are in the parts before it and within it.
func partOf(times []int64, least int64, shift, k int) (part uint64, before, within int) {
	var count [1 << digits]int
	for _, t := range times {
		count[digit(t, least, shift)]++
	}
	for before+count[part] <= k {
		before += count[part]
		part++
	}
	return part, before, count[part]
}

// keepPart moves the values of [least, least+size) to the front and returns them.
func keepPart(times []int64, least int64, size uint64) []int64 {
	kept := 0
	for _, t := range times {
		times[kept] = t
		if uint64(t)-uint64(least) < size {
			kept++
		}
	}
	return times[:kept]
}

// digit is the part that t falls into; it is below 256 without the mask, which spares a bounds check.
func digit(t, least int64, shift int) uint64 {
	return (uint64(t) - uint64(least)) >> (shift & 63) & (1<<digits - 1)
}
