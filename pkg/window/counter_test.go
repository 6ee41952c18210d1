package window

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// reading is a sample in the naive model.
type reading struct {
	at    int64
	value float64
	id    uint64
}

// naiveIncrease is the definition: the steps that end in bounds, over all readings in order.
func naiveIncrease(all []reading, b Bounds) (total float64, resets int) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b reading) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return int(a.id) - int(b.id)
	})
	for i := 1; i < len(all); i++ {
		if !b.Contains(all[i].at) {
			continue
		}
		if all[i].value >= all[i-1].value {
			total += all[i].value - all[i-1].value
		} else {
			total += all[i].value
			resets++
		}
	}
	return total, resets
}

func TestCounterIncrease(t *testing.T) {
	f := func(want float64, wantResets int, before []float64, values ...float64) {
		t.Helper()
		var c, b Counter
		for i, v := range before {
			b.Add(int64(i), v, 0, never)
		}
		for i, v := range values {
			c.Add(int64(100+i), v, 0, never)
		}
		if got, resets := c.Increase(&b); got != want || resets != wantResets {
			t.Errorf("%v after %v: increase %v with %d resets, want %v with %d", values, before, got, resets, want, wantResets)
		}
	}
	f(0, 0, nil)
	f(0, 0, nil, 5)
	f(2, 0, nil, 5, 7)
	f(6, 1, nil, 5, 7, 2, 4)
	f(4, 0, []float64{1, 3}, 5, 7)
	f(7, 1, []float64{9}, 5, 7)
	f(3, 3, nil, 3, 2, 1, 0)
	f(0, 0, []float64{4}, 4, 4)
	var c Counter
	c.Add(1, 5, 0, never)
	if got, _ := c.Increase(nil); got != 0 {
		t.Errorf("the first sample of all gave an increase of %v", got)
	}
}

// Through Panes, in any order within the permitted delay: each window's increase is the naive one, for tumbling and
// hopping windows, whatever came before the window; so for tumbling windows nothing is lost between them.
func TestCounterWindowsEqualDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.Carry, spec.MaxOpen = true, 1000
		disorder := rapid.Int64Range(1, 10).Draw(t, "disorder")
		values := map[uint64]float64{}
		var readings []reading
		records := drawRecords(t)
		for _, r := range records {
			values[r.id] = float64(rapid.IntRange(0, 6).Draw(t, "value"))
			readings = append(readings, reading{r.t, values[r.id], r.id})
		}
		arrivals := delayed(t, records, disorder+spec.Lateness-1)
		for b, got := range foldCounters(t, spec, disorder, arrivals, values) {
			if want, _ := naiveIncrease(readings, b); got != want {
				t.Fatalf("window %v: increase %v, want %v", b, got, want)
			}
		}
	})
}

// foldCounters gives the increases in the last revisions.
func foldCounters(t *rapid.T, spec Spec, disorder int64, arrivals []record, values map[uint64]float64) map[Bounds]float64 {
	pool := NewPool[tally](100)
	var panes Panes[tally]
	last, seen, newest := map[Bounds]float64{}, map[uint64]bool{}, int64(never)
	emit := func(v Revision[tally]) {
		var before *Counter
		if v.Before != nil {
			before = &v.Before.counter
		}
		last[v.Bounds], _ = v.Acc.counter.Increase(before)
	}
	for _, r := range arrivals {
		newest = max(newest, r.t)
		acc, ok := panes.Accept(&spec, r.t, newest-disorder, pool)
		if !ok {
			t.Fatalf("record at %d is late", r.t)
		}
		if !seen[r.id] {
			seen[r.id] = true
			acc.counter.Add(r.t, values[r.id], r.id, newest-disorder)
		}
		if rapid.IntRange(0, 3).Draw(t, "advance") == 0 {
			panes.Advance(&spec, newest-disorder, newest-disorder, never, pool, emit)
		}
	}
	panes.Advance(&spec, forever, forever, never, pool, emit)
	return last
}

// Slices merge to the whole in any order.
func TestCounterMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var whole, merged Counter
		parts := make([]Counter, rapid.IntRange(1, 5).Draw(t, "parts"))
		for i := range rapid.IntRange(0, 40).Draw(t, "samples") {
			at, value := rapid.Int64Range(0, 99).Draw(t, "at"), float64(rapid.IntRange(0, 9).Draw(t, "value"))
			whole.Add(at, value, uint64(i), never)
			parts[int(at)*len(parts)/100].Add(at, value, uint64(i), never)
		}
		for _, i := range shuffled(t, len(parts)) {
			merged.Merge(&parts[i])
		}
		if !slices.Equal(whole.samples, merged.samples) {
			t.Fatalf("merged %v, want %v", merged.samples, whole.samples)
		}
	})
}

func shuffled(t *rapid.T, n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return rapid.Permutation(order).Draw(t, "order")
}

// A slice that is thinned gives the increase of the whole for every order within the disorder, however often the
// counter resets and climbs up again between samples that came first.
func TestCounterThinsExactly(t *testing.T) {
	const n, disorder = 700, 200
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		readings := make([]reading, n)
		for i := range readings {
			readings[i] = reading{int64(10*i + random.IntN(10)), float64(random.IntN(7)), uint64(i)}
		}
		want, wantResets := naiveIncrease(readings, Bounds{0, 10 * n})
		c := jittered(random, readings, disorder)
		if got, resets := c.Increase(nil); got != want || resets != wantResets {
			t.Fatalf("seed %d: increase %v with %d resets, want %v with %d", seed, got, resets, want, wantResets)
		}
		if len(c.samples) == n {
			t.Fatal("nothing was thinned")
		}
	}
}

// What a long slice keeps depends on the resets, not on the number of samples, and thinning does not change the
// increase by a bit.
func TestCounterKeepsFewSamples(t *testing.T) {
	const n, disorder = 20_000, 100
	random := rand.New(rand.NewPCG(1, 2))
	readings := make([]reading, n)
	var whole Counter
	value := 0.0
	for i := range readings {
		value += random.Float64()
		if random.IntN(1000) == 0 {
			value = random.Float64()
		}
		readings[i] = reading{int64(i), value, uint64(i)}
		whole.samples = append(whole.samples, sample{at: int64(i), value: value, id: uint64(i)})
	}
	c := jittered(random, readings, disorder)
	got, resets := c.Increase(nil)
	if want, wantResets := whole.Increase(nil); got != want || resets != wantResets || resets == 0 {
		t.Errorf("increase %v with %d resets, want %v with %d", got, resets, want, wantResets)
	}
	if len(c.samples) > disorder+2*resets+2*thinFrom {
		t.Errorf("%d samples are kept for %d resets", len(c.samples), resets)
	}
}

// jittered adds readings in an order in which each comes less than disorder after its turn, half of them just so.
func jittered(random *rand.Rand, readings []reading, disorder int) *Counter {
	when := map[uint64]int64{}
	for _, r := range readings {
		when[r.id] = r.at + max(0, int64(disorder-1)-random.Int64N(2)*random.Int64N(int64(2*disorder)))
	}
	arrivals := slices.SortedStableFunc(slices.Values(readings), func(a, b reading) int { return int(when[a.id] - when[b.id]) })
	c, newest := &Counter{}, int64(never)
	for _, r := range arrivals {
		newest = max(newest, r.at)
		c.Add(r.at, r.value, r.id, newest-int64(disorder))
	}
	return c
}

// A slice with any number of resets stays bounded, and in order of time keeps the increase.
func TestCounterFoldsManyResets(t *testing.T) {
	var c, before Counter
	var readings []reading
	random := rand.New(rand.NewPCG(3, 4))
	for i := range int64(5000) {
		r := reading{100 + i, float64(random.IntN(64)), uint64(i)}
		readings = append(readings, r)
		c.Add(r.at, r.value, r.id, never)
		if len(c.samples) >= foldFrom {
			t.Fatalf("%d samples are kept", len(c.samples))
		}
	}
	before.Add(1, 32, 0, never)
	readings = append(readings, reading{1, 32, 0})
	want, _ := naiveIncrease(readings, Bounds{100, 10_000})
	if got, _ := c.Increase(&before); got != want {
		t.Errorf("increase %v, want %v", got, want)
	}
}
