package main

import (
	"fmt"
	"math"

	"weir/lab/eval/corpus"
	"weir/pkg/detect"
)

// A causality is how often it was tried, per detector, that verdicts do not depend on what follows, nor on a restart.
type causality struct {
	Prefixes, Restarts, Wrong int
}

// proveCausal plays each series to each detector whole, cut off at three points, and with a restart at each of them.
func (r *report) proveCausal(kinds []detect.Kind) {
	r.Causal = make([]causality, len(kinds))
	r.CausalKinds = kinds
	wrong := make([][]error, len(kinds))
	_ = each(len(kinds), func(i int) error {
		for _, s := range r.Series {
			r.Causal[i].add(kinds[i], s, &wrong[i])
		}
		return nil
	})
	for _, w := range wrong {
		r.Wrong = append(r.Wrong, w...)
	}
}

// cuts are rows at which a series is cut off, as shares of it.
var cuts = []float64{0.21, 0.5, 0.83}

func (c *causality) add(kind detect.Kind, s corpus.Series, wrong *[]error) {
	complain := func(err error) {
		c.Wrong++
		*wrong = append(*wrong, fmt.Errorf("%s on %s: %w", kind.Name, s.Name, err))
	}
	fresh := func() detect.Detector {
		d, err := newDetector(kind)
		if err != nil {
			complain(err)
		}
		return d
	}
	whole := verdicts(fresh(), s, len(s.Times))
	for _, share := range cuts {
		cut := int(share * float64(len(s.Times)))
		first := fresh()
		c.Prefixes++
		if at := differ(verdicts(first, s, cut), whole[:cut]); at >= 0 {
			complain(fmt.Errorf("cut off after %d rows, the verdict of row %d is another", cut, at))
		}
		c.Restarts++
		second := fresh()
		if rest, err := second.RestoreState(first.AppendState(nil)); err != nil || len(rest) > 0 {
			complain(fmt.Errorf("restore the state after %d rows: %d bytes are left: %v", cut, len(rest), err))
			continue
		}
		if at := differ(verdicts(second, tail(s, cut), len(s.Times)-cut), whole[cut:]); at >= 0 {
			complain(fmt.Errorf("restarted after %d rows, the verdict of row %d is another", cut, cut+at))
		}
	}
}

func tail(s corpus.Series, from int) corpus.Series {
	s.Times, s.Values = s.Times[from:], s.Values[from:]
	return s
}

// differ is the first place at which two runs are not the same to the last bit, or −1.
func differ(a, b []detect.Verdict) int {
	for i := range a {
		if bits(a[i]) != bits(b[i]) {
			return i
		}
	}
	return -1
}

func bits(v detect.Verdict) [4]uint64 {
	flag := uint64(0)
	if v.Flag {
		flag = 1
	}
	return [4]uint64{math.Float64bits(v.Score), math.Float64bits(v.Alert), math.Float64bits(v.Tail), flag}
}
