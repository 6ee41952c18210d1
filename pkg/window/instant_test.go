package window

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// later and since are sums and differences that stop at the ends of int64.
func TestInstantsSaturate(t *testing.T) {
	exact := func(n *big.Int) int64 {
		switch {
		case n.Cmp(big.NewInt(never)) < 0:
			return never
		case n.Cmp(big.NewInt(forever)) > 0:
			return forever
		}
		return n.Int64()
	}
	anywhere := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2, 2), rapid.SampledFrom([]int64{never, never + 1, forever}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := anywhere.Draw(t, "a"), anywhere.Draw(t, "b")
		if got, want := later(a, b), exact(new(big.Int).Add(big.NewInt(a), big.NewInt(b))); got != want {
			t.Fatalf("later(%d, %d) = %d, want %d", a, b, got, want)
		}
		if got, want := since(a, b), exact(new(big.Int).Sub(big.NewInt(b), big.NewInt(a))); got != want {
			t.Fatalf("since(%d, %d) = %d, want %d", a, b, got, want)
		}
	})
}

func TestFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, step := rapid.Int64Range(-100, 100).Draw(t, "at"), rapid.Int64Range(1, 30).Draw(t, "step")
		got := floor(at, step)
		if got > at || got+step <= at || got%step != 0 {
			t.Fatalf("floor(%d, %d) = %d", at, step, got)
		}
	})
}
