package bus

import (
	"testing"
	"time"
)

// TestJoined: links that are gone are forgotten before they are too many, and
// those that are there, or may just be coming, never.
func TestJoined(t *testing.T) {
	var j joined
	now := time.Unix(1000, 0)
	there := map[uint64]bool{}
	most := 0
	for id := range uint64(2000) {
		now = now.Add(time.Second)
		there[id] = true
		if id >= 100 { // a hundred links, each of which comes and goes
			delete(there, id-100)
		}
		if j.add(id, "link-a", "a", now) {
			delete(there, id) // not among them yet
			j.keep(there, now)
			there[id] = true
		}
		for id := range there {
			if j.get(id).name != "a" {
				t.Fatalf("link %d is forgotten", id)
			}
		}
		most = max(most, len(j.by))
	}
	if most > 500 {
		t.Errorf("%d links are remembered", most)
	}
}
