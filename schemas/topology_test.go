package schemas

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// overlap reports whether some subject matches both patterns of NATS.
func overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		switch {
		case as[i] == ">" || bs[i] == ">":
			return true
		case as[i] != bs[i] && as[i] != "*" && bs[i] != "*":
			return false
		}
	}
	return len(as) == len(bs)
}

func TestOverlap(t *testing.T) {
	f := func(a, b string, want bool) {
		t.Helper()
		if overlap(a, b) != want || overlap(b, a) != want {
			t.Errorf("%s and %s overlap: want %v", a, b, want)
		}
	}
	f("a.b", "a.b", true)
	f("a.b", "a.c", false)
	f("a.*", "a.c", true)
	f("a.*", "*.c", true)
	f("a.*", "a.b.c", false)
	f("a.>", "a.b.c", true)
	f("a.>", "a", false)
	f("*.b", "a.*.c", false)
}

func regionNames() *rapid.Generator[[]string] {
	region := names().Filter(func(s string) bool { return CheckRegion(s) == nil })
	return rapid.SliceOfNDistinct(region, 0, 40, rapid.ID[string])
}

// TestNothingIsStoredTwice: JetStream refuses streams whose subjects overlap.
func TestNothingIsStoredTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wantDisjoint(t, OneProcess(DefaultSizes(), regionNames().Draw(t, "regions")))
	})
	for _, streams := range [][]Stream{Edge(EdgeSizes()), Region(DefaultSizes(), "north"), CenterTier(DefaultSizes())} {
		wantDisjoint(t, streams)
	}
}

func wantDisjoint(t interface{ Fatalf(string, ...any) }, streams []Stream) {
	stored := map[string]string{}
	for _, s := range streams {
		for _, subject := range s.Subjects {
			for other, stream := range stored {
				if overlap(subject, other) {
					t.Fatalf("%s of %s overlaps %s of %s", subject, s.Name, other, stream)
				}
			}
			stored[subject] = s.Name
		}
	}
}

// TestEverySubjectHasItsStream: what is published lands in the stream that its reader reads.
func TestEverySubjectHasItsStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		regions := regionNames().Draw(t, "regions")
		streams := OneProcess(DefaultSizes(), regions)
		f := func(subject, want string) {
			var in []string
			for _, s := range streams {
				for _, pattern := range s.Subjects {
					if overlap(subject, pattern) {
						in = append(in, s.Name)
					}
				}
			}
			if fmt.Sprint(in) != fmt.Sprint([]string{want}) {
				t.Fatalf("%s is stored in %v, want %s", subject, in, want)
			}
		}
		agent, partition := names().Draw(t, "agent"), rapid.IntRange(0, Partitions-1).Draw(t, "partition")
		f(Journal(agent), StreamJournal)
		f(AgentOutbox(agent, KindCommit), StreamAgentOutbox)
		f(State(agent), StreamCheckpoint)
		f(State(Producer(Center, partition)), StreamCheckpoint)
		f(GatewayOutbox(Center, partition, KindCommit), StreamCenterOutbox)
		f(Parked(agent, "acme"), StreamParked)
		f(Kept(agent)+"box.acme.pump-1", StreamCommands)
		for _, r := range regions {
			f(GatewayOutbox(r, partition, KindCommit), StreamRegionOutbox)
		}
	})
}

func TestStreamsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	all := OneProcess(DefaultSizes(), []string{"north"})
	all = append(all, Region(DefaultSizes(), "north")[0], CenterTier(DefaultSizes())[0])
	for _, s := range all {
		if s.MaxBytes <= 0 || s.Why == "" || len(s.Subjects) == 0 || seen[s.Name] {
			t.Errorf("%+v: want a name of its own, subjects, a cap and a reason", s)
		}
		seen[s.Name] = true
	}
	for _, name := range []string{StreamJournal, StreamAgentOutbox, StreamCheckpoint, StreamRegionOutbox, StreamCenterOutbox, StreamParked, StreamCommands, StreamRegionInbox, StreamCenterInbox} {
		if !seen[name] {
			t.Errorf("%s is not in the topology", name)
		}
	}
}
