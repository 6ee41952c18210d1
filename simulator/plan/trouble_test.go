package plan

import "testing"

// TestTrouble: in eight turns each troubled device goes through every kind of trouble,
// the others through none; trouble changes values and when messages are sent, and nothing
// else. Only the others are late.
func TestTrouble(t *testing.T) {
	spec := Spec{Run: "abc", Seed: 1, Tenant: "demo", Devices: 10, Period: s / 10, Batch: 1, Pattern: Steady, Lateness: 60 * s, Size: 10 * s, Faults: Faults{Late: 1}}
	usual, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	spec.Trouble = true
	p, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	for d := range spec.Devices {
		seen := map[trouble]int{}
		c, flatAt := Cursor{Device: d}, int64(0)
		for c.Index < 8*troubleTurn/(s/10) {
			m := p.Next(&c)
			what, _, _ := p.trouble(d, p.Due(d, m.Index))
			seen[what]++
			got, want := p.Value(m, 0), usual.Value(m, 0)
			switch {
			case what == flat && flatAt == 0:
				flatAt = got
			case what == flat && got != flatAt,
				what == step && got != want+20*unitsPerOne, what == spike && got != want+60*unitsPerOne,
				(what == fine || what == silent) && got != want:
				t.Fatalf("device %d, message %d: trouble %d has the value %d, without it is %d", d, m.Index, what, got, want)
			}
			if m.Fate == Late && d%troubleShare == 0 {
				t.Fatalf("device %d, message %d is late", d, m.Index)
			}
			if delay := p.Delay(m); m.Fate != Late && (what == silent) != (delay > 0) || delay > 40*s {
				t.Fatalf("device %d, message %d: trouble %d holds it back for %d ns", d, m.Index, what, delay)
			}
			if p.EventTime(m, 0) != usual.EventTime(m, 0) {
				t.Fatal("trouble moves event times")
			}
		}
		if troubled := d%troubleShare == 0; troubled != (len(seen) == 5) || !troubled && len(seen) != 1 {
			t.Errorf("device %d: messages by trouble %v", d, seen)
		}
	}
}
