package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"weir/lab/sights"
)

// TestToldAfter: the first line about a device counts, lines about what was not caused do not.
func TestToldAfter(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	line := func(after time.Duration, device, kind string) sights.Sight {
		return sights.Sight{At: at.Add(after), Line: []byte(`{"device":"` + device + `","kind":"` + kind + `"}`)}
	}
	sent := map[string]time.Time{"d1": at, "d2": at.Add(time.Second), "d3": at}
	seen := []sights.Sight{
		line(500*time.Millisecond, "d1", "anomaly"), line(800*time.Millisecond, "d1", "limit"), line(time.Second, "d4", "limit"),
		line(1300*time.Millisecond, "d2", "limit"), line(2*time.Second, "d1", "limit"),
	}
	late, err := toldAfter(sent, seen)
	if want := []time.Duration{300 * time.Millisecond, 800 * time.Millisecond}; err != nil || !slices.Equal(late, want) {
		t.Errorf("told after %v (%v), want %v", late, err, want)
	}
	n := noticed{Name: "x", Devices: 3, Told: sights.SpreadOf(late, 3)}
	if got, want := n.row(), []string{"x", "0.30 · 0.80 · 0.80", "1"}; !slices.Equal(got, want) || len(got) != len(noticedColumns) {
		t.Errorf("row %q, want %q", got, want)
	}
	n.Told.P99 = 2.1
	if notes := strings.Join(n.notes(), "\n"); !strings.Contains(notes, "within 2.1 s, 2 s wanted") || !strings.Contains(notes, "1 of 3 were not told") {
		t.Errorf("the notes say %q", notes)
	}
	if _, err := toldAfter(sent, []sights.Sight{{Line: []byte("?")}}); err == nil {
		t.Error("what is no finding is taken for one")
	}
}
