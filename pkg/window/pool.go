package window

// Accumulator is what a window adds up: a struct A with pointer methods. Adding a record is the caller's own business.
type Accumulator[A any] interface {
	*A
	// Reset makes the accumulator empty; it may keep its memory.
	Reset()
	// Merge adds everything in from, which stays as it is. Merging the slices of a window in any order must give the
	// same value as adding all records to one accumulator.
	Merge(from *A)
}

// Successor is an accumulator that says itself what a window needs of those before it, with Spec.Carry. Of others it is
// the last slice.
type Successor[A any] interface {
	// Succeed makes what came before a slice what comes before the next one: from is that slice, or what came before it.
	Succeed(from *A)
}

// Pool keeps accumulators that are not in use, so that windows opening and closing in a steady stream do not allocate.
// One pool serves all Panes of one kind of accumulator. Make it with [NewPool].
type Pool[A any] struct {
	free  []*A
	most  int // len(free) <= most
	reset func(*A)
	merge func(into, from *A)
	carry func(into, from *A)
}

// NewPool makes a pool that keeps at most that many unused accumulators: NewPool[tally](1000), where *tally has the
// methods of [Accumulator].
func NewPool[A any, P Accumulator[A]](most int) *Pool[A] {
	return &Pool[A]{
		most:  most,
		reset: func(a *A) { P(a).Reset() },
		merge: func(into, from *A) { P(into).Merge(from) },
		carry: func(into, from *A) {
			if s, ok := any(into).(Successor[A]); ok {
				s.Succeed(from)
				return
			}
			P(into).Reset()
			P(into).Merge(from)
		},
	}
}

// Get returns an empty accumulator.
func (p *Pool[A]) Get() *A {
	last := len(p.free) - 1
	if last < 0 {
		a := new(A)
		p.reset(a)
		return a
	}
	a := p.free[last]
	p.free[last] = nil
	p.free = p.free[:last]
	return a
}

// Put takes back an accumulator that nobody uses anymore.
func (p *Pool[A]) Put(a *A) {
	if len(p.free) < p.most {
		p.reset(a)
		p.free = append(p.free, a)
	}
}
