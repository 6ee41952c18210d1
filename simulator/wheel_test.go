package simulator

import (
	"testing"

	"pgregory.net/rapid"
)

// TestWheelComesUpInTime adds devices at any time and checks that each comes up
// once: at its time or up to a tick later, or a round of the wheel after it was
// added where its time is further away.
func TestWheelComesUpInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const devices = 5
		w := newWheel(devices)
		due, round := map[int]int64{}, map[int]int64{} // round: when a device comes up at the latest
		now := int64(0)
		for range 30 {
			if d := rapid.IntRange(0, devices-1).Draw(t, "device"); due[d] == 0 {
				due[d] = now + rapid.Int64Range(1, 2*wheelSlots*wheelTick).Draw(t, "in")
				round[d] = now + (wheelSlots-2)*wheelTick
				w.add(d, due[d])
			}
			until := w.until()
			now += rapid.Int64Range(0, wheelSlots*wheelTick/2).Draw(t, "advance")
			w.advance(now, func(d int) {
				if due[d] == 0 {
					t.Fatalf("device %d came up, nobody added it", d)
				}
				if due[d] > now+wheelTick && now < round[d] {
					t.Fatalf("device %d came up at %d, it is due at %d", d, now, due[d])
				}
				if until > now {
					t.Fatalf("nothing was to come before %d, device %d came at %d", until, d, now)
				}
				delete(due, d)
			})
			for d, at := range due {
				if at <= now-wheelTick {
					t.Fatalf("device %d was due at %d, it is %d", d, at, now)
				}
			}
		}
	})
}

func TestWheelTakesDevicesBackWhileItTurns(t *testing.T) {
	w := newWheel(1)
	w.add(0, 0)
	n := 0
	w.advance(10*wheelTick, func(d int) {
		n++
		w.add(d, 0)
	})
	if n != 11 {
		t.Errorf("came up %d times in 11 ticks", n)
	}
}

func TestLatencyQuantiles(t *testing.T) {
	var l latency
	if got := l.quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing: %g", got)
	}
	for ms := range int64(1000) {
		l.add((ms + 1) * 1e6)
	}
	for q, want := range map[float64]float64{0.5: 500, 0.99: 990} {
		if got := l.quantile(q); got < want || got > want*1.13 {
			t.Errorf("quantile %g: %g ms, want %g to %g", q, got, want, want*1.13)
		}
	}
}
