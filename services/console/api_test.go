package console

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/pkg/sketch"
	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/parts"
)

// rig is a console on an embedded server without listeners.
type rig struct {
	t       *testing.T
	bus     *bus.Embedded
	service *Service
	api     *httptest.Server
	last    map[string]uint64 // fence of each outbox
	enc     schemas.CommitEncoder
	now     int64 // a whole multiple of ten seconds, a few seconds before the wall clock
}

const second = int64(time.Second)

func newRig(t *testing.T) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	e, err := bus.Embed(bus.Config{Dir: t.TempDir(), OperatorPassword: "secret", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	streams := schemas.OneProcess(schemas.DefaultSizes(), []string{"r0", "r1"})
	if err := e.Ensure(t.Context(), streams); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Version: "test", GoVersion: "go1.26", OperatorPassword: "secret", Streams: streams,
		Policy:  testLanguage,
		AgentOf: func(tenant, device string) string { return "agent-of-" + tenant + "-" + device },
	}, e.Bus, l, log)
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewUnstartedServer(s.handler())
	_ = api.Listener.Close()
	api.Listener = l
	api.Start()
	t.Cleanup(api.Close)
	now := time.Now().UnixNano()
	return &rig{t: t, bus: e, service: s, api: api, last: map[string]uint64{}, now: now - now%(10*second)}
}

// commit writes an entry behind the last one of its outbox.
func (r *rig) commit(subject string, c schemas.Commit) {
	r.t.Helper()
	seq, err := r.bus.Append(r.t.Context(), subject, r.enc.Append(nil, &c), r.last[subject])
	if err != nil {
		r.t.Fatal(err)
	}
	r.last[subject] = seq
}

// reply answers questions on a subject with v.
func (r *rig) reply(subject string, v any) {
	r.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		r.t.Fatal(err)
	}
	stop, err := r.bus.Subscribe(subject, 1<<20, func(q bus.Request) { _ = q.Reply(data) })
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(stop)
}

func (r *rig) get(path string) (status int, body string) {
	r.t.Helper()
	answer, err := http.Get(r.api.URL + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// rows asks for windows; the trailer of an answer with detail is checked.
func (r *rig) rows(path string) []schemas.WindowRow {
	r.t.Helper()
	status, body := r.get(path)
	if status != http.StatusOK {
		r.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	var rows []schemas.WindowRow
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	if strings.Contains(path, "detail=") {
		want := fmt.Sprintf(`{"end":true,"windows":%d}`, len(lines)-1)
		if got := lines[len(lines)-1]; got != want {
			r.t.Fatalf("GET %s ends with %s, want %s", path, got, want)
		}
		lines = lines[:len(lines)-1]
	}
	for _, line := range lines {
		if line == "" {
			continue
		}
		var row schemas.WindowRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			r.t.Fatalf("%s: %v", line, err)
		}
		rows = append(rows, row)
	}
	return rows
}

// window is one revision that holds values, a second apart from its start on.
func window(view string, dims, key []string, start int64, revision uint32, timing schemas.Timing, values ...float64) schemas.Window {
	w := schemas.Window{
		View: view, Dims: dims, Key: schemas.Key{Tenant: key[0], Values: key[1:]}, Start: start, End: start + 10*second,
		FirstN: 1, Revision: revision, Timing: timing, Min: values[0], Max: values[0], Expected: 2, Seen: 1,
	}
	var s sketch.Sketch
	for i, v := range values {
		p := schemas.Point{Time: start + int64(i)*second, Value: v, ID: uint64(v * 1000)}
		if i == 0 {
			w.First = p
		}
		w.Last = p
		w.Count++
		w.Sum += v
		w.Min, w.Max = min(w.Min, v), max(w.Max, v)
		w.Digest += p.ID
		s.Add(v)
	}
	w.Sketch, _ = s.MarshalBinary()
	return w
}

var (
	deviceDims = []string{"device", "metric"}
	fleetDims  = []string{"class", "metric"}
)

func entry(producer string, n uint64, local ...schemas.Window) schemas.Commit {
	return schemas.Commit{Producer: producer, Epoch: schemas.Epoch{1}, N: n, RunFirst: n, End: true, Local: local}
}

func TestWindowsMergeParts(t *testing.T) {
	r := newRig(t)
	start := r.now - 30*second
	key := []string{"acme", "pump-1", "temp"}
	old := window("device", deviceDims, key, start, 1, schemas.OnTime, 1, 2)
	newer := window("device", deviceDims, key, start, 2, schemas.LateTiming, 1, 2, 6)
	newer.LateCount = 1
	other := window("device", deviceDims, key, start, 3, schemas.FinalTiming, 10)
	other.FirstN = 2
	fleet := window("fleet", fleetDims, []string{"acme", "pump", "temp"}, start, 1, schemas.OnTime, 7)

	out := schemas.GatewayOutbox("r0", 3, schemas.KindCommit)
	first := entry("r0/3", 1, old)
	first.Windows = []schemas.Window{fleet}
	r.commit(out, first)
	r.commit(out, entry("r0/3", 2, newer, other))
	if _, err := r.bus.Store(t.Context(), schemas.GatewayOutbox("r0", 3, "finding"), []byte("not every kind is a commit")); err != nil {
		t.Fatal(err)
	}

	_, got := r.get("/api/v1/windows?device=pump-1&detail=1")
	want := fmt.Sprintf(`{"tenant":"acme","view":"device","key":{"device":"pump-1","metric":"temp"},"start":"%s","end":"%s",`+
		`"count":4,"sum":19,"min":1,"max":10,"p50":2,"p90":10,"p99":10,"revision":5,"timing":"late","completeness":0.5,"clock_error_ms":null,`+
		`"agent":"agent-of-acme-pump-1","region":"r0","digest":"%016x","late":1,`+
		`"first":{"time":"%s","value":1,"id":"00000000000003e8"},"last":{"time":"%s","value":6,"id":"0000000000001770"}}`+"\n"+
		`{"end":true,"windows":1}`+"\n",
		schemas.RowTime(start), schemas.RowTime(start+10*second), 19000, schemas.RowTime(start), schemas.RowTime(start+2*second))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// The fleet's part is in what goes up, not at the center yet.
	if rows := r.rows("/api/v1/windows"); len(rows) != 0 {
		t.Errorf("the center shows %v before it has merged anything", rows)
	}
	if rows := r.rows("/api/v1/windows?tier=region&view=fleet"); len(rows) != 1 || rows[0].Sum != 7 || rows[0].Region != "" || rows[0].Agent != "" {
		t.Errorf("the region's part of the fleet window: %+v", rows)
	}
}

func TestWindowsSelect(t *testing.T) {
	r := newRig(t)
	out := schemas.GatewayOutbox("r0", 0, schemas.KindCommit)
	at := func(ago int64) int64 { return r.now - ago*second }
	r.commit(out, entry("r0/0", 1,
		window("device", deviceDims, []string{"a", "s1-1", "temp"}, at(600), 1, schemas.OnTime, 1),
		window("device", deviceDims, []string{"a", "s1-1", "temp"}, at(60), 1, schemas.OnTime, 2),
		window("device", deviceDims, []string{"a", "s1-2", "hum"}, at(50), 1, schemas.FinalTiming, 3),
		window("device", deviceDims, []string{"b", "s2-1", "temp"}, at(40), 1, schemas.OnTime, 4),
		window(schemas.LateView("device"), deviceDims, []string{"a", "s1-1", "temp"}, at(40), 1, schemas.OnTime, 9),
	))
	r.commit(schemas.GatewayOutbox(schemas.Center, 0, schemas.KindCommit), entry("center/0", 1,
		window("fleet", fleetDims, []string{"a", "default", "temp"}, at(60), 1, schemas.OnTime, 5),
		window(schemas.LateView("fleet"), fleetDims, []string{"a", "default", "temp"}, at(7200), 1, schemas.OnTime, 8),
	))
	for path, want := range map[string]string{
		"windows":                                           "5",
		"windows?tier=region":                               "2 3 4",
		"windows?view=device&metric=temp":                   "2 4",
		"windows?view=device&tenant=b":                      "4",
		"windows?device_prefix=s1-":                         "2 3",
		"windows?device_prefix=s1-&from=20m":                "1 2 3",
		"windows?tier=region&from=1h&to=" + rfc3339(at(50)): "1 2",
		"windows?tier=region&limit=2":                       "3 4",
		"windows?tier=region&final=true":                    "3",
		"windows?tier=center&view=device":                   "",
		"windows?tier=region&to=" + rfc3339(at(50)):         "2",
		"windows?tier=region&from=" + fmt.Sprint(at(40)):    "4",
	} {
		var sums []string
		for _, row := range r.rows("/api/v1/" + path) {
			sums = append(sums, fmt.Sprint(row.Sum))
		}
		if got := strings.Join(sums, " "); got != want {
			t.Errorf("GET %s: sums %q, want %q", path, got, want)
		}
	}
}

func TestLate(t *testing.T) {
	r := newRig(t)
	hour := r.now - r.now%(3600*second) - 48*3600*second
	late := func(view string, dims, key []string, revision uint32, values ...float64) schemas.Window {
		w := window(schemas.LateView(view), dims, key, hour, revision, schemas.OnTime, values...)
		w.End = hour + 3600*second
		return w
	}
	device, fleet := []string{"a", "d", "temp"}, []string{"a", "pump", "temp"}
	up := entry("r0/0", 1, late("device", deviceDims, device, 1, 1), late("device", deviceDims, []string{"b", "d", "temp"}, 1, 1))
	up.Windows = []schemas.Window{late("fleet", fleetDims, fleet, 1, 1)} // goes up: the center has it too
	r.commit(schemas.GatewayOutbox("r0", 0, schemas.KindCommit), up)
	r.commit(schemas.GatewayOutbox("r0", 0, schemas.KindCommit), entry("r0/0", 2, late("device", deviceDims, device, 2, 1, 3)))
	r.commit(schemas.GatewayOutbox(schemas.Center, 0, schemas.KindCommit), entry("center/0", 1, late("fleet", fleetDims, fleet, 1, 1)))

	at := schemas.RowTime(hour)
	_, got := r.get("/api/v1/late?tenant=a")
	want := `{"tenant":"a","view":"device","key":{"device":"d","metric":"temp"},"hour":"` + at + `","count":2,"sum":4,"min":1,"max":3,"digest":"0000000000000fa0"}
{"tenant":"a","view":"fleet","key":{"class":"pump","metric":"temp"},"hour":"` + at + `","count":1,"sum":1,"min":1,"max":1,"digest":"00000000000003e8"}
`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for path, want := range map[string]int{
		"late": 3, "late?tier=center": 1, "late?tier=region&view=fleet": 1, "late?from=1h": 0, "late?device=d&metric=temp": 2,
	} {
		if _, body := r.get("/api/v1/" + path); strings.Count(body, "\n") != want {
			t.Errorf("GET %s: %s, want %d rows", path, body, want)
		}
	}
}

// TestSlices: a question that does not fit is answered in slices, in the same order.
func TestSlices(t *testing.T) {
	r := newRig(t)
	out := schemas.GatewayOutbox("r0", 0, schemas.KindCommit)
	for n := range uint64(10) { // newest first, so that windows come back that were left out
		start := r.now - int64(n+1)*10*second
		r.commit(out, entry("r0/0", n+1,
			window("device", deviceDims, []string{"a", "d1", "temp"}, start, 1, schemas.OnTime, float64(10-n)),
			window("device", deviceDims, []string{"a", "d2", "temp"}, start, 1, schemas.OnTime, float64(10-n)),
		))
	}
	ask := func(few, most int) (sums []float64, err error) {
		q := Query{Tier: schemas.TierRegion, To: r.now}
		c := newCatalog(r.bus.Bus)
		c.volumes[q.stream()].room = room{few, most}
		err = c.answer(t.Context(), &q, func(t *parts.Sum) error {
			sums = append(sums, t.Sum)
			return nil
		})
		return sums, err
	}
	whole, err := ask(1000, 1000)
	if err != nil || len(whole) != 20 || !slices.IsSorted(whole) {
		t.Fatalf("whole: %v, %v", whole, err)
	}
	for _, most := range []int{2, 3, 7, 19} {
		if sliced, err := ask(most, most); err != nil || !slices.Equal(sliced, whole) {
			t.Errorf("in slices of %d: %v, %v", most, sliced, err)
		}
	}
	if together, err := ask(1, 2); err != nil || !slices.Equal(together, whole) {
		t.Errorf("two windows with the same end, together: %v, %v", together, err)
	}
	if _, err := ask(1, 1); !errors.Is(err, errTooMany) {
		t.Errorf("two windows with the same end in slices of one: %v", err)
	}
}

// TestTimes: as people write them at night.
func TestTimes(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-21T22:00:00+01:00": time.Date(2026, 11, 21, 21, 0, 0, 0, time.UTC), "2026-11-21": time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC),
		"2026-11-21 22:00": time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC), "2026-11-21T22:00": time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC),
		"2026-11-21 22:00:05": time.Date(2026, 11, 21, 22, 0, 5, 0, time.UTC), "90m": now.Add(-90 * time.Minute), "-90m": now.Add(-90 * time.Minute),
		"2d": now.AddDate(0, 0, -2), "1763762400000000000": time.Unix(0, 1763762400000000000),
	} {
		p := params{values: url.Values{"from": {text}}, now: now.UnixNano()}
		if got := p.time("from", -1); got != want.UnixNano() || p.err != nil {
			t.Errorf("%q is %v, %v; want %v", text, time.Unix(0, got).UTC(), p.err, want)
		}
	}
	for _, text := range []string{"yesterday", "2026-13-45", "d", "-2d", "99999999d", "0001-01-01", "2300-01-01"} {
		p := params{values: url.Values{"from": {text}}, now: now.UnixNano()}
		if got := p.time("from", -1); got != -1 || p.err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
}

func rfc3339(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

func TestWindowsFinalByProgress(t *testing.T) {
	r := newRig(t)
	start := r.now - 60*second
	c := says(entry("r0/0", 1, deviceWindow(start, 1, 1, schemas.OnTime)), start)
	for n, want := range []string{"on_time", "final"} {
		c.N, c.RunFirst = uint64(n+1), uint64(n+1)
		r.commit(schemas.GatewayOutbox("r0", 0, schemas.KindCommit), c)
		if rows := r.rows("/api/v1/windows?view=device"); len(rows) != 1 || rows[0].Timing != want {
			t.Errorf("after commit %d: %+v, want one row that is %s", n+1, rows, want)
		}
		c = says(entry("r0/0", 2), start+10*second)
	}
}

func TestWindowsFollow(t *testing.T) {
	r := newRig(t)
	out := schemas.GatewayOutbox("r0", 0, schemas.KindCommit)
	key := []string{"a", "d", "temp"}
	r.commit(out, entry("r0/0", 1, window("device", deviceDims, key, r.now-20*second, 1, schemas.OnTime, 1)))
	answer, err := http.Get(r.api.URL + "/api/v1/windows?device=d&follow=1")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	scan := bufio.NewScanner(answer.Body)
	next := func() (row schemas.WindowRow) {
		t.Helper()
		if !scan.Scan() {
			t.Fatalf("the answer ends: %v", scan.Err())
		}
		if err := json.Unmarshal(scan.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		return row
	}
	if row := next(); row.Sum != 1 || row.Revision != 1 {
		t.Errorf("what was there: %+v", row)
	}
	r.commit(out, entry("r0/0", 2, window("device", deviceDims, key, r.now-20*second, 2, schemas.LateTiming, 1, 5)))
	if row := next(); row.Sum != 6 || row.Revision != 2 || row.Timing != "late" {
		t.Errorf("the revision: %+v", row)
	}
}

func TestBadQuestions(t *testing.T) {
	r := newRig(t)
	for path, want := range map[string]string{
		"windows?tier=edge":      `tier \"edge\": use region or center`,
		"windows?limit=-1":       "use a number from 0",
		"windows?final=perhaps":  "use true or false",
		"windows?from=yesterday": "use RFC 3339",
		"late?follow=1":          "windows only",
		"windows?from=1m&to=5m":  "is not before to",
		"windows?form=1m":        "is unknown; use tier",
		"findings?kind=noise":    "use anomaly, silent",
		"parked?limit=many":      "use a number from 0",
	} {
		if status, body := r.get("/api/v1/" + path); status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d %s, want %s", path, status, body, want)
		}
	}
	if status, body := r.get("/api/v1/nothing"); status != http.StatusNotFound || !strings.Contains(body, "error") {
		t.Errorf("unknown path: %d %s", status, body)
	}
	if status, _ := r.get("/api/v1/ledger"); status != http.StatusServiceUnavailable {
		t.Errorf("a ledger without an aggregator: %d", status)
	}
}
