package gateway

import (
	"encoding/binary"
	"sort"

	"weir/schemas"
	"weir/services/internal/fold"
)

// interval is a run of entry numbers, both ends included.
type interval struct{ from, to uint64 }

// space is the set of entry numbers applied from one epoch of a producer:
// ascending intervals, disjoint and not touching. A hole is a debt.
type space struct{ applied []interval }

// add notes an entry and reports whether it is new.
func (s *space) add(n uint64) bool {
	i := sort.Search(len(s.applied), func(i int) bool { return s.applied[i].to+1 >= n })
	if i == len(s.applied) {
		s.applied = append(s.applied, interval{n, n})
		return true
	}
	at := &s.applied[i]
	switch {
	case n >= at.from && n <= at.to:
		return false
	case n == at.to+1:
		at.to = n
		if i+1 < len(s.applied) && s.applied[i+1].from == n+1 {
			at.to = s.applied[i+1].to
			s.applied = append(s.applied[:i+1], s.applied[i+2:]...)
		}
	case n+1 == at.from:
		at.from = n
	default:
		s.applied = append(s.applied, interval{})
		copy(s.applied[i+1:], s.applied[i:])
		s.applied[i] = interval{n, n}
	}
	return true
}

// debt is how many entries below the newest one are missing.
func (s *space) debt() (n uint64) {
	next := uint64(1)
	for _, a := range s.applied {
		n += a.from - next
		next = a.to + 1
	}
	return n
}

func (s *space) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.applied)))
	for _, a := range s.applied {
		b = binary.AppendUvarint(b, a.from)
		b = binary.AppendUvarint(b, a.to)
	}
	return b
}

func (s *space) read(r *fold.StateReader) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		s.applied = append(s.applied, interval{r.Uint(), r.Uint()})
	}
}

// producer is what a gateway knows of one contributor.
type producer struct {
	name     string
	spaces   map[schemas.Epoch]*space
	time     int64 // agent time of its newest commit
	wall     int64
	progress map[string]*progress // by view
	fresh    []*part              // came in its commit that has not ended yet
	totals   []schemas.Total      // of its newest commit
	config   uint64
}

// progress is one view of a producer.
type progress struct {
	schemas.Progress
	applied uint64  // Σ count of the latest revisions of every part ever applied, as of the end of a commit
	coming  uint64  // what the commit that has not ended yet adds to it, modulo 2^64
	open    []*part // parts that its final_through will make final, a heap by end
}

func newProducer(name string) *producer {
	return &producer{name: name, spaces: map[schemas.Epoch]*space{}, progress: map[string]*progress{}}
}

func (p *producer) space(e schemas.Epoch) *space {
	s := p.spaces[e]
	if s == nil {
		s = &space{}
		p.spaces[e] = s
	}
	return s
}

func (p *producer) view(name string) *progress {
	v := p.progress[name]
	if v == nil {
		v = &progress{Progress: schemas.Progress{View: name, OnTimeThrough: never, FinalThrough: never}}
		p.progress[name] = v
	}
	return v
}

// unexplained is the difference between what the producer says it has emitted
// and the records in the windows applied, over all views that reach this tier.
func (p *producer) unexplained(t schemas.Tier) (n int64) {
	for _, v := range p.progress {
		if v.Uplink == "" || t == schemas.TierCenter && v.Uplink != t {
			continue
		}
		d := int64(v.Emitted - v.applied)
		n += max(d, -d)
	}
	return n
}
