package plan

import (
	"math/bits"
	"sort"
)

const (
	ms = int64(1_000_000)
	s  = 1000 * ms

	burstCycle = 20 * s
	golden     = 0x9e3779b97f4a7c15 // 2^64 / golden ratio: consecutive multiples spread evenly
)

// Plan is a Spec made ready. It never changes: any number of goroutines may use it.
type Plan struct {
	Spec
	span     int64     // from a device's message to its next, ns
	bound    [6]uint64 // cumulative shares of the faults, in 2^-32
	lateFrom int64     // least delay of a late message
	lateTo   int64     // greatest one, below half the lateness
}

// New makes the plan of a valid spec.
func New(spec Spec) (*Plan, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	p := &Plan{Spec: spec, span: int64(spec.Batch) * spec.Period}
	sum := 0.0
	for i, percent := range spec.Faults.list() {
		sum += percent
		p.bound[i] = uint64(sum / 100 * (1 << 32))
	}
	p.lateTo = p.longestDelay()
	p.lateFrom = p.lateTo / 4
	return p, nil
}

// longestDelay keeps the gaps that late messages leave in a device's numbers
// few: two at a time on average, since the product remembers sixteen.
func (p *Plan) longestDelay() int64 {
	longest := p.Lateness/2/p.speed() - ms
	if share := p.Faults.Late / 100; share > 0 {
		longest = min(longest, int64(3*float64(p.span)/share))
	}
	return max(longest, 0)
}

// Span is the time from a device's message to its next one, ns.
func (p *Plan) Span() int64 { return p.span }

// scheduled is when device d observes its reading i, ns since the start, whole ms.
func (p *Plan) scheduled(d int, i int64) int64 {
	at := p.phase(d) + i*p.Period
	if p.Pattern == Burst {
		at = burst(at)
	}
	return at - at%ms
}

// stamped is the event time of reading i of device d, Unix ns, whole ms.
func (p *Plan) stamped(d int, i int64) int64 { return p.Start + p.speed()*p.scheduled(d, i) }

// phase spreads the devices evenly over the time between two messages.
func (p *Plan) phase(d int) int64 {
	hi, _ := bits.Mul64(uint64(d)*golden, uint64(p.span))
	return int64(hi)
}

// burst squeezes the first half of each cycle into its first fifth. It is
// monotone and keeps the length of the cycle.
func burst(at int64) int64 {
	pos := at % burstCycle
	from := at - pos
	if pos < burstCycle/2 {
		return from + pos*2/5
	}
	return from + burstCycle/5 + (pos-burstCycle/2)*8/5
}

// Due is when message j of device d is complete and may be sent, ns since the start.
func (p *Plan) Due(d int, j int64) int64 {
	return p.scheduled(d, (j+1)*int64(p.Batch)-1)
}

// Messages is how many messages device d has in the first length ns of the schedule.
func (p *Plan) Messages(d int, length int64) int64 {
	most := length*2/p.span*2 + 2*burstCycle/p.span + 2
	return int64(sort.Search(int(most), func(j int) bool { return p.Due(d, int64(j)) >= length }))
}
