package detect

// anyOf asks several detectors and takes the one that is surest. Each must have its share of the budget already: what
// any of them says in vain, all of them say.
type anyOf struct {
	parts  []judge
	newest int // the part that the newest verdict is from
}

func newAny(c Config) judge {
	c.Budget /= 3
	return &anyOf{parts: []judge{
		newBudgeted(c, &ewma{}), newBudgeted(c, &zscore{ring: newRing(zscoreValues)}), newBudgeted(c, &p99{ring: newRing(p99Values)}),
	}}
}

func (a *anyOf) threshold() float64 { return a.parts[0].threshold() }

func (a *anyOf) update(t int64, x float64) Verdict {
	best := nothing
	a.newest = 0
	for i, p := range a.parts {
		v := p.update(t, x)
		if v.Flag && !best.Flag || v.Flag == best.Flag && v.Alert > best.Alert {
			a.newest = i
			v.Score = max(v.Score, best.Score)
			best = v
		}
		best.Score = max(best.Score, v.Score)
	}
	return best
}

func (a *anyOf) explain(add func(Contribution, float64)) { a.parts[a.newest].explain(add) }

func (a *anyOf) fields(c *codec) {
	newest := uint8(a.newest)
	c.u8(&newest)
	c.within("part", uint64(newest), uint64(len(a.parts)))
	if c.err == nil {
		a.newest = int(newest)
	}
	for _, p := range a.parts {
		p.fields(c)
	}
}
