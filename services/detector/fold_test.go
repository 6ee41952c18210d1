package detector

import (
	"slices"
	"strings"
	"testing"

	"weir/pkg/detect"
	"weir/schemas"
)

// wantFinding finds the one finding of a list that fits, and fails without it.
func wantFinding(t *testing.T, told []schemas.Finding, what string, fits func(*schemas.Finding) bool) schemas.Finding {
	t.Helper()
	i := slices.IndexFunc(told, func(f schemas.Finding) bool { return fits(&f) })
	if i < 0 {
		t.Fatalf("no finding is %s among:%s", what, show(told))
	}
	return told[i]
}

// wantClosed says that a finding was closed in the end, under its one ID.
func wantClosed(t *testing.T, told []schemas.Finding, f *schemas.Finding) schemas.Finding {
	t.Helper()
	c := wantFinding(t, told, "the end of "+schemas.RowID(f.ID), func(c *schemas.Finding) bool {
		return c.ID == f.ID && c.State == schemas.FindingClosed
	})
	if c.Ended < c.Started || c.Ended > c.Updated {
		t.Errorf("it began at %d, ended at %d and was told at %d", c.Started, c.Ended, c.Updated)
	}
	return c
}

func isKind(k schemas.FindingKind) func(*schemas.Finding) bool {
	return func(f *schemas.Finding) bool { return f.Kind == k && f.State == schemas.FindingOpen }
}

func TestQuietWhereNothingIsWrong(t *testing.T) {
	r := newRig(t)
	if got := r.normal(1800, devices(3)...); len(got) > 0 {
		t.Errorf("half an hour of noise led to%s", show(got))
	}
}

// TestStepIsOneFinding with the detector as shipped.
func TestStepIsOneFinding(t *testing.T) {
	rules := *DefaultSettings().Rules("", "")
	r := newRigOf(t, ruled(&rules))
	r.configure()
	r.normal(600, "pump-1")
	began := r.now
	var got []schemas.Finding
	for range 5 {
		got = append(got, r.second(r.value("pump-1", "temp", 70, 1), r.value("pump-1", "load", 300, 5))...)
	}
	f := wantFinding(t, got, "an anomaly", func(f *schemas.Finding) bool { return f.Kind == schemas.Anomaly && f.Open() })
	if f.Device != "pump-1" || f.Updated > began+3*second {
		t.Errorf("a step at %d is a finding of %s, since %d, told at %d", began, f.Device, f.Started, f.Updated)
	}
	if len(f.Evidence) == 0 || f.Tail <= 0 || f.Tail > 1e-4 || f.Threshold <= 0 || f.Score < f.Threshold || !strings.Contains(f.Says, "usually") {
		t.Errorf("it does not say why: %s", row(&f))
	}
	for _, o := range got {
		if o.ID != f.ID {
			t.Errorf("two metrics of a device are two findings:%s", show(got))
		}
	}
	got = r.normal(400, "pump-1")
	wantClosed(t, got, &f)
}

func TestSilentDevice(t *testing.T) {
	r := newRig(t)
	r.normal(100, "pump-1", "pump-2")
	last := r.now
	var f schemas.Finding
	for f.ID == 0 && r.now < last+60*second {
		if got := r.normal(1, "pump-2"); len(got) > 0 {
			f = wantFinding(t, got, "silence", isKind(schemas.Silent))
		}
	}
	if f.Device != "pump-1" || f.Metric != "" || r.now-last > DefaultSilentAfter+2*second || r.now-last <= DefaultSilentAfter {
		t.Fatalf("silence of %d ns is told after %d: %s", DefaultSilentAfter, r.now-last, row(&f))
	}
	if got := r.normal(100, "pump-2"); len(got) > 0 {
		t.Errorf("silence that goes on is told again:%s", show(got))
	}
	wantClosed(t, r.normal(1, "pump-1", "pump-2"), &f)
}

// TestSlowDeviceIsNotSilent: a device that sends once a minute is not silent after half of one.
func TestSlowDeviceIsNotSilent(t *testing.T) {
	r := newRig(t)
	for range 20 {
		r.normal(1, "pump-1", "slow")
		if got := r.normal(59, "pump-1"); len(got) > 0 {
			t.Fatalf("a device that sends once a minute led to%s", show(got))
		}
	}
	got := r.normal(200, "pump-1")
	f := wantFinding(t, got, "silence", isKind(schemas.Silent))
	if f.Device != "slow" || f.Updated-f.Started < 3*60*second {
		t.Errorf("silence of %d s is too early: %s", (f.Updated-f.Started)/second, row(&f))
	}
}

func TestMissingMetric(t *testing.T) {
	r := newRig(t)
	r.normal(100, "pump-1")
	for range 40 {
		r.second(r.value("pump-1", "temp", 50, 1))
	}
	f := wantFinding(t, r.told, "a missing metric", isKind(schemas.Missing))
	if f.Metric != "load" {
		t.Errorf("load is missing: %s", row(&f))
	}
	r.normal(20, "pump-1")
	wantClosed(t, r.told, &f)
}

func TestStuckValue(t *testing.T) {
	r := newRig(t)
	r.normal(200, "pump-1")
	for range 40 {
		e := schemas.Early{Tenant: "acme", Device: "pump-1", Metric: "temp", Count: 10, Mean: 50, Min: 50, Max: 50, Last: 50}
		r.second(e, r.value("pump-1", "load", 200, 5))
	}
	wantFinding(t, r.told, "a stuck value", func(f *schemas.Finding) bool { return f.Kind == schemas.Stuck && f.Metric == "temp" })
}

// TestSlowValueIsNotStuck: one value a minute that is the same a few times is so by chance. Ten times is stuck.
func TestSlowValueIsNotStuck(t *testing.T) {
	r := newRig(t)
	say := func(value float64) {
		for range 59 {
			r.second()
		}
		r.second(schemas.Early{Tenant: "acme", Device: "pump-1", Metric: "temp", Count: 1, Mean: value, Min: value, Max: value, Last: value})
	}
	stuck := func(f *schemas.Finding) bool { return f.Kind == schemas.Stuck }
	for i := range 200 {
		say(50 + float64(i))
	}
	for range 5 {
		say(50)
	}
	say(51)
	if i := slices.IndexFunc(r.told, func(f schemas.Finding) bool { return stuck(&f) }); i >= 0 {
		t.Fatalf("four minutes without a change led to%s", show(r.told[i:i+1]))
	}
	for range 12 {
		say(52)
	}
	wantFinding(t, r.told, "a stuck value", stuck)
}

// TestConstantIsNotStuck: what has never moved is not stuck.
func TestConstantIsNotStuck(t *testing.T) {
	r := newRig(t)
	for range 900 {
		e := schemas.Early{Tenant: "acme", Device: "pump-1", Metric: "setpoint", Count: 10, Mean: 20, Min: 20, Max: 20, Last: 20}
		if got := r.second(e); len(got) > 0 {
			t.Fatalf("a constant led to%s", show(got))
		}
	}
}

// ruled compiles every document to the given rules.
func ruled(rules *Rules) Compile {
	return func([]byte) (*Settings, error) {
		s := DefaultSettings()
		s.Rules = func(string, string) *Rules { return rules }
		return s, nil
	}
}

func (r *rig) configure() {
	r.next.Config = &schemas.Config{Revision: 7, Document: []byte("{}")}
}

func TestLimitsAndRates(t *testing.T) {
	rules := plainRules()
	high := 80.0
	rules.Metric = func(metric string) *MetricRules {
		if metric != "temp" {
			return nil
		}
		return &MetricRules{High: &high, MaxRate: 20}
	}
	r := newRigOf(t, ruled(&rules))
	r.configure()
	r.normal(10, "pump-1")
	e := schemas.Early{Tenant: "acme", Device: "pump-1", Metric: "temp", Count: 2, Mean: 70, Min: 50, Max: 90, Last: 50}
	f := wantFinding(t, r.second(e), "beyond its limit at once, in the first minute", isKind(schemas.Limit))
	if f.Severity != schemas.Critical || f.Threshold != 80 || f.Evidence[0].Observed != 90 || f.Kind == schemas.Anomaly {
		t.Errorf("a limit: %s", row(&f))
	}
	got := r.normal(30, "pump-1")
	wantClosed(t, got, &f)
	e.Min, e.Max, e.Mean, e.Last = 10, 10, 10, 10
	wantFinding(t, r.second(e), "a change that is too fast", isKind(schemas.Rate))
}

// TestManyDevicesAreOneFinding: one cause on many devices at once is told once.
func TestManyDevicesAreOneFinding(t *testing.T) {
	r := newRig(t)
	names := devices(12)
	r.normal(600, names...)
	var early []schemas.Early
	for _, d := range names[:8] {
		early = append(early, r.value(d, "temp", 90, 1))
	}
	var got []schemas.Finding
	for range 3 {
		got = append(got, r.second(early...)...)
	}
	f := wantFinding(t, got, "of many devices", func(f *schemas.Finding) bool { return f.Device == "" && f.State == schemas.FindingOpen })
	if f.Devices != 8 || len(f.Members) != 8 || f.Metric != "temp" || f.Class != "default" || f.Part != 0 {
		t.Errorf("8 devices are %s", row(&f))
	}
	if !slices.Contains(f.Shared, schemas.Attr{Key: "metric", Value: "temp"}) || !slices.Contains(f.Shared, schemas.Attr{Key: "agent", Value: "a001"}) {
		t.Errorf("they share %v", f.Shared)
	}
	for _, o := range got {
		if o.Device != "" {
			t.Errorf("a device of a group is told by itself:%s", show(got))
		}
	}
	wantClosed(t, r.normal(400, names...), &f)
}

// TestFindingsGoIntoAGroup: devices that follow one after the other are told
// one by one until they are enough; then their findings end in that of the group.
func TestFindingsGoIntoAGroup(t *testing.T) {
	r := newRig(t)
	names := devices(8)
	r.normal(60, names...)
	for i := range names {
		r.normal(1, names[i+1:]...) // each second one less
	}
	for range 45 {
		r.second()
	}
	g := wantFinding(t, r.told, "of many devices", func(f *schemas.Finding) bool { return f.Device == "" })
	ended := 0
	for _, f := range r.told {
		if f.Device != "" && f.State == schemas.FindingClosed {
			ended++
			if f.Part != g.ID {
				t.Errorf("the finding of %s ended in %x, want %x", f.Device, f.Part, g.ID)
			}
		}
	}
	last := r.told[len(r.told)-1]
	if ended != DefaultGroupOf-1 || last.ID != g.ID || last.Devices != 8 {
		t.Errorf("%d findings went into the group, want %d; in the end it has %d devices, want 8:%s", ended, DefaultGroupOf-1, last.Devices, show(r.told))
	}
}

// TestSilenceAfterAStart: nobody listened while ingest was away. What was silent
// before still is, under its ID.
func TestSilenceAfterAStart(t *testing.T) {
	r := newRig(t)
	r.normal(100, "pump-1", "pump-2")
	r.normal(40, "pump-2")
	f := wantFinding(t, r.told, "silence", isKind(schemas.Silent))
	r.told = nil
	r.now += 60 * second
	r.next.Resumed = true
	r.normal(5, "pump-2")
	r.normal(60, "pump-2")
	if len(r.told) > 0 {
		t.Errorf("a start led to%s", show(r.told))
	}
	r.now += 60 * second
	r.next.Resumed = true
	r.second()
	for range int(DefaultGrace/second) + 5 {
		r.second()
	}
	if len(r.told) > 0 {
		t.Errorf("silence while nobody listened led to%s", show(r.told))
	}
	wantClosed(t, r.normal(1, "pump-1", "pump-2"), &f)
}

// window is one of the view device.
func (r *rig) window(end int64, count uint64, mean float64, revision uint32) schemas.Window {
	return schemas.Window{
		View: schemas.DeviceView, Dims: []string{"device", "metric"}, Key: schemas.Key{Tenant: "acme", Values: []string{"pump-1", "temp"}},
		Start: end - 10*second, End: end, FirstN: r.n + 1, Revision: revision, Timing: schemas.OnTime,
		Count: count, Sum: mean * float64(count), Min: mean, Max: mean,
	}
}

// TestRevisionIsNoNewValue: a later revision, or another part, of a window that
// was judged is not judged again.
func TestRevisionIsNoNewValue(t *testing.T) {
	r := newRig(t)
	for range 20 {
		r.now += 10 * second
		r.commit(nil, []schemas.Window{r.window(r.now, 100, 50, 1)})
	}
	judged := r.fold.values
	r.commit(nil, []schemas.Window{r.window(r.now, 101, 5000, 2), r.window(r.now-50*second, 101, 5000, 2)})
	if r.fold.values != judged || len(r.told) > 0 {
		t.Errorf("revisions were judged %d times:%s", r.fold.values-judged, show(r.told))
	}
	if judged != 20 {
		t.Errorf("%d windows were judged as %d values", 20, judged)
	}
}

// TestIncompleteDoesNotCount: a value with less than half of its usual records
// neither alarms nor teaches, and neither does a backlog.
func TestIncompleteDoesNotCount(t *testing.T) {
	r := newRig(t)
	r.normal(600, "pump-1")
	for range 20 {
		thin := schemas.Early{Tenant: "acme", Device: "pump-1", Metric: "temp", Count: 2, Mean: 500, Min: 500, Max: 500, Last: 500}
		if got := r.second(thin, r.value("pump-1", "load", 200, 5)); len(got) > 0 {
			t.Fatalf("two records of ten led to%s", show(got))
		}
	}
	r = newRig(t)
	r.normal(600, "pump-1")
	burst := schemas.Early{Tenant: "acme", Device: "pump-1", Metric: "temp", Count: 3000, Mean: 90, Min: 0, Max: 500, Last: 51}
	if got := r.second(burst, r.value("pump-1", "load", 200, 5)); len(got) > 0 || r.fold.bursts != 1 {
		t.Errorf("a backlog is %d bursts and led to%s", r.fold.bursts, show(got))
	}
}

// TestCounterIsJudgedByItsIncrease also over a reset.
func TestCounterIsJudgedByItsIncrease(t *testing.T) {
	rules := plainRules()
	rules.Counter = func(_, _, _, metric string) bool { return metric == "turns" }
	r := newRigOf(t, ruled(&rules))
	r.configure()
	total, step := 0.0, 100.0
	play := func(seconds int) (out []schemas.Finding) {
		for range seconds {
			before := total
			total += step + r.noise.NormFloat64()
			e := schemas.Early{Tenant: "acme", Device: "pump-1", Metric: "turns", Count: 2, Mean: (before + total) / 2, Min: before, Max: total, Last: total}
			out = append(out, r.second(e)...)
		}
		return out
	}
	if got := play(900); len(got) > 0 {
		t.Errorf("a counter that counts led to%s", show(got))
	}
	total = 0
	if got := play(300); len(got) > 0 {
		t.Errorf("a reset led to%s", show(got))
	}
	step = 300
	wantFinding(t, play(5), "three times the rate", isKind(schemas.Anomaly))
}

func TestOverflowIsCounted(t *testing.T) {
	r := newRigOf(t, func([]byte) (*Settings, error) {
		s, rules := DefaultSettings(), plainRules()
		s.Rules = func(string, string) *Rules { return &rules }
		s.MaxSeries = 3
		return s, nil
	})
	r.configure()
	r.normal(10, devices(4)...)
	if rep := r.fold.report(); rep.Detector.Series != 3 || rep.Detector.Overflow != 50 {
		t.Errorf("of 8 series 3 find room; there are %d, and %d values overflowed, want 50", rep.Detector.Series, rep.Detector.Overflow)
	}
}

// TestDepartedDeviceIsForgotten after a day, and its finding is closed.
func TestDepartedDeviceIsForgotten(t *testing.T) {
	r := newRig(t)
	r.normal(20, "pump-1", "pump-2")
	r.normal(40, "pump-2")
	f := wantFinding(t, r.told, "silence", isKind(schemas.Silent))
	for range 25 {
		r.now += 3600 * second
		r.normal(1, "pump-2")
	}
	wantClosed(t, r.told, &f)
	if n := len(r.fold.devices); n != 1 || r.fold.series != 2 || len(r.fold.byName) != 1 {
		t.Errorf("%d devices with %d series are left, want 1 with 2", n, r.fold.series)
	}
}

func TestOff(t *testing.T) {
	r := newRigOf(t, ruled(&Rules{Off: true, Detector: detect.Default}))
	r.configure()
	r.normal(60, "pump-1")
	for range 60 {
		r.second()
	}
	if len(r.told) > 0 || r.fold.values != 0 {
		t.Errorf("what is off judged %d values and led to%s", r.fold.values, show(r.told))
	}
}

// TestHolesAreCounted: entries that are gone are no reason to stop.
func TestHolesAreCounted(t *testing.T) {
	r := newRig(t)
	r.normal(10, "pump-1")
	r.n += 5
	r.normal(10, "pump-1")
	if r.fold.missed != 5 {
		t.Errorf("%d entries are missing, want 5", r.fold.missed)
	}
}
