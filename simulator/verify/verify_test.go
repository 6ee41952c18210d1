package verify

import (
	"cmp"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/simulator/plan"
	"weir/simulator/producttest"
	"weir/simulator/truth"
)

// scene is a run that was played to a small product, and its truth.
type scene struct {
	product *producttest.Product
	plan    *plan.Plan
	path    string
}

func spec(run string) plan.Spec {
	return plan.Spec{
		Run: run, Seed: 7, Tenant: "sim", Devices: 5, Period: int64(500 * time.Millisecond), Batch: 2, Pattern: plan.Burst,
		Faults:   plan.Faults{Late: 5, TooLate: 5, Reorder: 5, Duplicate: 5, Future: 5, Malformed: 5},
		Lateness: int64(60 * time.Second), Size: int64(10 * time.Second),
		Start: 1_763_760_000_000_000_000 - int64(95*time.Second), For: int64(200 * time.Second), // over a full hour
	}
}

func newProduct() *producttest.Product {
	return &producttest.Product{Size: 10 * time.Second, Lateness: 60 * time.Second}
}

// play sends the run's messages in their order. fate says of a message whether
// it arrives, and what the truth says of it.
func play(t *testing.T, p *producttest.Product, spec plan.Spec, fate func(m plan.Message) (arrives bool, says presence)) scene {
	t.Helper()
	made, err := plan.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	statuses := make([]truth.Status, spec.Devices)
	var totals truth.Totals
	for d := range statuses {
		for _, m := range order(made, d) {
			arrives, says := fate(m)
			if arrives {
				totals.Copies += send(p, made, m)
			}
			note(&statuses[d], m.Index, says)
			totals.Messages++
		}
	}
	path := filepath.Join(t.TempDir(), spec.Run)
	w, err := truth.Create(path, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(statuses, totals); err != nil {
		t.Fatal(err)
	}
	return scene{p, made, path}
}

// order is the device's messages in the order of sending.
func order(p *plan.Plan, d int) []plan.Message {
	var all []plan.Message
	for c := (plan.Cursor{Device: d}); c.Index < p.Messages(d, p.For); {
		all = append(all, p.Next(&c))
	}
	slices.SortStableFunc(all, func(a, b plan.Message) int {
		return cmp.Compare(p.Due(d, a.Index)+p.Delay(a), p.Due(d, b.Index)+p.Delay(b))
	})
	return all
}

// send delivers a message, and returns how many records of it were copies.
func send(product *producttest.Product, p *plan.Plan, m plan.Message) (copies int64) {
	product.Now = func() int64 { return p.Start + p.Due(m.Device, m.Index) + p.Delay(m) }
	product.Ingest(p.Tenant, p.Device(m.Device), p.AppendPayload(nil, m))
	if m.Fate != plan.Duplicate {
		return 0
	}
	product.Ingest(p.Tenant, p.Device(m.Device), p.AppendPayload(nil, m))
	return p.Records(m)
}

func note(s *truth.Status, n int64, says presence) {
	switch says {
	case arrived:
		s.Acked.Add(n)
	case unsure:
		s.Unknown.Add(n)
	case absent:
		s.Never.Add(n)
	}
}

func whole(plan.Message) (bool, presence) { return true, arrived }

// lost arrives but for one message of device 2.
func lost(n int64) func(plan.Message) (bool, presence) {
	return func(m plan.Message) (bool, presence) { return m.Device != 2 || m.Index != n, arrived }
}

// check verifies in fake time.
func check(t *testing.T, o Options, p http.RoundTripper, scenes ...scene) (r Report, err error) {
	t.Helper()
	o.HTTP = "product:1"
	for _, s := range scenes {
		o.Truth = append(o.Truth, s.path)
	}
	synctest.Test(t, func(t *testing.T) { r, err = Against(t.Context(), o, p) })
	return r, err
}

func wantEqual(t *testing.T, r Report, err error) {
	t.Helper()
	if err != nil || !r.Equal {
		t.Errorf("not equal: %v, %+v", err, r)
	}
}

func wantDifference(t *testing.T, r Report, err error, words ...string) {
	t.Helper()
	var unequal *NotEqualError
	if !errors.As(err, &unequal) || r.Equal {
		t.Fatalf("got %v, want a *NotEqualError", err)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, word := range words {
		if !strings.Contains(text.String(), word) {
			t.Errorf("the report does not say %q:\n%s", word, text.String())
		}
	}
}

func TestEqual(t *testing.T) {
	for name, change := range map[string]func(*plan.Spec){
		"all faults":   func(*plan.Spec) {},
		"no faults":    func(s *plan.Spec) { s.Faults = plan.Faults{} },
		"single":       func(s *plan.Spec) { s.Batch = 1 },
		"daily":        func(s *plan.Spec) { s.Pattern = plan.Daily },
		"slow devices": func(s *plan.Spec) { s.Period = int64(7 * time.Second); s.Batch = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			spec := spec("equal")
			change(&spec)
			p := newProduct()
			s := play(t, p, spec, whole)
			r, err := check(t, Options{}, p, s)
			wantEqual(t, r, err)
			if r.DeviceWindows < 80 || r.FleetWindows < 20 || r.Records < 100 || r.LateInFleet != 0 || len(r.Notes) > 0 {
				t.Errorf("too little was compared: %+v", r)
			}
		})
	}
}

func TestOneMissing(t *testing.T) {
	sp := spec("miss")
	sp.Faults, sp.Batch = plan.Faults{}, 1
	p := newProduct()
	s := play(t, p, sp, lost(77))
	r, err := check(t, Options{}, p, s)
	wantDifference(t, r, err, "device window smiss-00003 temp", "missing: seq 78 at ", "fleet window sim temp", "ledger, tenant sim, received", "expected 2000", "found    1999")
	if r.Differences != 4 || r.Seconds > 3*hope.Seconds() {
		t.Errorf("%d differences after %.0f s: %+v", r.Differences, r.Seconds, r.First)
	}
}

func TestOneDoubled(t *testing.T) {
	sp := spec("twice")
	sp.Faults, sp.Batch = plan.Faults{}, 1
	p := newProduct()
	n := 0
	p.Keep = func(device string) int {
		if device == "stwice-00003" {
			if n++; n == 78 {
				return 2
			}
		}
		return 1
	}
	s := play(t, p, sp, whole)
	r, err := check(t, Options{}, p, s)
	wantDifference(t, r, err, "device window stwice-00003", "counted twice, or though too late: seq 78 at ", "found    2001")
}

// TestMissingAndDoubledCancel loses one reading and counts another of the same
// window twice: only sum and digest tell.
func TestMissingAndDoubledCancel(t *testing.T) {
	sp := spec("cancel")
	sp.Faults, sp.Batch, sp.Pattern = plan.Faults{}, 1, plan.Steady
	p := newProduct()
	n := 0
	p.Keep = func(device string) int {
		if device != "scancel-00003" {
			return 1
		}
		n++
		return map[int]int{75: -1, 76: 1}[n] + 1
	}
	s := play(t, p, sp, whole)
	r, err := check(t, Options{}, p, s)
	wantDifference(t, r, err, "missing: seq 75 at ", "counted twice: seq 76 at ")
	if r.Differences != 2 {
		t.Errorf("%d differences, want the device's window and the fleet's: %+v", r.Differences, r.First)
	}
}

func TestUnknownMayBeThereOrNot(t *testing.T) {
	for name, arrives := range map[string]func(plan.Message) bool{
		"all":  func(plan.Message) bool { return true },
		"none": func(plan.Message) bool { return false },
		"some": func(m plan.Message) bool { return m.Index%2 == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProduct()
			s := play(t, p, spec("unsure"), func(m plan.Message) (bool, presence) {
				if m.Index >= 50 && m.Index < 60 && m.Fate != plan.Duplicate {
					return arrives(m), unsure
				}
				return true, arrived
			})
			r, err := check(t, Options{}, p, s)
			wantEqual(t, r, err)
			if r.Unknown == 0 {
				t.Error("nothing was unknown")
			}
		})
	}
}

func TestUnknownDoesNotCoverWhatWasAcknowledged(t *testing.T) {
	p := newProduct()
	s := play(t, p, spec("cover"), func(m plan.Message) (bool, presence) {
		if m.Index == 50 {
			return false, unsure
		}
		return m.Index != 52 || m.Device != 1, arrived
	})
	r, err := check(t, Options{}, p, s)
	wantDifference(t, r, err, "device window scover-00002")
}

// TestSimulatorThatDied reads a truth without an end: nothing is known of what
// was sent after its last line.
func TestSimulatorThatDied(t *testing.T) {
	p := newProduct()
	s := play(t, p, spec("died"), whole)
	text, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	text = []byte(lines[0] + `{"devices":[0,5],"acked":[[0,60]]}` + "\n")
	if err := os.WriteFile(s.path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := check(t, Options{}, p, s)
	wantEqual(t, r, err)
	if r.Unknown == 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "did not end") {
		t.Errorf("%+v", r)
	}
}

func TestNeverSentIsNotExpected(t *testing.T) {
	p := newProduct()
	s := play(t, p, spec("never"), func(m plan.Message) (bool, presence) {
		if m.Index >= 30 && m.Index < 35 {
			return false, absent
		}
		return true, arrived
	})
	r, err := check(t, Options{}, p, s)
	wantEqual(t, r, err)
}

func TestTooLateCountedAsGoodIsADifference(t *testing.T) {
	p := newProduct()
	p.Lateness = 1000 * time.Second
	s := play(t, p, spec("lax"), whole)
	r, err := check(t, Options{}, p, s)
	wantDifference(t, r, err, "counted twice, or though too late: seq ", "note: run lax: its late readings are made for a lateness of 1m0s, the product allows 16m40s")
}

func TestFleetLatenessIsExplained(t *testing.T) {
	p := newProduct()
	n := 0
	p.FleetLate = func(device string) bool {
		n++
		return device == "sfleet-00002" && n%3 == 0
	}
	s := play(t, p, spec("fleet"), whole)
	r, err := check(t, Options{}, p, s)
	wantEqual(t, r, err)
	if r.LateInFleet < 20 {
		t.Errorf("%d records late in the fleet view", r.LateInFleet)
	}
}

// TestLateAllowed plays a device whose readings of one window the product calls
// late, against the truth.
func TestLateAllowed(t *testing.T) {
	sp := spec("behind")
	sp.Faults, sp.Batch = plan.Faults{}, 1
	p := newProduct()
	held := []plan.Message{}
	var made *plan.Plan
	s := play(t, p, sp, func(m plan.Message) (bool, presence) {
		if m.Device == 1 && m.Index >= 40 && m.Index < 45 {
			held = append(held, m)
			return false, arrived
		}
		return true, arrived
	})
	made = s.plan
	for _, m := range held {
		send(p, made, m)
	}
	r, err := check(t, Options{}, p, s)
	wantDifference(t, r, err, "device window sbehind-00002", "late readings of device sbehind-00002")
	r, err = check(t, Options{LateAllowed: true}, p, s)
	wantEqual(t, r, err)
}

func TestSeveralRunsInOneTenant(t *testing.T) {
	p := newProduct()
	a, b := play(t, p, spec("aaa"), whole), play(t, p, spec("bbb"), whole)
	r, err := check(t, Options{}, p, a, b)
	wantEqual(t, r, err)
	if len(r.Notes) != 0 {
		t.Errorf("notes %q", r.Notes)
	}
	r, err = check(t, Options{}, p, b)
	wantEqual(t, r, err)
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "tenant sim holds records of devices that these truths do not know") {
		t.Errorf("notes %q", r.Notes)
	}
}

func TestSeveralTenants(t *testing.T) {
	p := newProduct()
	other := spec("ccc")
	other.Tenant = "other"
	a, b := play(t, p, spec("aaa"), whole), play(t, p, other, whole)
	r, err := check(t, Options{}, p, a, b)
	wantEqual(t, r, err)
	r, err = check(t, Options{}, p, a)
	wantEqual(t, r, err)
	if len(r.Notes) != 0 {
		t.Errorf("notes %q", r.Notes)
	}
}

// TestExcessIsNotTakenForAnothersRecords: a product that counts all twice, in
// the ledger too, must not pass as one with another run in the tenant.
func TestExcessIsNotTakenForAnothersRecords(t *testing.T) {
	p := newProduct()
	p.Keep = func(string) int { return 2 }
	s := play(t, p, spec("all"), whole)
	r, err := check(t, Options{}, p, s)
	wantDifference(t, r, err, "device window sall-00001")
	if len(r.Notes) != 0 || r.Differences < 100 || len(r.First) != 10 {
		t.Errorf("%d differences, %d shown, notes %q", r.Differences, len(r.First), r.Notes)
	}
}

func TestFinalWaits(t *testing.T) {
	p := newProduct()
	s := play(t, p, spec("final"), whole)
	asked := 0
	p.Timing = func(int64) string {
		if asked++; asked < 4_000 {
			return "on_time"
		}
		return "final"
	}
	r, err := check(t, Options{Final: true}, p, s)
	wantEqual(t, r, err)
	if r.Seconds < 1 {
		t.Errorf("final after %.1f s", r.Seconds)
	}
	p.Timing = func(int64) string { return "on_time" }
	r, err = check(t, Options{Final: true}, p, s)
	wantDifference(t, r, err, "expected final ones", "that are not final", "fleet windows of tenant sim")
	if r.Seconds < 120 || r.Seconds > 130 {
		t.Errorf("gave up after %.1f s, want the timeout of 120 s", r.Seconds)
	}
}

func TestUnreachable(t *testing.T) {
	p := newProduct()
	s := play(t, p, spec("away"), whole)
	p.Answer = func(string) int { return http.StatusServiceUnavailable }
	r, err := check(t, Options{}, p, s)
	var away *UnreachableError
	if !errors.As(err, &away) || r.Seconds > 10 {
		t.Errorf("got %v after %.0f s", err, r.Seconds)
	}
}

func TestProductThatComesBackIsWaitedFor(t *testing.T) {
	p := newProduct()
	s := play(t, p, spec("back"), whole)
	n := 0
	p.Answer = func(string) int {
		if n++; n > 2 && n < 60 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
	r, err := check(t, Options{}, p, s)
	wantEqual(t, r, err)
}

func TestAnswerThatIsNoAnswer(t *testing.T) {
	p := newProduct()
	s := play(t, p, spec("odd"), whole)
	p.Answer = func(path string) int {
		if path == "/api/v1/windows" {
			return http.StatusNotFound
		}
		return http.StatusOK
	}
	_, err := check(t, Options{}, p, s)
	var away *UnreachableError
	var unequal *NotEqualError
	if err == nil || errors.As(err, &away) || errors.As(err, &unequal) {
		t.Errorf("got %v, want an error of its own", err)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{}, {HTTP: "x"}, {Truth: []string{"/does/not/exist"}, HTTP: "x"}, {Truth: []string{"a"}, HTTP: "x", Timeout: -1}} {
		_, err := Verify(t.Context(), o, nil)
		var wrong *OptionsError
		if !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// BenchmarkExpect recomputes 10,000 devices at five records a second.
func BenchmarkExpect(b *testing.B) {
	sp := spec("bench")
	sp.Devices, sp.Batch, sp.Period, sp.Faults = 1000, 1, int64(200*time.Millisecond), plan.Faults{}
	p, err := plan.New(sp)
	if err != nil {
		b.Fatal(err)
	}
	t := &truth.Truth{Plan: p, Devices: make([]truth.Status, sp.Devices)}
	for d := range t.Devices {
		t.Devices[d].Acked = truth.Set{{0, 300}}
	}
	for b.Loop() {
		e := expect(t, sp.Size)
		s := newSlicer(t, sp.Size)
		for from := floor(e.first, sp.Size); from <= e.last; from += sliceLength {
			s.through(from + sliceLength)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/300_000, "ns/record")
}
