package schemas

import (
	"math"
	"math/bits"
	"testing"

	"pgregory.net/rapid"
)

// These numbers are in data folders and in digests of other machines: they never change.
func TestIdentityGolden(t *testing.T) {
	f := func(what string, got, want uint64) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %#x, was %#x", what, got, want)
		}
	}
	series := SeriesIdentity("acme", "pump-1", "a1", "temp")
	f("series", series, 0xdd399a2591455f0b)
	f("series without a boot", SeriesIdentity("acme", "pump-1", "", "temp"), 0x602baf3c51639044)
	f("record 0", NumberedIdentity(series, 0), 0x530c12cc3ea675b6)
	f("record 17", NumberedIdentity(series, 17), 0xbac3fec7047388f6)
	f("last record", NumberedIdentity(series, math.MaxUint64), 0x6df64e0a6690efba)
	f("unnumbered", UnnumberedIdentity(series, t0, 21.5), 0x2338891dead7eb73)
	f("unnumbered before 1970", UnnumberedIdentity(series, -1, 0), 0x1bacb790157ddc5d)
	f("unnumbered minus zero", UnnumberedIdentity(series, -1, math.Copysign(0, -1)), 0xdcbf9e9b4fe6ecfb)
	f("name", HashName("agent-1"), 0x95d4ab30f93a203e)
	f("partition", uint64(Partition("agent-1")), 14)
	f("agent of 100", uint64(AgentOf("acme", "pump-1", 100)), 23)
	f("agent of 1", uint64(AgentOf("acme", "pump-1", 1)), 0)
	f("message", Hash([]byte("weir")), 0x25cb98be5b82688e)
}

// TestIdentityTellsApart: moving a byte between neighboring fields is another series.
func TestIdentityTellsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.SliceOfN(rapid.StringMatching(`[ab]{0,3}`), 4, 4)
		a, b := fields.Draw(t, "a"), fields.Draw(t, "b")
		same := a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3]
		if got := SeriesIdentity(a[0], a[1], a[2], a[3]) == SeriesIdentity(b[0], b[1], b[2], b[3]); got != same {
			t.Fatalf("%q and %q: equal identities are %v", a, b, got)
		}
	})
}

// TestIdentityAvalanche: one bit of the input changes half of the output. The
// bounds are eight standard deviations of the mean of 64·64 flips wide.
func TestIdentityAvalanche(t *testing.T) {
	series := SeriesIdentity("acme", "pump-1", "a1", "temp")
	for what, identity := range map[string]func(uint64) uint64{
		"seq":    func(x uint64) uint64 { return NumberedIdentity(series, x) },
		"time":   func(x uint64) uint64 { return UnnumberedIdentity(series, int64(x), 21.5) },
		"value":  func(x uint64) uint64 { return UnnumberedIdentity(series, t0, math.Float64frombits(x)) },
		"series": func(x uint64) uint64 { return NumberedIdentity(x, 17) },
	} {
		changed := 0
		for n := range uint64(64) {
			for bit := range 64 {
				changed += bits.OnesCount64(identity(n) ^ identity(n^1<<bit))
			}
		}
		if mean := float64(changed) / (64 * 64); mean < 31.5 || mean > 32.5 {
			t.Errorf("one bit of the %s changes %.2f bits of the identity on average, want 32", what, mean)
		}
	}
}

// TestDigest: sums of the identities of different numbers differ, also where the numbers' sums do not.
func TestDigest(t *testing.T) {
	series := SeriesIdentity("acme", "pump-1", "a1", "temp")
	seen := map[uint64][2]uint64{}
	for a := range uint64(200) {
		for b := range a {
			sum := NumberedIdentity(series, a) + NumberedIdentity(series, b)
			if other, taken := seen[sum]; taken {
				t.Fatalf("records %d, %d and %d have one digest", a, b, other)
			}
			seen[sum] = [2]uint64{a, b}
		}
	}
}

func TestBeforeIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		time, id := rapid.Int64Range(0, 2), rapid.Uint64Range(0, 2)
		ta, ia, tb, ib := time.Draw(t, "ta"), id.Draw(t, "ia"), time.Draw(t, "tb"), id.Draw(t, "ib")
		before, after := Before(ta, ia, tb, ib), Before(tb, ib, ta, ia)
		if same := ta == tb && ia == ib; before && after || same == (before || after) {
			t.Fatalf("(%d, %d) before (%d, %d): %v, after: %v", ta, ia, tb, ib, before, after)
		}
		if ta < tb && !before {
			t.Fatalf("time %d is not before %d", ta, tb)
		}
	})
}

// TestPlacement: devices spread evenly over agents, agents over partitions.
func TestPlacement(t *testing.T) {
	const devices, agents = 10_000, 100
	var perAgent [agents]int
	var perPartition [Partitions]int
	for i := range devices {
		name := "device-" + string(rune('a'+i%26)) + "-" + deviceNames[i%1000] + string(rune('0'+i/1000))
		perAgent[AgentOf("acme", name, agents)]++
		perPartition[Partition(name)]++
	}
	for i, n := range perAgent {
		if n < 50 || n > 160 { // 100 ± 6 σ
			t.Errorf("agent %d has %d of %d devices", i, n, devices)
		}
	}
	for i, n := range perPartition {
		if n < 480 || n > 770 { // 625 ± 6 σ
			t.Errorf("partition %d has %d of %d names", i, n, devices)
		}
	}
}
