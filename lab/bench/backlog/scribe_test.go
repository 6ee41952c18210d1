package backlog

import (
	"fmt"
	"testing"
	"time"

	"weir/schemas"
	"weir/simulator/plan"
)

// kept are the frames of one agent, decoded, with the fences they came with.
type kept struct {
	t      *testing.T
	frames []schemas.Frame
	after  []uint64
}

func (k *kept) append(subject string, data []byte, after uint64) (uint64, error) {
	var f schemas.Frame
	if err := new(schemas.FrameDecoder).Decode(data, &f); err != nil {
		k.t.Fatal(err)
	}
	if subject != schemas.Journal(f.Agent) {
		k.t.Errorf("frame %d of %s went to %s", f.N, f.Agent, subject)
	}
	k.frames, k.after = append(k.frames, f), append(k.after, after)
	return uint64(10 * len(k.frames)), nil // others write in between
}

var (
	small = Load{Devices: 300, Agents: 3, Rate: 5}
	start = time.Unix(1_760_000_000, 0)
)

// written are ten seconds of the first agent and a tick after them.
func written(t *testing.T) (*kept, *scribe) {
	t.Helper()
	p, err := small.plan(start)
	if err != nil {
		t.Fatal(err)
	}
	s := small.scribes(p, map[string]*schemas.Config{"a001": {Revision: 7, Document: []byte("{}")}})[0]
	k := &kept{t: t}
	for at := start.UnixNano(); at < start.Add(10*time.Second).UnixNano(); {
		at += int64(frameEvery)
		if err := s.collect(k, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.idle(k, start.Add(11*time.Second).UnixNano()); err != nil {
		t.Fatal(err)
	}
	return k, s
}

// TestFramesAreAsIngestWritesThem: numbered without a hole, each behind the one
// before it, with the time of the agent and a tick often enough.
func TestFramesAreAsIngestWritesThem(t *testing.T) {
	k, s := written(t)
	if len(k.frames) != 102 || s.n != 102 {
		t.Fatalf("%d frames, %d by their count, wanted a document, ten a second, and a tick", len(k.frames), s.n)
	}
	arrived, ticked, last := uint64(0), int64(0), int64(0)
	for i, f := range k.frames {
		if f.N != uint64(i+1) || f.ArrivedBefore != arrived || k.after[i] != uint64(10*i) || f.Resumed != (i == 0) {
			t.Errorf("frame %d has number %d behind %d, %d arrived before, resumed %v; wanted %d arrived", i, f.N, k.after[i], f.ArrivedBefore, f.Resumed, arrived)
		}
		if f.Tick.Time <= last || f.Tick.Wall != f.Tick.Time {
			t.Errorf("frame %d has the time %+v, the one before %d", i, f.Tick, last)
		}
		if f.HasTick {
			ticked = f.Tick.Time
		}
		if f.Tick.Time-ticked > int64(300*time.Millisecond) {
			t.Errorf("frame %d comes %v after the last tick", i, time.Duration(f.Tick.Time-ticked))
		}
		last, arrived = f.Tick.Time, arrived+f.Arrived()
	}
	if c := k.frames[0].Config; c == nil || c.Revision != 7 || k.frames[0].Records() != 0 {
		t.Errorf("the first frame holds %+v and %d records, wanted the document alone", c, k.frames[0].Records())
	}
	if f := k.frames[101]; f.Records() != 0 || !f.HasTick {
		t.Errorf("the last frame holds %d records, tick %v", f.Records(), f.HasTick)
	}
}

// TestReadingsAreThePlan: every device of the agent sends all its readings, in
// order, and each is in the first frame that it can be in.
func TestReadingsAreThePlan(t *testing.T) {
	k, s := written(t)
	seqs, from := map[string]uint64{}, start.UnixNano()
	for i, f := range k.frames[1:101] {
		records := uint64(0)
		for r := range f.Readings() {
			src := f.Sources[f.From[r]]
			name := f.Strings[src.Device]
			seqs[name]++
			if f.Seq[r] != seqs[name] || !src.Numbered || f.Strings[src.Boot] != "sstored" || f.Strings[src.Tenant] != "bench" {
				t.Errorf("frame %d: reading %d of %s boot %s, wanted %d", i, f.Seq[r], name, f.Strings[src.Boot], seqs[name])
			}
			if f.IngestTime[r] < from || f.IngestTime[r] >= f.Tick.Time || f.IngestTime[r]-f.EventTime[r] != travel {
				t.Errorf("frame %d of [%d, %d) has a reading of %d that came at %d", i, from, f.Tick.Time, f.EventTime[r], f.IngestTime[r])
			}
			d := s.plan.Index(name)
			m := plan.Message{Device: d, Index: int64(f.Seq[r]) - 1, Seq: f.Seq[r]}
			if want := float64(s.plan.Value(m, 0)) * plan.Unit; f.Value[r] != want || f.EventTime[r] != s.plan.EventTime(m, 0) {
				t.Errorf("%s %d is %v at %d, wanted %v", name, f.Seq[r], f.Value[r], f.EventTime[r], want)
			}
			records++
		}
		if records != f.Arrived() {
			t.Errorf("frame %d says that %d records arrived and holds %d", i, f.Arrived(), records)
		}
		from = f.Tick.Time
	}
	if len(seqs) != len(s.devices) {
		t.Fatalf("%d devices sent, the agent has %d", len(seqs), len(s.devices))
	}
	for name, n := range seqs {
		if n < 49 || n > 50 {
			t.Errorf("%s sent %d readings in 10 s, five a second wanted", name, n)
		}
	}
}

// TestDevicesGoToTheirAgents: each device is with the agent that it hashes to.
func TestDevicesGoToTheirAgents(t *testing.T) {
	p, err := small.plan(start)
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for i, s := range small.scribes(p, nil) {
		for _, d := range s.devices {
			if got := schemas.AgentOf("bench", d.name, small.Agents); got != i || s.agent != fmt.Sprintf("a%03d", i+1) {
				t.Errorf("%s is with agent %d, %s, and hashes to %d", d.name, i, s.agent, got)
			}
		}
		all += len(s.devices)
	}
	if all != small.Devices {
		t.Errorf("%d devices are with agents, %d there are", all, small.Devices)
	}
}
