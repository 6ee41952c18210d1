package schemas

import (
	"math"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// The samples are what golden files hold. Changing one changes a golden file:
// add to them, and say so in the version history.

const t0 = int64(1763760000_000000000) // 2025-11-21T21:20:00Z

func sampleFrame() *Frame {
	var b FrameBuilder
	for i := range 6 {
		r := &Reading{
			Boot: "a1", Seq: uint64(17 + i/2), Numbered: true,
			EventTime: t0 + int64(i)*250e6, IngestTime: t0 + int64(i)*250e6 + 12e6,
			Values: []Value{{Metric: "temp", Value: 21.5 + float64(i)/10}, {Metric: "pressure", Value: 1013.25}, {Metric: "ratio", Value: math.Pi * float64(i)}},
		}
		if i%2 == 1 {
			r.Attrs = []Attr{{"floor", "2"}, {"site", "x"}}
		}
		b.Add("acme", []string{"pump-1", "pump-2"}[i%2], r)
	}
	b.Add("acme", "old", &Reading{EventTime: t0, IngestTime: t0, Values: []Value{{Metric: "up", Value: 1}}, Packet: Packet{ID: 7, Hash: 0xfeedbeef, Dup: true}})
	b.AddRefused("acme", "pump-1", &Reading{Boot: "a1", Seq: 20, Numbered: true})
	trace := TraceID{[16]byte{0x4b, 15: 0x36}, [8]byte{1, 7: 8}}
	b.Add("acme", "shop", &Reading{EventTime: t0, IngestTime: t0, Request: Request{0xcafe, 3}, Trace: trace, Values: []Value{{Metric: SpanMetric, Value: 0.25}}})
	b.Add("acme", "shop", &Reading{EventTime: t0, IngestTime: t0, Request: Request{0xcafe, 4}, Values: []Value{
		{Metric: "orders", Value: 17, Kind: TotalRecord, MetricStream: MetricStream{0x57, t0 - 60e9}},
		{Metric: "size", Value: 40, Kind: HistogramsRecord, MetricStream: MetricStream{0x58, t0 - 60e9}, Sketch: []byte{1, 2, 3}},
	}})
	b.Add("acme", "shop", &Reading{EventTime: t0, IngestTime: t0, Request: Request{0xbeef, 0}, Values: []Value{{Metric: LogMetric, Value: 17}}, Log: []byte{0x0a, 0}})
	b.AddFlow("acme", Metrics, "", "", 22)
	b.AddFlow("acme", Traces, "", "", 1)
	b.AddFlow("acme", Logs, "", "", 1)
	b.AddFlow("acme", Logs, HeldBack, LogRate, 2)
	b.AddFlow("acme", Metrics, Rejected, Future, 1)
	f := b.Frame()
	f.Agent, f.N, f.ArrivedBefore, f.Resumed, f.HasTick = "agent-1", 42, 9000, true, true
	f.Tick = Tick{Time: t0 + 2e9, Wall: t0 + 2e9 + 3e6, Error: 1e6, Quality: 2}
	f.Config = &Config{Revision: 3, From: t0 + 60e9, Document: []byte(`{"idle":"2s"}`)}
	return f
}

func sampleCommit() *Commit {
	epoch := Epoch{0: 0xe0, 15: 0x0e}
	device := Window{
		View: "device", Dims: []string{"device", "metric"}, Key: Key{"acme", []string{"pump-1", "temp"}},
		Start: t0, End: t0 + 10e9, Contributor: "agent-1", Epoch: epoch, FirstN: 7, Revision: 1, Timing: OnTime,
		Count: 3, Sum: 64.8, Min: 21.5, Max: 21.7,
		First: Point{t0 + 1e9, 21.5, 0x1111}, Last: Point{t0 + 9e9, 21.7, 0x3333},
		Sketch: []byte{1, 2, 3, 4}, Digest: 0x6666, Expected: 1, Seen: 1, ClockError: 1e6, ConfigRev: 3,
		Exemplars: Exemplars{{t0 + 2e9, 21.6, TraceID{[16]byte{0x4b, 0xf9, 15: 0x36}, [8]byte{0, 0xf0, 7: 0xb7}}}},
	}
	late := device
	late.Start, late.End, late.FirstN, late.Revision, late.Timing, late.LateCount = t0-10e9, t0, 5, 2, LateTiming, 1
	late.First, late.Last, late.Exemplars = Point{t0 - 9e9, 21.5, 0x1111}, Point{t0 - 1e9, 21.7, 0x3333}, nil
	fleet := device
	fleet.View, fleet.Dims, fleet.Key = "fleet", []string{"class", "metric"}, Key{"acme", []string{"pump", "temp"}}
	fleet.Timing, fleet.Expected, fleet.Missing, fleet.Sketch, fleet.Widened = FinalTiming, 2, []string{"pump-2"}, nil, 6
	return &Commit{
		Producer: "agent-1", Epoch: epoch, N: 7, RunFirst: 6, End: true,
		InFirst: 100, InLast: 140, InHash: 0xabcdef, Time: t0 + 11e9, Wall: t0 + 11e9 + 3e6, ConfigRev: 3, Digest: 0x9999,
		Views:   []Progress{{"device", 10e9, TierRegion, true, t0 + 10e9, t0 - 50e9, 30, 2, 1, t0 - 90e9, t0 - 60e9}},
		Totals:  []Total{{"acme", Metrics, "", "", "", 40}, {"acme", Metrics, StageAggregator, Duplicate, Repeat, 2}},
		Holes:   []Hole{{"agent-1", 12, 13, 40}},
		Windows: []Window{device, late}, Local: []Window{fleet},
		Early: []Early{{"acme", "pump-1", "temp", 4, 21.6, 21.5, 21.7, 21.7}},

		Resumed: true, Config: &Config{Revision: 3, From: t0 + 60e9, Document: []byte(`{"idle":"2s"}`)}, Findings: []Finding{sampleFinding()},
		Logs: []PassedLog{
			{0x1091, "agent-1", "", "acme", "shop", t0 + 1e9 + 7, t0 + 2e9, 17, []byte{0x0a, 0}},
			{0x1092, "agent-1", "north", "acme", "shop", t0, t0 + 1e9, 0, []byte{0x0a, 1, 0}},
		},

		Knows: []Epoch{{0: 0xe3}, {0: 0xe4, 15: 1}},
		Since: 6, Continues: []Continuation{{Epoch{0: 0xe1}, 3, 9, 8, 2}, {Epoch{0: 0xe2}, 5, 4, 4, 0}},
		Shed: []ShedRecords{{"device", "acme", Metrics, 12}},
		Past: []Past{{1, Total{"acme", Metrics, StageAggregator, Counted, "", 30}}},
	}
}

// sampleEstate is what was open in an epoch that has ended.
func sampleEstate() *Commit {
	c := sampleCommit()
	c.Since, c.RunFirst, c.Estate = 0, 7, true
	for _, list := range [...][]Window{c.Windows, c.Local} {
		for i := range list {
			list[i].Epoch, list[i].FirstN = c.Continues[0].Epoch, 10-uint64(i)
		}
	}
	return c
}

func sampleFinding() Finding {
	return Finding{
		ID: 0xf1d0, Revision: 2, State: FindingUpdate, Severity: Warning, Origin: "agent-1", Region: "north", Tenant: "acme", Class: "pump", Device: "pump-1",
		View: EarlyView, Metric: "temp", Kind: Anomaly, Detector: "ensemble", Model: "1", Score: 14.5, Threshold: 9, Tail: 1e-9,
		Started: t0 + 5e9, Updated: t0 + 7e9, Start: t0 + 6e9, End: t0 + 7e9, Completeness: 1, ClockError: 1e6,
		Says: "temp of pump-1 is 93.1, usually 21.6", Evidence: []Evidence{{"value", 0.75, 93.1, 21.6}},
		Devices: 1, Members: []FindingMember{{"pump-1", "temp", Anomaly, t0 + 5e9, 14.5, false}, {"pump-1", "load", Stuck, t0 + 6e9, 20, true}},
		Shared: []Attr{{"class", "pump"}}, Part: 7, Parts: []uint64{8, 9},
	}
}

func sampleCheckpoint() *Checkpoint {
	return &Checkpoint{
		Producer: "north/3", Epoch: Epoch{0: 0xe0, 15: 0x0e}, N: 7, OutSeq: 70, InLast: 140, Part: 2, Parts: 3,
		Prev: 11, Hash: 0xfeedfacecafebeef, Seqs: []uint64{12, 13}, Payload: []byte("state"),
	}
}

// Generators.

func names() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom([]string{"acme", "pump-1", "pump-2", "a", "_"}), rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`))
}

func times() *rapid.Generator[int64] {
	near := func(unit int64) *rapid.Generator[int64] {
		return rapid.Map(rapid.Int64Range(t0/unit-1e5, t0/unit+1e5), func(n int64) int64 { return n * unit })
	}
	return rapid.OneOf(near(1e9), near(1e6), near(1), rapid.Int64())
}

// numbers are what sensors send, and every other finite number.
func numbers() *rapid.Generator[float64] {
	decimal := rapid.Custom(func(t *rapid.T) float64 {
		n, div := rapid.Int64Range(-1e12, 1e12).Draw(t, "n"), rapid.SampledFrom([]float64{1, 10, 1e2, 1e5, 1e9, 1024, 3}).Draw(t, "div")
		return float64(n) / div
	})
	return rapid.OneOf(
		decimal,
		rapid.Map(rapid.Float32().Filter(func(v float32) bool { return finite(float64(v)) }), func(v float32) float64 { return float64(v) }),
		rapid.Float64().Filter(func(v float64) bool { return finite(v) }),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, maxScaled, maxScaled + 1, 1 << 53}),
	)
}

func readings() *rapid.Generator[*Reading] {
	return rapid.Custom(func(t *rapid.T) *Reading {
		r := &Reading{
			Boot: rapid.SampledFrom([]string{"", "a1", "b2"}).Draw(t, "boot"), Numbered: rapid.Bool().Draw(t, "numbered"),
			EventTime: times().Draw(t, "event"), IngestTime: times().Draw(t, "ingest"),
		}
		if r.Numbered {
			r.Seq = rapid.Uint64().Draw(t, "seq")
		} else {
			r.Packet = Packet{rapid.Uint16().Draw(t, "id"), rapid.Uint32().Draw(t, "hash"), rapid.Bool().Draw(t, "dup")}
		}
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID[string]).Draw(t, "attrs") {
			r.Attrs = append(r.Attrs, Attr{key, rapid.String().Draw(t, "attr")})
		}
		slices.SortFunc(r.Attrs, func(a, b Attr) int { return strings.Compare(a.Key, b.Key) })
		for range rapid.IntRange(0, 4).Draw(t, "values") {
			r.Values = append(r.Values, values().Draw(t, "value"))
		}
		if rapid.IntRange(0, 3).Draw(t, "otlp") == 0 {
			r.Request = Request{rapid.Uint64Range(0, 2).Draw(t, "request"), rapid.Uint32Range(0, 3).Draw(t, "at")}
			copy(r.Trace.Trace[:], rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "trace"))
			r.Log = rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "log")
		}
		return r
	})
}

// values are mostly samples.
func values() *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		v := Value{Metric: rapid.SampledFrom([]string{"temp", "hum", "x"}).Draw(t, "metric"), Value: numbers().Draw(t, "number")}
		if rapid.IntRange(0, 4).Draw(t, "sample") < 4 {
			return v
		}
		v.Kind = RecordKind(rapid.Uint8Max(uint8(recordKinds)-1).Draw(t, "kind"))
		if v.Kind.Cumulative() {
			v.MetricStream = MetricStream{rapid.Uint64().Draw(t, "stream"), times().Draw(t, "start")}
		}
		if v.Kind.Histogram() {
			v.Sketch = rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "sketch")
		}
		return v
	})
}

// sent is a reading and who sent it.
type sent struct {
	tenant, device string
	*Reading
}

func sents() *rapid.Generator[[]sent] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sent {
		return sent{names().Draw(t, "tenant"), names().Draw(t, "device"), readings().Draw(t, "reading")}
	}), 0, 12)
}

// fillFrame draws everything of a frame but its readings.
func fillFrame(t *rapid.T, b *FrameBuilder) *Frame {
	for range rapid.IntRange(0, 3).Draw(t, "flows") {
		b.AddFlow(names().Draw(t, "tenant"), rapid.SampledFrom([]Signal{Metrics, Traces, Logs}).Draw(t, "signal"),
			rapid.SampledFrom([]Outcome{"", Rejected, Shed}).Draw(t, "outcome"), rapid.SampledFrom(RejectReasons).Draw(t, "reason"),
			rapid.Uint64().Draw(t, "n"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "refused") {
		b.AddRefused(names().Draw(t, "tenant"), names().Draw(t, "device"), readings().Draw(t, "reading"))
	}
	f := b.Frame()
	f.Agent, f.N, f.ArrivedBefore = names().Draw(t, "agent"), rapid.Uint64().Draw(t, "frame"), rapid.Uint64().Draw(t, "before")
	f.NumberedBefore = rapid.Uint64().Draw(t, "numbered")
	f.Resumed, f.HasTick = rapid.Bool().Draw(t, "resumed"), rapid.Bool().Draw(t, "tick")
	if f.HasTick || rapid.Bool().Draw(t, "timed") {
		f.Tick = Tick{times().Draw(t, "time"), times().Draw(t, "wall"), rapid.Int64().Draw(t, "error"), rapid.Byte().Draw(t, "quality")}
	}
	if rapid.Bool().Draw(t, "config") {
		f.Config = &Config{rapid.Uint64().Draw(t, "revision"), times().Draw(t, "from"), rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "document")}
	}
	return f
}

func points() *rapid.Generator[Point] {
	return rapid.Custom(func(t *rapid.T) Point {
		return Point{times().Draw(t, "time"), numbers().Draw(t, "value"), rapid.Uint64().Draw(t, "id")}
	})
}

func windows(c *Commit) *rapid.Generator[Window] {
	dims := rapid.SampledFrom([][]string{nil, {"device", "metric"}, {"class", "metric"}, {"attrs.site"}})
	return rapid.Custom(func(t *rapid.T) Window {
		w := Window{
			View: rapid.SampledFrom([]string{"device", "fleet", "late:device"}).Draw(t, "view"), Dims: dims.Draw(t, "dims"),
			Start: rapid.Int64Range(math.MinInt64/2, math.MaxInt64/2).Draw(t, "start"), Contributor: c.Producer, Epoch: c.rowEpoch(),
			FirstN: rapid.Uint64Range(1, c.rowsOf()).Draw(t, "first_n"), Revision: rapid.Uint32Min(1).Draw(t, "revision"),
			Timing: Timing(rapid.Uint8Range(1, 3).Draw(t, "timing")), Count: rapid.Uint64Min(1).Draw(t, "count"),
			Sum: numbers().Draw(t, "sum"), First: points().Draw(t, "first"), Last: points().Draw(t, "last"),
			Sketch: rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "sketch"), Digest: rapid.Uint64().Draw(t, "digest"),
			Expected: rapid.Uint32().Draw(t, "expected"), Seen: rapid.Uint32().Draw(t, "seen"),
			ClockError: rapid.Int64Min(0).Draw(t, "error"), ConfigRev: rapid.Uint64().Draw(t, "config"),
		}
		w.End = w.Start + rapid.Int64Range(1, math.MaxInt64/2).Draw(t, "size")
		w.Extra = rapid.SampledFrom([]uint64{0, 0, w.Count / 2, w.Count - 1}).Draw(t, "extra")
		w.LateCount = rapid.Uint64Max(w.Records()).Draw(t, "late")
		w.Min, w.Max = numbers().Draw(t, "min"), numbers().Draw(t, "max")
		if w.Min > w.Max {
			w.Min, w.Max = w.Max, w.Min
		}
		w.Key.Tenant = names().Draw(t, "tenant")
		for range w.Dims {
			w.Key.Values = append(w.Key.Values, rapid.String().Draw(t, "key"))
		}
		for range rapid.IntRange(0, 2).Draw(t, "missing") {
			w.Missing = append(w.Missing, names().Draw(t, "name"))
		}
		for range rapid.IntRange(0, MaxExemplars).Draw(t, "exemplars") {
			w.Exemplars = w.Exemplars.Add(spans().Draw(t, "exemplar"))
		}
		return w
	})
}

// drawOrigin draws what an entry stands for and what it goes on from.
func drawOrigin(t *rapid.T, c *Commit) {
	if c.End && c.RunFirst < c.N && rapid.Bool().Draw(t, "folded") {
		c.Since = c.RunFirst
		c.Shed = []ShedRecords{{names().Draw(t, "view"), names().Draw(t, "tenant"), Logs, rapid.Uint64().Draw(t, "shed")}}
	}
	for range rapid.IntRange(0, 2).Draw(t, "continues") {
		var k Continuation
		copy(k.Epoch[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "before"))
		k.N = rapid.Uint64Max(math.MaxInt64-1).Draw(t, "last")
		k.State = rapid.Uint64Max(math.MaxInt64-1).Draw(t, "state")
		k.From, k.Estate = rapid.Uint64Range(1, k.N+1).Draw(t, "from"), rapid.Uint64().Draw(t, "estate_entries")
		c.Continues, c.Knows = append(c.Continues, k), append(c.Knows, k.Epoch)
		c.Past = append(c.Past, Past{len(c.Continues) - 1, Total{names().Draw(t, "past"), Metrics, StageAggregator, Counted, "", rapid.Uint64().Draw(t, "was")}})
	}
	c.Estate = len(c.Continues) > 0 && rapid.Bool().Draw(t, "estate")
}

func commits() *rapid.Generator[*Commit] {
	return rapid.Custom(func(t *rapid.T) *Commit {
		c := &Commit{Producer: names().Draw(t, "producer"), N: rapid.Uint64Min(1).Draw(t, "n"), End: rapid.Bool().Draw(t, "end")}
		copy(c.Epoch[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "epoch"))
		c.RunFirst = rapid.Uint64Range(1, c.N).Draw(t, "run_first")
		c.InFirst, c.InLast, c.InHash = rapid.Uint64().Draw(t, "in_first"), rapid.Uint64().Draw(t, "in_last"), rapid.Uint64().Draw(t, "in_hash")
		c.Time, c.Wall, c.ConfigRev, c.Digest = rapid.Int64().Draw(t, "time"), rapid.Int64().Draw(t, "wall"), rapid.Uint64().Draw(t, "config"), rapid.Uint64().Draw(t, "digest")
		for range rapid.IntRange(0, 2).Draw(t, "views") {
			c.Views = append(c.Views, Progress{names().Draw(t, "view"), rapid.Int64().Draw(t, "size"), Tier(names().Draw(t, "uplink")), rapid.Bool().Draw(t, "publish"), times().Draw(t, "on_time"), times().Draw(t, "final"), rapid.Uint64().Draw(t, "emitted"), rapid.Uint64().Draw(t, "open"), rapid.Uint64().Draw(t, "late"), times().Draw(t, "whole_from"), times().Draw(t, "whole_through")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "totals") {
			c.Totals = append(c.Totals, Total{names().Draw(t, "tenant"), Metrics, StageIngest, Rejected, Future, rapid.Uint64().Draw(t, "n")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "holes") {
			c.Holes = append(c.Holes, Hole{names().Draw(t, "source"), rapid.Uint64().Draw(t, "from"), rapid.Uint64().Draw(t, "to"), rapid.Uint64().Draw(t, "records")})
		}
		drawOrigin(t, c)
		some := func(what string) []Window {
			return rapid.SliceOfN(windows(c), 0, 3).Draw(t, what)
		}
		c.Windows, c.Local = some("windows"), some("local")
		c.Findings = rapid.SliceOfN(findings(), 0, 2).Draw(t, "findings")
		c.Logs = rapid.SliceOfN(passedLogs(), 0, 3).Draw(t, "logs")
		if c.Resumed = rapid.Bool().Draw(t, "resumed"); rapid.Bool().Draw(t, "configured") {
			c.Config = &Config{rapid.Uint64().Draw(t, "revision"), times().Draw(t, "from"), rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "document")}
		}
		for range rapid.IntRange(0, 2).Draw(t, "early") {
			n := func() float64 { return numbers().Draw(t, "number") }
			c.Early = append(c.Early, Early{names().Draw(t, "tenant"), names().Draw(t, "device"), "temp", rapid.Uint64().Draw(t, "count"), n(), n(), n(), n()})
		}
		return c
	})
}

func passedLogs() *rapid.Generator[PassedLog] {
	return rapid.Custom(func(t *rapid.T) PassedLog {
		return PassedLog{
			ID: rapid.Uint64().Draw(t, "id"), Agent: names().Draw(t, "agent"), Region: rapid.SampledFrom([]string{"", "north"}).Draw(t, "region"),
			Tenant: names().Draw(t, "tenant"), Device: names().Draw(t, "device"), Time: rapid.Int64().Draw(t, "time"),
			Ingest: times().Draw(t, "ingest") / 1e6 * 1e6, Severity: rapid.Uint8Max(MaxSeverity).Draw(t, "severity"),
			Data: rapid.SliceOfN(rapid.Byte(), 1, 30).Draw(t, "data"),
		}
	})
}

func findings() *rapid.Generator[Finding] {
	return rapid.Custom(func(t *rapid.T) Finding {
		text := func(what string) string { return rapid.StringN(0, 10, 40).Draw(t, what) }
		n := func(what string) float64 { return numbers().Draw(t, what) }
		kind := func() FindingKind { return FindingKind(rapid.Uint8Range(1, uint8(Stuck)).Draw(t, "kind")) }
		f := Finding{
			ID: rapid.Uint64().Draw(t, "id"), Revision: rapid.Uint32Min(1).Draw(t, "revision"),
			State: FindingState(rapid.Uint8Range(1, 3).Draw(t, "state")), Severity: Severity(rapid.Uint8Range(1, 3).Draw(t, "severity")), Kind: kind(),
			Origin: text("origin"), Region: text("region"), Tenant: text("tenant"), Class: text("class"), Device: text("device"), View: text("view"), Metric: text("metric"),
			Detector: text("detector"), Model: text("model"), Says: text("says"),
			Score: n("score"), Threshold: n("threshold"), Tail: n("tail"), Completeness: n("completeness"),
			ClockError: rapid.Int64Min(0).Draw(t, "error"), Devices: rapid.Uint32().Draw(t, "devices"),
			Part: rapid.Uint64().Draw(t, "part"), Parts: rapid.SliceOfN(rapid.Uint64(), 0, 3).Draw(t, "parts"),
		}
		for _, v := range [...]*int64{&f.Started, &f.Updated, &f.Ended, &f.Start, &f.End} {
			*v = times().Draw(t, "time")
		}
		for range rapid.IntRange(0, 2).Draw(t, "evidence") {
			f.Evidence = append(f.Evidence, Evidence{text("feature"), n("share"), n("observed"), n("expected")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "members") {
			f.Members = append(f.Members, FindingMember{text("device"), text("metric"), kind(), times().Draw(t, "since"), n("score"), rapid.Bool().Draw(t, "over")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "shared") {
			f.Shared = append(f.Shared, Attr{text("key"), text("value")})
		}
		return f
	})
}

func checkpoints() *rapid.Generator[*Checkpoint] {
	return rapid.Custom(func(t *rapid.T) *Checkpoint {
		c := &Checkpoint{Producer: names().Draw(t, "producer"), Parts: rapid.IntRange(1, 1<<16).Draw(t, "parts")}
		copy(c.Epoch[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "epoch"))
		for _, p := range []*uint64{&c.N, &c.OutSeq, &c.InLast, &c.Prev, &c.Hash} {
			*p = rapid.Uint64().Draw(t, "number")
		}
		c.Part = rapid.IntRange(0, c.Parts-1).Draw(t, "part")
		c.Seqs = rapid.SliceOfN(rapid.Uint64(), 0, 3).Draw(t, "seqs")
		c.Payload = rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "payload")
		return c
	})
}
