package detector

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/pkg/detect"
	"weir/schemas"
)

const pair = "flow+pressure"

// paired are plain rules by which flow and pressure belong together.
func paired() *Rules {
	rules := plainRules()
	rules.Joint = [][]string{{"flow", "pressure"}}
	return &rules
}

func newPairedRig(t testing.TB) *rig {
	r := newRigOf(t, ruled(paired()))
	r.configure()
	return r
}

// flowing is a second of a pump whose pressure follows its flow, or goes against it: each of them is as usual.
func (r *rig) flowing(device string, against bool) []schemas.Early {
	move := r.noise.NormFloat64()
	flow := r.value(device, "flow", 50+2*move, 0.05)
	if against {
		move = -move
	}
	return []schemas.Early{flow, r.value(device, "pressure", 5+0.2*move, 0.005)}
}

// pump plays seconds of one pump.
func (r *rig) pump(seconds int, against bool) (out []schemas.Finding) {
	r.t.Helper()
	for range seconds {
		out = append(out, r.second(r.flowing("pump-1", against)...)...)
	}
	return out
}

// learned is how many seconds a group needs.
const learned = 1200

// TestBrokenRelationIsOneFinding: each metric is as it always is, only not with the other.
func TestBrokenRelationIsOneFinding(t *testing.T) {
	r := newPairedRig(t)
	if got := r.pump(learned, false); len(got) > 0 {
		t.Fatalf("a pump as usual led to%s", show(got))
	}
	began := r.now
	got := r.pump(20, true)
	f := wantFinding(t, got, "of flow and pressure together", isKind(schemas.Anomaly))
	if f.Device != "pump-1" || f.Metric != pair || f.Detector != jointDetector || f.View != schemas.EarlyView || f.Started < began || f.Score < f.Threshold {
		t.Errorf("the finding is %s", row(&f))
	}
	var names []string
	shares := 0.0
	for _, e := range f.Evidence {
		names, shares = append(names, e.Feature), shares+e.Share
	}
	slices.Sort(names)
	if strings.Join(names, "+") != pair || shares < 0.99 || shares > 1.01 {
		t.Errorf("explained by %+v", f.Evidence)
	}
	if !strings.Contains(f.Says, "flow, pressure of pump-1 are unusual together") || !strings.Contains(f.Says, "%") {
		t.Errorf("it says %q", f.Says)
	}
	if line := f.Row(); !line.OfMetric("flow") || !line.OfMetric("pressure") || line.OfMetric("press") {
		t.Error("it is not found by the names of its metrics")
	}
	got = append(got, r.pump(120, false)...)
	wantClosed(t, got, &f)
	for _, o := range got {
		if o.ID != f.ID {
			t.Errorf("it is told twice:%s", show(got))
		}
	}
}

// TestWithoutGroups: who configures none has none, and pays nothing.
func TestWithoutGroups(t *testing.T) {
	r := newRig(t)
	if got := append(r.pump(learned, false), r.pump(20, true)...); len(got) > 0 {
		t.Errorf("without a group a broken relation led to%s", show(got))
	}
	if d := r.fold.devices[0]; d.joints != nil || r.fold.series != 2 {
		t.Errorf("groups %v, room for %d series", d.joints, r.fold.series)
	}
}

// TestGroupAndItsMetric: what a metric shows by itself and what it shows with the others is one finding.
func TestGroupAndItsMetric(t *testing.T) {
	r := newPairedRig(t)
	r.pump(learned, false)
	var got []schemas.Finding
	for range 10 {
		e := r.flowing("pump-1", true)
		e[0] = r.value("pump-1", "flow", 90, 0.05)
		got = append(got, r.second(e...)...)
	}
	f := got[len(got)-1]
	of := map[string]bool{}
	for _, m := range f.Members {
		of[m.Metric] = true
	}
	if !of["flow"] || !of[pair] || f.Metric != "" || !f.Open() {
		t.Errorf("flow and its group are %s", row(&f))
	}
	for _, o := range got {
		if o.ID != f.ID {
			t.Errorf("they are told one by one:%s", show(got))
		}
	}
	wantClosed(t, r.pump(200, false), &f)
}

// TestPartsOfASlot: values that come one after the other in a second, in any order, are one vector; one that comes alone is none.
func TestPartsOfASlot(t *testing.T) {
	r := newPairedRig(t)
	r.pump(learned, false)
	j := func() *joint { return r.fold.devices[0].joints[0] }
	judged, partial := r.fold.values, r.fold.partial
	part := func(e schemas.Early) []schemas.Finding { return r.commit([]schemas.Early{e}, nil) }
	for range 30 { // each metric in a message of its own
		e := r.flowing("pump-1", false)
		r.now += second
		if got := append(part(e[1]), part(e[0])...); len(got) > 0 {
			t.Fatalf("parts of a second led to%s", show(got))
		}
	}
	if r.fold.values-judged != 30*5 || r.fold.partial != partial { // mean and spread of both, and the pair
		t.Errorf("%d values were judged, %d slots were not whole", r.fold.values-judged, r.fold.partial-partial)
	}
	before := j().seconds.detector.AppendState(nil)
	for range 30 { // pressure does not come any more
		if got := r.second(r.flowing("pump-1", true)[0]); len(got) > 0 {
			t.Fatalf("flow alone led to%s", show(got))
		}
	}
	if r.fold.partial-partial != 29 || !bytes.Equal(before, j().seconds.detector.AppendState(nil)) {
		t.Errorf("%d of 30 slots without pressure are counted, 29 are over", r.fold.partial-partial)
	}
	e := r.flowing("pump-1", true)
	e[0].Count = 2 // of ten
	for range 5 {
		if got := r.second(e...); len(got) > 0 {
			t.Errorf("a vector with a fifth of its records led to%s", show(got))
		}
	}
	got := r.pump(20, true)
	wantFinding(t, got, "of flow and pressure together", isKind(schemas.Anomaly))
}

// pairWindows are the windows of a pump that end now.
func (r *rig) pairWindows(against bool) []schemas.Window {
	move := r.noise.NormFloat64()
	flow := r.window(r.now, 100, 50+2*move+0.01*r.noise.NormFloat64(), 1)
	if against {
		move = -move
	}
	pressure := r.window(r.now, 100, 5+0.2*move+0.001*r.noise.NormFloat64(), 1)
	flow.Key.Values, pressure.Key.Values = []string{"pump-1", "flow"}, []string{"pump-1", "pressure"}
	return []schemas.Window{flow, pressure}
}

// TestBrokenRelationInWindows: windows of one end are a vector, in one commit or in two; revisions are none.
func TestBrokenRelationInWindows(t *testing.T) {
	r := newPairedRig(t)
	play := func(windows int, against bool) (out []schemas.Finding) {
		for range windows {
			r.now += 10 * second
			w := r.pairWindows(against)
			out = append(out, r.commit(nil, w[:1])...)
			out = append(out, r.commit(nil, w[1:])...)
			w[0].Revision, w[0].Sum = 2, 1e6
			out = append(out, r.commit(nil, w[:1])...)
		}
		return out
	}
	if got := play(learned, false); len(got) > 0 {
		t.Fatalf("windows as usual led to%s", show(got))
	}
	f := wantFinding(t, play(10, true), "of windows together", isKind(schemas.Anomaly))
	if f.View != schemas.DeviceView || f.End-f.Start != 10*second || f.Metric != pair {
		t.Errorf("the finding is %s", row(&f))
	}
	wantClosed(t, play(60, false), &f)
}

// TestBacklogOfWindows: of a backlog, a commit has all windows of one metric before those of the other.
func TestBacklogOfWindows(t *testing.T) {
	r := newPairedRig(t)
	play := func(windows int, against bool) []schemas.Finding {
		var flow, pressure []schemas.Window
		for range windows {
			r.now += 10 * second
			w := r.pairWindows(against)
			flow, pressure = append(flow, w[0]), append(pressure, w[1])
		}
		return r.commit(nil, append(flow, pressure...))
	}
	for range 3 {
		if got := play(learned/2, false); len(got) > 0 {
			t.Fatalf("windows as usual led to%s", show(got))
		}
	}
	// The group begins with the first window of pressure, when those of flow have passed.
	if j := r.fold.devices[0].joints[0]; r.fold.partial != learned/2 || cap(j.windows.slots) > 8 {
		t.Errorf("%d vectors were not whole, there is room for %d", r.fold.partial, cap(j.windows.slots))
	}
	wantFinding(t, play(10, true), "of windows together", isKind(schemas.Anomaly))
	judged, partial := r.fold.values, r.fold.partial
	play(mostSlots+1, false)
	if whole := r.fold.values - judged - 2*(mostSlots+1); whole != mostSlots/2+1 || r.fold.partial-partial != mostSlots/2 {
		t.Errorf("of too large a backlog %d vectors were judged, and %d given up", whole, r.fold.partial-partial)
	}
}

// TestCounterInAGroup is judged by its increase, also over a reset.
func TestCounterInAGroup(t *testing.T) {
	rules := paired()
	rules.Counter = func(_, _, _, metric string) bool { return metric == "flow" }
	r := newRigOf(t, ruled(rules))
	r.configure()
	total := 0.0
	play := func(seconds int, against bool) (out []schemas.Finding) {
		for range seconds {
			e := r.flowing("pump-1", against)
			total += e[0].Mean
			e[0] = schemas.Early{Tenant: "acme", Device: "pump-1", Metric: "flow", Count: 1, Mean: total, Min: total, Max: total, Last: total}
			out = append(out, r.second(e...)...)
		}
		return out
	}
	got := play(learned/2, false)
	total = 0
	if got = append(got, play(learned/2, false)...); len(got) > 0 {
		t.Fatalf("a counter that counts, and begins anew, led to%s", show(got))
	}
	f := wantFinding(t, play(20, true), "of flow and pressure together", isKind(schemas.Anomaly))
	if f.Metric != pair {
		t.Errorf("the finding is %s", row(&f))
	}
}

// TestGreatestGroup: all of sixteen metrics have to come.
func TestGreatestGroup(t *testing.T) {
	rules := plainRules()
	rules.Joint = [][]string{devices(detect.MaxChannels)} // any names will do
	r := newRigOf(t, ruled(&rules))
	r.configure()
	for range 5 {
		var early []schemas.Early
		for _, metric := range rules.Joint[0] {
			early = append(early, r.value("pump-1", metric, 50, 1))
		}
		r.second(early...)
		r.second(early[:detect.MaxChannels-1]...)
	}
	j := r.fold.devices[0].joints[0]
	if judged := r.fold.values - 2*5*(2*detect.MaxChannels-1); judged != 4 || r.fold.partial != 5 || len(j.seconds.slots) != 1 {
		t.Errorf("%d vectors were judged, %d were not whole, and %d may become so", judged, r.fold.partial, len(j.seconds.slots))
	}
}

// TestGroupsTakeRoom of three series each, and leave it with their device or their rules.
func TestGroupsTakeRoom(t *testing.T) {
	rules, most := paired(), 5
	r := newRigOf(t, func([]byte) (*Settings, error) {
		s := DefaultSettings()
		s.Rules, s.MaxSeries = func(string, string) *Rules { return rules }, most
		return s, nil
	})
	r.configure()
	r.pump(10, false)
	want := func(series, groups int) {
		t.Helper()
		n := 0
		for _, j := range r.fold.devices[0].joints {
			if j != nil {
				n++
			}
		}
		if r.fold.series != series || n != groups {
			t.Errorf("%d groups, room for %d series, want %d and %d", n, r.fold.series, groups, series)
		}
	}
	want(5, 1)
	first := r.fold.devices[0].joints[0]
	rules, most = paired(), 4
	rules.Joint = [][]string{{"flow", "temp"}, {"pressure", "flow"}, {"flow", "pressure"}}
	r.configure()
	r.pump(10, false)
	want(5, 1)
	if r.fold.devices[0].joints[2] != first || r.fold.overflow == 0 {
		t.Errorf("a group that stays begins anew; %d values found no room", r.fold.overflow)
	}
	rules = new(Rules)
	*rules = plainRules()
	r.configure()
	r.pump(10, false)
	want(2, 0)
}

// TestAnyCrashWithGroups: whoever restores a state at any point and folds what follows says what was said without the
// crash, and ends in the same state, to the byte.
func TestAnyCrashWithGroups(t *testing.T) {
	r := newPairedRig(t)
	var states [][]byte // before each message
	var said []int      // findings told before it
	tell := func(early []schemas.Early, windows []schemas.Window) {
		states, said = append(states, r.fold.Append(nil)), append(said, len(r.told))
		r.commit(early, windows)
	}
	for i := range learned + 120 {
		r.now += second
		e := append(r.flowing("pump-1", i >= learned && i < learned+20), r.flowing("pump-2", false)...)
		switch {
		case i%50 == 7:
			tell(e[:1], nil)
			tell(e[1:], nil)
		case i%50 == 23:
			tell(e[1:], nil)
		case i%10 == 0:
			w := r.pairWindows(false)
			tell(e, w[:1])
			tell(nil, w[1:])
		default:
			tell(e, nil)
		}
	}
	wantFinding(t, r.told, "the end of one", func(f *schemas.Finding) bool { return f.State == schemas.FindingClosed && f.Metric == pair })
	end := r.fold.Append(nil)
	rapid.Check(t, func(rt *rapid.T) {
		from := rapid.IntRange(learned/2, len(states)-1).Draw(rt, "from")
		again := newPairedRig(t)
		if err := again.fold.Restore(states[from]); err != nil {
			rt.Fatal(err)
		}
		var told []schemas.Finding
		for _, m := range r.log[max(0, from-rapid.IntRange(0, 5).Draw(rt, "repeats")):] {
			told = append(told, again.apply(m)...)
		}
		if want := r.told[said[from]:]; fmt.Sprint(told) != fmt.Sprint(want) {
			rt.Fatalf("from message %d on it says%s\nwithout a crash%s", from, show(told), show(want))
		}
		if got := again.fold.Append(nil); !bytes.Equal(got, end) {
			rt.Fatalf("from message %d on it ends in a state of %d bytes that differs, want %d", from, len(got), len(end))
		}
	})
}

// TestFormerState: a state of before there were groups is read, and one that was cut short is not.
func TestFormerState(t *testing.T) {
	r := newRigOf(t, ruled(paired()))
	r.configure()
	r.normal(60, "pump-1")
	now := r.fold.Append(nil)
	former := bytes.Clone(now[:len(now)-1]) // the one device has no groups
	former[0] = 1
	at := bytes.Index(former, tallied(r.fold))
	if at < 0 {
		t.Fatal("the counts are not in the state")
	}
	former = slices.Delete(former, at+len(tallied(r.fold))-1, at+len(tallied(r.fold))) // nor was there partial
	if err := r.fold.Restore(former); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.fold.Append(nil), now) {
		t.Error("what was read is another state")
	}
	r.pump(10, false)
	groups := r.fold.Append(nil)
	for n := range groups {
		if n%11 == 0 {
			if err := NewFold("a001", ruled(paired())).Restore(groups[:n]); err == nil {
				t.Fatalf("%d bytes of %d were restored", n, len(groups))
			}
		}
	}
	if err := NewFold("a001", ruled(paired())).Restore(groups); err != nil {
		t.Fatal(err)
	}
}

// tallied are the counts as they stand in a state.
func tallied(f *Fold) (b []byte) {
	for _, v := range [...]uint64{f.missed, f.overflow, f.bursts, f.values, f.damaged, f.partial} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// TestFormerJoint: a group whose detector is of another version learns anew, and nothing else is lost.
func TestFormerJoint(t *testing.T) {
	r := newPairedRig(t)
	r.pump(60, false)
	saved := r.fold.Append(nil)
	state := r.fold.devices[0].joints[0].seconds.detector.AppendState(nil)
	saved[bytes.Index(saved, state)] = 1 // its version
	if err := r.fold.Restore(saved); err != nil {
		t.Fatal(err)
	}
	if j := r.fold.devices[0].joints[0]; j.seconds.detector != nil || j.seconds.over != r.now {
		t.Errorf("group %+v, want it without its detector", j.seconds)
	}
	r.pump(60, false)
	if d := r.fold.devices[0].joints[0].seconds.detector; d == nil || len(d.AppendState(nil)) != len(state) {
		t.Error("it does not learn anew")
	}
}
