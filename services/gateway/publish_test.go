package gateway

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"weir/pkg/sketch"
	"weir/schemas"
	"weir/services/internal/fold"
)

// unaccounted are the records of a view by key and start: those that are
// somewhere and have not been taken away.
type unaccounted map[string]uint64

func (u unaccounted) add(w *schemas.Window, n uint64) {
	u[fmt.Sprint(w.Key.Values, schemas.RowTime(w.Start))] += n
}

// open takes away what a gateway holds of windows that are not final: all of it
// at the end of their way, else what has not come out yet.
func (u unaccounted) open(f *Fold, view string, whole bool) {
	for _, m := range f.windows {
		if m.view() != view {
			continue
		}
		w, _ := m.sum(nil)
		if !whole {
			w.Count -= m.emitted
		}
		u.add(&w, -w.Count)
	}
}

// lines takes away what is published, of which only the first line of a window
// is no amendment.
func (u unaccounted) lines(t *rapid.T, lines []schemas.PublishedRow, view, gateway string) {
	whole := map[string]bool{}
	for _, line := range lines {
		k := fmt.Sprint([]string{line.Key["device"] + line.Key["class"], line.Key["metric"]}, line.Start)
		if line.View != view || line.Timing != "final" || line.Gateway != gateway || line.Count == 0 {
			t.Fatalf("line %+v of view %s at %s", line, view, gateway)
		}
		if !line.Amendment && whole[k] {
			t.Fatalf("two lines of %s that are no amendments", k)
		}
		whole[k] = true
		u[k] -= line.Count
	}
}

func (u unaccounted) wantNone(t *rapid.T) {
	for k, n := range u {
		if n != 0 {
			t.Fatalf("%s: %d records are missing; below 0: counted twice", k, int64(n))
		}
	}
}

// drawAgents draws agents and what they hold of a view.
func drawAgents(t *rapid.T, view string) (agents []*agentScript, all unaccounted) {
	all = unaccounted{}
	for i := range rapid.IntRange(1, 4).Draw(t, "agents") {
		a := drawAgent(t, fmt.Sprintf("a%d", i), byte(i+1))
		agents = append(agents, a)
		for _, w := range a.latest {
			if w.View == view {
				all.add(&w, w.Count)
			}
		}
	}
	return agents, all
}

// TestLinesAddUpAtRegion: the lines of a window and what is not final yet hold
// exactly the records that the agents' latest revisions hold.
func TestLinesAddUpAtRegion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents, left := drawAgents(t, "device")
		f, n := NewFold("r01/0", schemas.TierRegion), uint64(0)
		_, lines := play(t, f, interleave(t, agents), &n)
		left.lines(t, lines, "device", "r01/0")
		left.open(f, "device", true)
		left.wantNone(t)
	})
}

// TestLinesAddUpAtCenter: the same for a view that goes through regions to the
// center, whatever the interleaving at either tier.
func TestLinesAddUpAtCenter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents, left := drawAgents(t, "fleet")
		var regions []*agentScript
		for i, of := range [][]*agentScript{agents[:len(agents)/2], agents[len(agents)/2:]} {
			if len(of) == 0 {
				continue
			}
			r, n := &agentScript{name: schemas.Producer("r", i)}, uint64(0)
			f := NewFold(r.name, schemas.TierRegion)
			r.entries, _ = play(t, f, interleave(t, of), &n)
			left.open(f, "fleet", false)
			regions = append(regions, r)
		}
		f, n := NewFold("center/0", schemas.TierCenter), uint64(0)
		_, lines := play(t, f, interleave(t, regions), &n)
		left.lines(t, lines, "fleet", "center/0")
		left.open(f, "fleet", true)
		left.wantNone(t)
	})
}

// sketched is a window of as many records as there are values, in one class or
// of one device.
func sketched(view, dim, key string, start int64, firstN uint64, values ...float64) schemas.Window {
	var s sketch.Sketch
	for _, v := range values {
		s.Add(v)
	}
	w := schemas.Window{
		View: view, Dims: []string{dim, "metric"}, Key: schemas.Key{Tenant: "t", Values: []string{key, "temp"}},
		Start: start, End: start + 10*second, FirstN: firstN, Revision: 1, Timing: schemas.OnTime,
		Count: s.Count(), Sum: s.Sum(), Min: s.Min(), Max: s.Max(),
	}
	w.Sketch, _ = s.AppendBinary(nil)
	return w
}

// message is a commit as a partition reads it.
func message(c *schemas.Commit) fold.Message {
	return fold.Message{Subject: schemas.AgentOutbox(c.Producer, schemas.KindCommit), Seq: c.N, Data: new(schemas.CommitEncoder).Append(nil, c)}
}

// siteCommit is one of an agent with a view by site, which ends at a tier.
func siteCommit(agent string, n uint64, tier schemas.Tier, publish bool, through int64, windows ...schemas.Window) *schemas.Commit {
	return &schemas.Commit{
		Producer: agent, Epoch: schemas.Epoch{1}, N: n, RunFirst: n, End: true, Time: int64(n) * 100 * second, Windows: windows,
		Views: []schemas.Progress{{View: "site", Size: 10 * second, Uplink: tier, Publish: publish, OnTimeThrough: 20 * second, FinalThrough: through}},
	}
}

// TestPublishesWhatIsAsked: only windows with a part of a producer whose policy
// says so are published, and only at the tier where their view ends.
func TestPublishesWhatIsAsked(t *testing.T) {
	for _, c := range []struct {
		name          string
		ends          schemas.Tier
		first, second bool // whether the two agents publish the view
		want          string
	}{
		{"nobody asks", schemas.TierRegion, false, false, "[] false"},
		{"one agent asks", schemas.TierRegion, true, false, "[both one] true"},
		{"the other asks", schemas.TierRegion, false, true, "[both] true"},
		{"the view goes on to the center", schemas.TierCenter, true, true, "[] true"},
	} {
		f := NewFold("r01/0", schemas.TierRegion)
		lines, forwarded := []string{}, false
		for _, commit := range []*schemas.Commit{
			siteCommit("a1", 1, c.ends, c.first, 0, sketched("site", "site", "both", 0, 1, 5), sketched("site", "site", "one", 0, 1, 6)),
			siteCommit("a2", 1, c.ends, c.second, 0, sketched("site", "site", "both", 0, 1, 7)),
			siteCommit("a1", 2, c.ends, c.first, 10*second),
			siteCommit("a2", 2, c.ends, c.second, 10*second),
		} {
			r, err := f.Apply(message(commit))
			if err != nil {
				t.Fatal(err)
			}
			if r == nil {
				continue
			}
			forwarded = r.Views[0].Publish
			for i := range r.Finals {
				lines = append(lines, r.Finals[i].Window.Dim("site"))
			}
		}
		if got := fmt.Sprint(lines, forwarded); got != c.want {
			t.Errorf("%s: published, and told the tier above: %s, want %s", c.name, got, c.want)
		}
	}
}
