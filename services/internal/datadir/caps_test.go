package datadir

import (
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

func TestFitCaps(t *testing.T) {
	edge := []Cap{{768 * mib, 0}, {512 * mib, 0}, {256 * mib, 0}, {4 * mib, 0}, {32 * mib, 0}}
	f := func(what string, streams []Cap, room int64, shrunk, refused bool) {
		t.Helper()
		p := FitCaps(streams, room)
		if p.Shrunk() != shrunk || p.Least > 0 != refused {
			t.Errorf("%s: %+v, shrunk %v", what, p, p.Shrunk())
		}
	}
	f("a large disk", edge, 100*gib, false, false)
	f("just enough", edge, 2060*mib, false, false)
	f("half of that", edge, 1030*mib, true, false)
	f("a very small disk", edge, 128*mib, true, false)
	f("too small a disk", edge, 64*mib, true, true)
	f("no disk", edge, 0, true, true)
	f("a full disk that holds much already", []Cap{{768 * mib, 700 * mib}, {512 * mib, 10 * mib}}, 100*mib, true, false)
}

// TestFitCapsAlways: what fits fits with the reserve, no cap is below what its
// stream holds or above what was wanted, and caps keep their proportions.
func TestFitCapsAlways(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var streams []Cap
		var used int64
		for range rapid.IntRange(1, 8).Draw(t, "streams") {
			c := Cap{Bytes: rapid.Int64Range(1<<20, 2<<30).Draw(t, "cap")}
			if rapid.Bool().Draw(t, "has") {
				c.Used = rapid.Int64Range(0, c.Bytes).Draw(t, "used")
			}
			streams, used = append(streams, c), used+c.Used
		}
		room := rapid.Int64Range(0, 20<<30).Draw(t, "room")
		p := FitCaps(streams, room)
		for i, c := range streams {
			if p.Caps[i] > c.Bytes || p.Caps[i] < c.Used {
				t.Fatalf("cap %d of %+v", p.Caps[i], c)
			}
		}
		if p.Reserve < leastReserve || p.Reserve > mostReserve {
			t.Fatalf("reserve %d", p.Reserve)
		}
		if p.Least == 0 && used == 0 && p.Sum()+p.Reserve > room {
			t.Fatalf("%d with a reserve of %d on %d", p.Sum(), p.Reserve, room)
		}
		if p.Least > 0 && FitCaps(streams, p.Least).Least > 0 {
			t.Fatalf("not even %d, which was said to do, is enough", p.Least)
		}
	})
}

// TestReserve: the reserve takes room on the disk for real, is made once, and
// given back.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	r := ReserveOf(dir)
	if err := r.Free(); err != nil || r.Held() != 0 {
		t.Errorf("without one: %v, %d", err, r.Held())
	}
	for range 2 {
		if err := r.Make(2 * mib); err != nil {
			t.Fatal(err)
		}
		if held := r.Held(); held < 2*mib || held > 3*mib {
			t.Errorf("it holds %d bytes", held)
		}
	}
	if err := r.Make(8 * mib); err != nil || r.Held() < 8*mib {
		t.Errorf("a larger one: %v, %d", err, r.Held())
	}
	if err := r.Free(); err != nil || r.Held() != 0 {
		t.Errorf("freed: %v, %d", err, r.Held())
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ReserveOf(filepath.Join(dir, "file")).Make(mib); err == nil {
		t.Error("there is a reserve where no folder is")
	}
	for caps, want := range map[int64]int64{0: 16 * mib, gib: 1 * gib / 50, 2 * gib: 2 * gib / 50, 100 * gib: 64 * mib} {
		if got := ReserveSize(caps); got != want {
			t.Errorf("for %d: %d, want %d", caps, got, want)
		}
	}
}
