package pause

import (
	"testing"
	"testing/synctest"
	"time"
)

// A place pauses, then lets all pass for a while, and fake time stands still meanwhile.
func TestAt(t *testing.T) {
	chance = 100
	synctest.Test(t, func(t *testing.T) {
		fake := time.Now()
		At(1)
		first := places[1].last
		At(1)
		if places[1].visits != 2 || first == 0 || places[1].last != first && places[1].last-first < int64(rest) {
			t.Errorf("%+v, paused first at %d", places[1], first)
		}
		if !time.Now().Equal(fake) {
			t.Error("fake time moved")
		}
	})
}

func TestChance(t *testing.T) {
	n := 0
	for x := range uint64(10_000) {
		if mix(x)%100 < 10 {
			n++
		}
	}
	if n < 900 || n > 1100 {
		t.Errorf("%d of 10,000, want about one in ten", n)
	}
}
