package detect

import "math"

func (f *fast) explain(x float64, add func(Contribution, float64)) {
	spread, jump := float64(f.spread), float64(f.jump)
	for i := range fastFeatures {
		c, weight := Contribution{Feature: fastNames[i], Observed: x, Expected: f.location, Spread: spread}, f.parts[i].float()
		switch i {
		case fastJump:
			c.Observed, c.Expected, c.Spread = f.newest.float(), jump, 0
			weight *= 0.5 + 0.5*math.Abs(f.likeness()) // where neighbors are not alike it says what the value says
		case fastShort:
			c.Observed = f.location + float64(f.short)*spread
		case fastLong:
			c.Observed = f.location + float64(f.long)*spread
		case fastLoud, fastCalm:
			c.Observed, c.Expected, c.Spread = float64(f.noise)*jump, jump, 0
		}
		add(c, weight)
	}
}

func (f *flat) explain(add func(Contribution, float64)) {
	add(Contribution{Feature: "flat", Observed: float64(f.run), Expected: float64(f.usual)}, f.part.float())
}

func (g *gap) explain(add func(Contribution, float64)) {
	add(Contribution{Feature: "gap", Observed: float64(g.newest), Expected: float64(g.usual)}, g.part.float())
}

func (s *slow) explain(add func(Contribution, float64)) {
	for i := range s.features {
		x := &s.features[i]
		c := Contribution{Feature: slowNames[i], Observed: s.observed(i), Expected: x.location, Spread: float64(x.spread)}
		if i == slowActivity {
			c.Observed, c.Expected, c.Spread = math.Exp(c.Observed), math.Exp(c.Expected), 0
		}
		add(c, x.part.float())
	}
}

// observed is the newest value of a feature.
func (s *slow) observed(i int) float64 {
	switch i {
	case slowDifference:
		return s.difference.float()
	case slowLevel:
		return s.level
	case slowActivity:
		return math.Log(float64(s.activity) + 1e-300)
	case slowDaily:
		return s.residual.float()
	}
	return s.previous
}
