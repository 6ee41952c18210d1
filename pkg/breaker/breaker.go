package breaker

import (
	"fmt"
	"math"
)

// State is what a breaker lets pass.
type State uint8

// The states.
const (
	Closed   State = iota // every call
	HalfOpen              // a few probes
	Open                  // nothing
)

func (s State) String() string { return [...]string{"closed", "half-open", "open"}[s] }

// Outcome is how a call ended.
type Outcome uint8

// The outcomes.
const (
	Success Outcome = iota
	Failure
	Ignored // the caller gave it up, or it never left: it says nothing about who was called
)

// Bounds of a configuration.
const (
	slices    = 10 // of time, over which calls are counted
	maxProbes = 16
	pauses    = 20 // doublings after which a pause is the longest one anyway
)

// Config is when a breaker opens and closes. Times are in ns.
type Config struct {
	Slice       int64   // calls are counted over ten of these
	MinCalls    int     // fewer than these do not open it by their rate
	FailureRate float64 // of the calls, above 0 to 1, at which it opens
	Consecutive int     // failures in a row at which it opens
	Slow        int64   // a call that takes longer has failed; 0: however long

	Pause, MaxPause int64  // how long it stays open, doubled each time that probes fail
	Probes          int    // in flight at most while it is half-open, 1 to 16
	Successes       int    // probes in a row that close it
	Lease           int64  // how long a probe may take before it has failed
	Seed            uint64 // of the ±20 % by which pauses differ
}

// Default is for calls over a network, a few a second.
func Default() Config {
	const second = 1_000_000_000
	return Config{
		Slice: second, MinCalls: 20, FailureRate: 0.5, Consecutive: 10,
		Pause: 30 * second, MaxPause: 300 * second, Probes: 3, Successes: 3, Lease: 30 * second,
	}
}

func (c *Config) check() error {
	switch {
	case c.Slice <= 0 || c.Lease <= 0 || c.Slow < 0:
		return fmt.Errorf("breaker: slice %d ns, lease %d ns, slow %d ns: use positive times", c.Slice, c.Lease, c.Slow)
	case c.Pause <= 0 || c.MaxPause < c.Pause || c.MaxPause > math.MaxInt64/4:
		return fmt.Errorf("breaker: pause %d to %d ns: use positive times, the longest last", c.Pause, c.MaxPause)
	case c.MinCalls < 1 || c.Consecutive < 1 || !(c.FailureRate > 0 && c.FailureRate <= 1):
		return fmt.Errorf("breaker: %d calls, rate %v, %d in a row: use at least 1 and a rate above 0, at most 1", c.MinCalls, c.FailureRate, c.Consecutive)
	case c.Probes < 1 || c.Probes > maxProbes || c.Successes < 1:
		return fmt.Errorf("breaker: %d probes, %d successes: use 1 to %d probes and at least 1 success", c.Probes, c.Successes, maxProbes)
	}
	return nil
}

// Breaker is made by New.
type Breaker struct {
	cfg   Config
	state State
	gen   uint64 // of the state: permits of earlier ones are stale
	now   int64  // the newest time seen

	ring   [slices]slice // closed: by slice number modulo ten
	row    int           // closed: failures in a row
	until  int64         // open: when probes may go
	again  int           // times that it opened since it was closed
	probes [maxProbes]probe
	good   int // half-open: probes that succeeded
	random uint64
	last   Transition
}

// slice counts the calls that ended in one slice of time.
type slice struct {
	number      int64
	calls, fail int
}

// probe is a place for one in flight.
type probe struct {
	taken bool
	lease int64 // it has failed at this time
}

// Permit allows one call. It goes back with Done.
type Permit struct {
	gen   uint64
	began int64
	probe int // its place, from 1; 0: it is none
}

// New is a closed breaker.
func New(c Config) (*Breaker, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Breaker{cfg: c, gen: 1, now: math.MinInt64, random: c.Seed}, nil
}

// State is what the breaker lets pass at time now.
func (b *Breaker) State(now int64) State {
	b.pass(now)
	return b.state
}

// Last is the newest change of state; its Generation is 0 where there was none.
func (b *Breaker) Last() Transition { return b.last }

// Acquire asks for a call at time now. Where none may go, wait is how long, in ns, until it is worth asking again.
func (b *Breaker) Acquire(now int64) (p Permit, ok bool, wait int64) {
	b.pass(now)
	p = Permit{gen: b.gen, began: b.now}
	switch b.state {
	case Open:
		return Permit{}, false, b.until - b.now
	case HalfOpen:
		first := int64(math.MaxInt64)
		for i := range b.cfg.Probes {
			if !b.probes[i].taken {
				b.probes[i] = probe{taken: true, lease: b.now + b.cfg.Lease}
				p.probe = i + 1
				return p, true, 0
			}
			first = min(first, b.probes[i].lease)
		}
		return Permit{}, false, first - b.now
	}
	return p, true, 0
}

// Done gives a permit back at time now. A permit counts once; one from before the last change of state not at all.
func (b *Breaker) Done(now int64, p Permit, o Outcome) {
	b.pass(now)
	if p.gen != b.gen {
		return
	}
	if o == Success && b.cfg.Slow > 0 && b.now-p.began > b.cfg.Slow {
		o = Failure
	}
	switch {
	case b.state == HalfOpen && p.probe > 0 && b.probes[p.probe-1].taken:
		b.probes[p.probe-1] = probe{}
		b.probed(o)
	case b.state == Closed && o != Ignored:
		b.count(o)
	}
}

// Trip opens the breaker at time now because somebody says so.
func (b *Breaker) Trip(now int64) {
	b.pass(now)
	if b.state != Open {
		b.open(Evidence{Manual: true})
	}
}

// pass lets time pass: the pause ends, and so do leases.
func (b *Breaker) pass(now int64) {
	b.now = max(b.now, now)
	if b.state == Open && b.now >= b.until {
		b.turn(HalfOpen, Evidence{Paused: true})
	}
	if b.state != HalfOpen {
		return
	}
	for i := range b.cfg.Probes {
		if p := b.probes[i]; p.taken && p.lease <= b.now {
			b.open(Evidence{ProbeFailed: true})
			return
		}
	}
}

// probed takes the end of a probe.
func (b *Breaker) probed(o Outcome) {
	switch o {
	case Failure:
		b.open(Evidence{ProbeFailed: true})
	case Success:
		if b.good++; b.good >= b.cfg.Successes {
			b.again = 0
			b.turn(Closed, Evidence{Successes: b.good})
		}
	}
}

// count books a call of the closed breaker, and opens it where that is too much.
func (b *Breaker) count(o Outcome) {
	number := floor(b.now, b.cfg.Slice)
	s := &b.ring[uint64(number)%slices]
	if s.number != number {
		*s = slice{number: number}
	}
	s.calls++
	b.row++
	if o == Failure {
		s.fail++
	} else {
		b.row = 0
	}
	e := b.evidence(number)
	if e.enough() {
		b.open(e)
	}
}

// evidence is what the last ten slices hold.
func (b *Breaker) evidence(newest int64) Evidence {
	e := Evidence{InARow: b.row}
	for _, s := range b.ring {
		if s.number > newest-slices {
			e.Calls += s.calls
			e.Failures += s.fail
		}
	}
	return b.bounds(e)
}

// bounds writes down what the evidence is compared with.
func (b *Breaker) bounds(e Evidence) Evidence {
	e.MinCalls, e.FailureRate, e.Consecutive, e.Needed = b.cfg.MinCalls, b.cfg.FailureRate, b.cfg.Consecutive, b.cfg.Successes
	return e
}

// open opens the breaker for a pause: the first one, twice as long each time that it opens again before it has closed,
// and up to 20 % more or less, so that many breakers do not try at once.
func (b *Breaker) open(e Evidence) {
	pause := b.cfg.MaxPause
	if b.again < pauses && b.cfg.Pause <= b.cfg.MaxPause>>b.again {
		pause = b.cfg.Pause << b.again
	}
	b.again++
	b.until = b.now + int64(float64(pause)*(0.8+0.4*b.chance()))
	b.turn(Open, e)
}

// turn changes the state.
func (b *Breaker) turn(to State, e Evidence) {
	b.gen++
	b.last = Transition{From: b.state, To: to, At: b.now, Generation: b.gen, Evidence: b.bounds(e)}
	b.state, b.row, b.good = to, 0, 0
	b.ring, b.probes = [slices]slice{}, [maxProbes]probe{}
}

// chance is the next number from 0 to 1 (SplitMix64, Steele et al. 2014).
func (b *Breaker) chance() float64 {
	b.random += 0x9e3779b97f4a7c15
	z := b.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// floor is ⌊a/b⌋ for positive b.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
