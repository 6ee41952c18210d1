package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 200, 1 << 20: 200, 96 << 20: 200, 192 << 20: 100, 256 << 20: 75, 384 << 20: 50, 4 << 30: 50,
	} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d MB alive: %d percent, want %d", live>>20, got, want)
		}
	}
}
