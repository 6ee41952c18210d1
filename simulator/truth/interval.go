package truth

import (
	"slices"
	"sort"
)

// Interval is the message numbers from and below to, which JSON writes as [from,to].
type Interval [2]int64

// Set is a set of message numbers: intervals that are sorted and do not touch.
// The zero Set is empty. Not safe for concurrent use.
type Set []Interval

// Add adds n and reports whether it is new.
func (s *Set) Add(n int64) bool {
	i := s.at(n)
	if i < len(*s) && (*s)[i][0] <= n {
		return false
	}
	s.AddRange(n, n+1)
	return true
}

// AddRange adds the numbers from and below to.
func (s *Set) AddRange(from, to int64) {
	if from >= to {
		return
	}
	t := *s
	if n := len(t); n > 0 && t[n-1][0] <= from && from <= t[n-1][1] { // the usual case: the last interval grows
		t[n-1][1] = max(t[n-1][1], to)
		return
	}
	i := sort.Search(len(t), func(i int) bool { return t[i][1] >= from })
	k := i
	for ; k < len(t) && t[k][0] <= to; k++ {
		from, to = min(from, t[k][0]), max(to, t[k][1])
	}
	*s = slices.Replace(t, i, k, Interval{from, to})
}

// Union adds what o has.
func (s *Set) Union(o Set) {
	for _, v := range o {
		s.AddRange(v[0], v[1])
	}
}

// Has reports whether n is in the set.
func (s Set) Has(n int64) bool {
	i := s.at(n)
	return i < len(s) && s[i][0] <= n
}

// at is the first interval that ends after n.
func (s Set) at(n int64) int {
	if k := len(s); k == 0 || s[k-1][1] <= n {
		return k
	}
	return sort.Search(len(s), func(i int) bool { return s[i][1] > n })
}

// Len is how many numbers are in the set.
func (s Set) Len() int64 {
	var n int64
	for _, v := range s {
		n += v[1] - v[0]
	}
	return n
}

// Without is the part of [from, to) that is not in the set.
func (s Set) Without(from, to int64) Set {
	var rest Set
	for _, v := range s {
		rest.AddRange(from, min(v[0], to))
		from = max(from, v[1])
	}
	rest.AddRange(from, to)
	return rest
}

// ordered reports whether the intervals are as Set promises, within [0, limit).
func (s Set) ordered() bool {
	before := int64(-1)
	for _, v := range s {
		if v[0] <= before || v[1] <= v[0] {
			return false
		}
		before = v[1]
	}
	return true
}
