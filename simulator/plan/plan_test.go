package plan

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew")

func example() Spec {
	return Spec{
		Run: "abc234", Seed: 42, Tenant: "sim", Devices: 3, Period: int64(200 * time.Millisecond), Batch: 1, Pattern: Steady,
		Faults:   Faults{Late: 10, TooLate: 10, Reorder: 10, Duplicate: 10, Future: 10, Malformed: 10},
		Lateness: int64(time.Minute), Size: int64(10 * time.Second), Start: 1_763_760_000_000 * ms, For: int64(time.Minute),
	}
}

func specs() *rapid.Generator[Spec] {
	return rapid.Custom(func(t *rapid.T) Spec {
		share := rapid.Float64Range(0, 16)
		return Spec{
			Run: rapid.StringMatching(`[a-z2-7]{1,8}`).Draw(t, "run"), Seed: rapid.Uint64().Draw(t, "seed"), Tenant: "sim",
			Devices: rapid.IntRange(1, 200_000).Draw(t, "devices"), Period: rapid.Int64Range(ms, 100*s).Draw(t, "period"),
			Batch: rapid.IntRange(1, 20).Draw(t, "batch"), Pattern: rapid.SampledFrom([]Pattern{Steady, Daily, Burst}).Draw(t, "pattern"),
			Faults: Faults{
				Late: share.Draw(t, "late"), TooLate: share.Draw(t, "too late"), Reorder: share.Draw(t, "reorder"),
				Duplicate: share.Draw(t, "duplicate"), Future: share.Draw(t, "future"), Malformed: share.Draw(t, "malformed"),
			},
			Lateness: rapid.Int64Range(0, 100*s).Draw(t, "lateness"), Size: rapid.Int64Range(1, 60).Draw(t, "size") * s,
			Start: 1_763_760_000_000 * ms, For: int64(time.Minute),
		}
	})
}

func newPlan(t interface{ Fatal(...any) }, spec Spec) *Plan {
	p, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMessagesAreFixed compares with bytes written once: a truth file of any
// version of this format must keep its meaning.
func TestMessagesAreFixed(t *testing.T) {
	var got []byte
	for _, pattern := range []Pattern{Steady, Daily, Burst} {
		spec := example()
		spec.Pattern = pattern
		p := newPlan(t, spec)
		c := Cursor{Device: 2}
		for range 20 {
			m := p.Next(&c)
			got = fmt.Appendf(got, "%s %d %d +%d ", p.Device(2), m.Fate, p.Due(2, m.Index), p.Delay(m))
			got = append(p.AppendPayload(got, m), '\n')
		}
	}
	if *rewrite {
		if err := os.WriteFile("testdata/messages.txt", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/messages.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("messages changed: old truth files would be read wrongly\ngot:\n%s\nwant:\n%s", got, want)
	}
}

func TestScheduleOfAnySpec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPlan(t, specs().Draw(t, "spec"))
		c := Cursor{Device: rapid.IntRange(0, p.Devices-1).Draw(t, "device")}
		var before, seq int64 = -1, 0
		for range 50 {
			m := p.Next(&c)
			due := p.Due(m.Device, m.Index)
			if due < before || due%ms != 0 {
				t.Fatalf("message %d is due at %d, the one before at %d", m.Index, due, before)
			}
			if m.Seq != uint64(seq)+1 {
				t.Fatalf("message %d begins with number %d, want %d", m.Index, m.Seq, seq+1)
			}
			if m.Numbered() {
				seq += int64(p.Batch)
			}
			checkFate(t, p, m, before)
			before = due
		}
	})
}

// checkFate checks what makes the fate of a message certain.
func checkFate(t *rapid.T, p *Plan, m Message, dueBefore int64) {
	due := p.Due(m.Device, m.Index)
	for r := range p.Batch {
		at := p.EventTime(m, r) - p.Start
		if at%ms != 0 {
			t.Fatalf("event time %d is no whole millisecond", at)
		}
		switch m.Fate {
		case TooLate:
			if at > dueBefore-p.Lateness-p.Size-tooLateMargin {
				t.Fatalf("too late reading at %d: the message before was due at %d", at, dueBefore)
			}
		case Future:
			if at < due-p.Span()*3+futureShift {
				t.Fatalf("future reading at %d, due at %d", at, due)
			}
		default:
			if at > due || at < due-p.Span()*3 {
				t.Fatalf("reading at %d of a message due at %d", at, due)
			}
		}
		if v := p.Value(m, r); v <= 0 || v >= 1<<30 {
			t.Fatalf("value %d", v)
		}
	}
	switch delay := p.Delay(m); {
	case m.Fate == Late && (delay < 0 || delay > 0 && delay >= p.Lateness/2):
		t.Fatalf("late by %d of %d", delay, p.Lateness)
	case m.Fate == Reorder && (delay <= 0 || delay > reorderAtMost):
		t.Fatalf("reordered by %d", delay)
	case m.Fate != Late && m.Fate != Reorder && delay != 0:
		t.Fatalf("fate %d delays by %d", m.Fate, delay)
	}
}

func TestTooLateFollowsSomethingGood(t *testing.T) {
	spec := example()
	spec.Faults = Faults{TooLate: 50, Malformed: 25, Late: 20}
	p := newPlan(t, spec)
	n := 0
	for d := range 3 {
		before := Message{Fate: Malformed}
		for c := (Cursor{Device: d}); c.Index < 2000; {
			m := p.Next(&c)
			if m.Fate == TooLate {
				n++
				if before.Fate != Normal && before.Fate != Duplicate {
					t.Fatalf("message %d of device %d is too late behind fate %d", m.Index, d, before.Fate)
				}
			}
			before = m
		}
	}
	if n < 100 {
		t.Errorf("%d too late messages of 6000", n)
	}
}

// TestPayload decodes what a device sends and compares it with the plan.
func TestPayload(t *testing.T) {
	type body struct {
		Temp float64
		TS   int64
		Seq  uint64
		Boot string
	}
	rapid.Check(t, func(t *rapid.T) {
		p := newPlan(t, specs().Draw(t, "spec"))
		c := Cursor{Device: rapid.IntRange(0, p.Devices-1).Draw(t, "device")}
		for range 20 {
			m := p.Next(&c)
			if m.Fate == Malformed {
				continue
			}
			text := p.AppendPayload(nil, m)
			if p.Batch == 1 {
				text = append(append([]byte("["), text...), ']')
			}
			var got []body
			if err := json.Unmarshal(text, &got); err != nil || len(got) != p.Batch {
				t.Fatalf("%s: %v", text, err)
			}
			for r, b := range got {
				want := body{float64(p.Value(m, r)) * Unit, p.EventTime(m, r) / ms, m.Seq + uint64(r), p.Boot()}
				if b != want {
					t.Fatalf("got %+v, want %+v", b, want)
				}
			}
		}
	})
}

func TestSharesOfFates(t *testing.T) {
	spec := example()
	p := newPlan(t, spec)
	const n = 60_000
	var fates [7]int
	for c := (Cursor{Device: 1}); c.Index < n; {
		fates[p.Next(&c).Fate]++
	}
	for fate, got := range fates[Late:] {
		want := 0.1 * n
		if Late+Fate(fate) == TooLate {
			want *= 0.5 // the others would follow nothing good
		}
		if math.Abs(float64(got)-want) > 6*math.Sqrt(want) {
			t.Errorf("fate %d: %d of %d messages, want about %.0f", int(Late)+fate, got, n, want)
		}
	}
}

// TestFewGaps bounds how many numbers of a device are missing at a time while
// late messages are on hold: the product remembers sixteen intervals.
func TestFewGaps(t *testing.T) {
	spec := example()
	spec.Period, spec.Faults = int64(10*time.Millisecond), Faults{Late: 30}
	p := newPlan(t, spec)
	most := 0
	var held []int64
	for c := (Cursor{}); c.Index < 50_000; {
		m := p.Next(&c)
		due := p.Due(0, m.Index)
		kept := held[:0]
		for _, until := range held {
			if until > due {
				kept = append(kept, until)
			}
		}
		held = kept
		if m.Fate == Late {
			held = append(held, due+p.Delay(m))
		}
		most = max(most, len(held))
	}
	if most > 12 {
		t.Errorf("%d messages on hold at a time", most)
	}
	if most < 2 {
		t.Errorf("late messages are not late: %d on hold", most)
	}
}

func TestMessagesCountsWhatIsDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPlan(t, specs().Draw(t, "spec"))
		d := rapid.IntRange(0, p.Devices-1).Draw(t, "device")
		length := rapid.Int64Range(0, 1000*s).Draw(t, "length")
		n := p.Messages(d, length)
		if n > 0 && p.Due(d, n-1) >= length {
			t.Fatalf("message %d is due at %d, behind %d", n-1, p.Due(d, n-1), length)
		}
		if p.Due(d, n) < length {
			t.Fatalf("message %d is due at %d, before %d", n, p.Due(d, n), length)
		}
	})
}

func TestIndex(t *testing.T) {
	spec := example()
	spec.Devices = 200_000
	for _, d := range []int{0, 1, 99_998, 99_999, 199_999} {
		if got := spec.Index(spec.Device(d)); got != d {
			t.Errorf("Index(Device(%d)) = %d", d, got)
		}
	}
	for _, name := range []string{"", "sabc234-", "sabc234-00000", "sabc234-1", "sabc234-0000x", "sabc235-00001", "sabc234-200001", "sabc234-000001", "sabc234-99999999999999999999"} {
		if got := spec.Index(name); got != -1 {
			t.Errorf("Index(%q) = %d, want -1", name, got)
		}
	}
}

func TestValidateNamesEverything(t *testing.T) {
	bad := Spec{Run: "A", Tenant: "a b", Period: 1, Pattern: "odd", Lateness: -1, For: -1, Start: 1, Faults: Faults{Late: 60, Future: 60, Reorder: -1}}
	err := bad.Validate()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 12 {
		t.Errorf("got %v, want 12 problems", err)
	}
	if err := example().Validate(); err != nil {
		t.Error(err)
	}
}

func BenchmarkPayload(b *testing.B) {
	p := newPlan(b, example())
	var buf []byte
	c := Cursor{}
	b.ReportAllocs()
	for b.Loop() {
		buf = p.AppendPayload(buf[:0], p.Next(&c))
	}
}

// TestSpeed: event time runs faster, the schedule does not, and what the truth calls
// counted stays within the lateness that the product allows.
func TestSpeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := specs().Draw(t, "spec")
		spec.Faults.Future = 0
		slow := newPlan(t, spec)
		spec.Speed = rapid.Int64Range(2, 100).Draw(t, "speed")
		fast := newPlan(t, spec)
		d := rapid.IntRange(0, spec.Devices-1).Draw(t, "device")
		c := Cursor{Device: d}
		for range 50 {
			m := fast.Next(&c)
			if fast.Due(d, m.Index) != slow.Due(d, m.Index) {
				t.Fatalf("message %d is due at %d, without speed at %d", m.Index, fast.Due(d, m.Index), slow.Due(d, m.Index))
			}
			if m.Fate == TooLate {
				continue
			}
			last := spec.Batch - 1
			if got, want := fast.EventTime(m, last)-spec.Start, spec.Speed*(slow.EventTime(m, last)-spec.Start); got != want {
				t.Fatalf("reading %d of message %d is stamped %d after the start, wanted %d", last, m.Index, got, want)
			}
			if m.Fate == Late && spec.Speed*fast.Delay(m) > max(spec.Lateness/2, spec.Speed*ms) {
				t.Fatalf("late message %d comes %d ns of event time late, allowed are %d", m.Index, spec.Speed*fast.Delay(m), spec.Lateness)
			}
		}
	})
}

func TestSpeedNeedsAPast(t *testing.T) {
	spec := example()
	spec.Speed = 60
	if err := spec.Validate(); err == nil {
		t.Error("readings stamped ahead of an event time that is hours behind are taken as future")
	}
}
