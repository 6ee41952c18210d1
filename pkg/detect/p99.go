package detect

import "math"

// p99 is how far a value lies beyond the median of the 512 before, either way, in distances from the median to the
// quantile 0.99 or 0.01 on that side. Beyond 1 is one value in fifty by definition: the tail decides what is an alert.
type p99 struct {
	ring
	value, median, edge float64 // newest; the edge is the quantile on the side of value
	ratio               float64
}

const p99Values = 512

func (p *p99) judge(x, _, _, weight float64) float64 {
	p.value, p.ratio = x, 0
	if p.full() {
		p.median, p.edge = p.quantile(0.5), p.quantile(0.99)
		if x < p.median {
			p.edge = p.quantile(0.01)
		}
		if p.edge != p.median {
			p.ratio = min((x-p.median)/(p.edge-p.median), 1e6)
		}
	}
	if weight == 1 || p.ratio < 1 {
		p.add(x)
	}
	return p.ratio
}

func (p *p99) explain(add func(Contribution, float64)) {
	add(Contribution{Feature: "p99", Observed: p.value, Expected: p.median, Spread: math.Abs(p.edge - p.median)}, p.ratio)
}

func (p *p99) fields(c *codec) {
	p.ring.fields(c)
	c.f64s(&p.value, &p.median, &p.edge, &p.ratio)
}
