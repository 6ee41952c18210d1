package window

import (
	"fmt"
	"strings"
	"testing"
)

func TestScheduleAt(t *testing.T) {
	schedule := Schedule{{From: 0, Spec: Spec{Size: 10}}, {From: 100, Spec: Spec{Size: 20}}, {From: 200, Spec: Spec{Size: 50}}}
	f := func(s Schedule, at int64, want int) {
		t.Helper()
		if got := s.At(at); got != want {
			t.Errorf("At(%d) = %d, want %d", at, got, want)
		}
	}
	f(nil, 0, -1)
	f(schedule[:1], never, 0)
	f(schedule, -1, 0)
	f(schedule, 99, 0)
	f(schedule, 100, 1)
	f(schedule, 199, 1)
	f(schedule, 200, 2)
	f(schedule, forever, 2)
}

func TestScheduleChange(t *testing.T) {
	const second = int64(1e9)
	now := 1000 * second
	old := Spec{Size: 10 * second}
	f := func(next Spec, at int64, wants ...string) {
		t.Helper()
		first, err := Schedule(nil).Change(old, 0, now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := first.Change(next, at, now)
		if len(wants) == 0 && (err != nil || len(got) != 2 || got[1] != Generation{at, next}) {
			t.Errorf("change to %+v at %d: %v, %v", next, at, got, err)
		}
		for _, want := range wants {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("change to %+v at %d: %v, want %q", next, at, err, want)
			}
		}
		if len(first) != 1 {
			t.Error("Change changed what it was given")
		}
	}
	f(Spec{Size: 60 * second}, 1080*second)
	f(Spec{Size: 60 * second, Hop: 20 * second}, 1080*second)
	f(Spec{Size: 60 * second}, 1020*second, "choose a time at least 30s after 1970-01-01T00:16:40Z")
	f(Spec{Size: 60 * second}, 1090*second, "choose a multiple of 1m0s since 1970")
	f(Spec{Size: 3 * second}, 1082*second, "multiple of 10s", "multiple of 3s")
	f(Spec{Size: -1}, 1080*second, "window size -1ns")
	f(Spec{Size: 60 * second, Hop: 40 * second}, 1140*second, "multiple of 40s")

	two, err := Schedule{{0, old}}.Change(Spec{Size: 60 * second}, 1200*second, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Change(old, 1080*second, now); !strings.Contains(fmt.Sprint(err), "already ahead") {
		t.Errorf("a change before the one announced: %v", err)
	}
	if _, err := (Schedule{}).Change(Spec{}, 0, now); err == nil {
		t.Error("a schedule began with an invalid spec")
	}
}
