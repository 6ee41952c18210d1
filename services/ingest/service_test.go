package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/schemas"
)

// inBubble runs a test in fake time, where a day takes a moment.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func (h *harness) mustStop(t testing.TB) []*schemas.Frame {
	t.Helper()
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	return h.log.journal(t, h.cfg.Agents[0])
}

// A frame is cut 20 ms after its first record if somebody waits, else after
// 100 ms, and not before the one in flight is in the journal.
func TestFrameTiming(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), nil)
		took := func(c chan got) time.Duration {
			begin := time.Now()
			<-c
			return time.Since(begin)
		}
		if d := took(h.nats.request("tel.t.d.metrics", "1")); d != 20*time.Millisecond {
			t.Errorf("answered after %v, want 20 ms", d)
		}
		h.nats.publish("tel.t.d.metrics", "2")
		time.Sleep(99 * time.Millisecond)
		synctest.Wait()
		if n := h.Status().Agents[0].Journaled; n != 1 {
			t.Errorf("%d records journaled 99 ms after a publish, want 1", n)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := h.Status().Agents[0].Journaled; n != 2 {
			t.Errorf("%d records journaled 100 ms after a publish, want 2", n)
		}
		h.nats.publish("tel.t.d.metrics", "3")
		time.Sleep(50 * time.Millisecond)
		if d := took(h.nats.request("tel.t.d.metrics", "4")); d != 0 {
			t.Errorf("a batch of 50 ms of age was cut %v after somebody waits, want at once", d)
		}
		h.log.delay = 70 * time.Millisecond
		first := h.nats.request("tel.t.d.metrics", "5")
		time.Sleep(30 * time.Millisecond) // its append is on the way
		if d := took(h.nats.request("tel.t.d.metrics", "6")); d != 130*time.Millisecond {
			t.Errorf("answered after %v, want 60 ms for the frame before and 70 ms for its own", d)
		}
		<-first
		if _, n := balance(t, h.mustStop(t)); n != 6 {
			t.Errorf("%d records, want 6", n)
		}
	})
}

// Ticks come each second while nothing happens, and each 250 ms or with the next
// frame while records come.
func TestTicks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), nil)
		gaps := func(from time.Time) (least, most time.Duration) {
			last := int64(0)
			for _, f := range h.log.journal(t, "a1") {
				if f.HasTick && f.Tick.Time >= from.UnixNano() {
					if gap := time.Duration(f.Tick.Time - last); last > 0 {
						least, most = min(least, gap), max(most, gap)
						if least == 0 {
							least = gap
						}
					}
					last = f.Tick.Time
				}
			}
			return least, most
		}
		time.Sleep(20 * time.Second)
		if least, most := gaps(time.Now().Add(-20 * time.Second)); least != time.Second || most != time.Second {
			t.Errorf("idle: ticks %v to %v apart, want 1 s", least, most)
		}
		busy := time.Now()
		for range 1000 {
			h.nats.publish("tel.t.d.metrics", "1")
			time.Sleep(10 * time.Millisecond)
		}
		if least, most := gaps(busy); least < 250*time.Millisecond || most > 400*time.Millisecond {
			t.Errorf("busy: ticks %v to %v apart, want 250 to 400 ms", least, most)
		}
		h.mustStop(t)
	})
}

// A second run goes on where the first ended: dense numbers, the count of what
// came before, agent time that advances over the gap by at most a minute.
func TestResume(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := newMemLog()
		for run, gap := range []time.Duration{0, 10 * time.Second, 26 * time.Hour} {
			time.Sleep(gap)
			var before int64
			if frames := log.journal(t, "a1"); len(frames) > 0 {
				before = frames[len(frames)-1].Tick.Time
			}
			ran := len(log.journal(t, "a1"))
			h := start(t, Config{}, log, nil)
			<-h.nats.request("tel.t.d.metrics", `[1,2,{}]`)
			frames := h.mustStop(t)
			if !frames[ran].Resumed || slices.ContainsFunc(frames[ran+1:], func(f *schemas.Frame) bool { return f.Resumed }) {
				t.Errorf("run %d: only its first frame says resumed", run)
			}
			if got, want := time.Duration(frames[ran].Tick.Time-before), min(gap, time.Minute); run > 0 && got != want {
				t.Errorf("run %d: agent time advanced %v over a gap of %v, want %v", run, got, gap, want)
			}
			if arrived, n := balance(t, frames); int(arrived) != 3*(run+1) || int(n) != 2*(run+1) {
				t.Errorf("run %d: %d arrived, %d records", run, arrived, n)
			}
		}
	})
}

// Agent time does not follow a wall clock that was set back between two runs.
func TestAgentTimeNeverGoesBack(t *testing.T) {
	at := time.Unix(2_000_000_000, 0)
	last := schemas.Tick{Time: at.UnixNano(), Wall: at.UnixNano()}
	for _, wall := range []time.Time{at.Add(-time.Hour), at, at.Add(time.Hour)} {
		c := resumeClock(last, wall)
		if got := c.tick(wall).Time - last.Time; got < 0 || got > longestGap {
			t.Errorf("wall clock %v later: agent time advanced %v", wall.Sub(at), time.Duration(got))
		}
	}
}

// After a kill the last frame may be no tick: it tells the time all the same.
func TestResumeBehindAFrameWithoutTick(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := newMemLog()
		h := start(t, Config{}, log, nil)
		for range 3 { // 20 ms apart: not each is a tick
			<-h.nats.request("tel.t.d.metrics", "1")
		}
		frames := h.mustStop(t)
		last := slices.IndexFunc(frames, func(f *schemas.Frame) bool { return !f.HasTick })
		if last < 0 {
			t.Fatal("every frame is a tick")
		}
		log.cut("a1", last+1)
		killed := frames[last].Tick
		time.Sleep(10 * time.Second)
		now := time.Now().UnixNano()
		frames = start(t, Config{}, log, nil).mustStop(t)
		if got, want := frames[last+1].Tick.Time-killed.Time, now-killed.Wall; killed.Time == 0 || got != want {
			t.Errorf("agent time advanced %v over the kill, want %v", time.Duration(got), time.Duration(want))
		}
	})
}

func TestFence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := newMemLog()
		h := start(t, Config{}, log, nil)
		log.mu.Lock()
		log.fault = func() fault { return intrude }
		log.mu.Unlock()
		c := h.nats.request("tel.t.d.metrics", "1")
		if err := h.stop(); !errors.Is(err, ErrFenced) || !strings.Contains(err.Error(), "agent a1") {
			t.Errorf("another writer was there: Run returned %v", err)
		}
		select {
		case g := <-c:
			t.Errorf("answered %+v though nothing was journaled", g)
		default:
		}
	})
}

// faulty makes each append go wrong in some way now and then, but never twice in
// a row more than five times.
func faulty(seed uint64) func() fault {
	r := rand.New(rand.NewPCG(seed, 1))
	row := 0
	return func() fault {
		f := fault(r.IntN(int(loseMessage) + 1))
		if row++; row > 5 || r.IntN(2) == 0 {
			f, row = fine, 0
		}
		return f
	}
}

// samples are payloads with what becomes of their records.
var samples = []string{
	`1`, `{"a":1,"b":2,"seq":5}`, `[1,2,{"a":3}]`, `{"a":`, `{}`, `[]`, `{"a":1,"9":2}`, `{"a":1,"ts":5,"seq":6}`, `x`,
	`[{"a":1},{"a":1e999,"seq":7},{"b":"x"},5]`, "\x91\x81\xa1a\x01", "\xc1",
}

// Whatever goes wrong between ingest and journal, what devices are told adds up
// to what the journal holds.
func TestAnswersAddUp(t *testing.T) {
	for seed := range uint64(20) {
		inBubble(t, func(t *testing.T) {
			log := newMemLog()
			h := start(t, Config{}, log, nil)
			log.mu.Lock()
			log.fault = faulty(seed)
			log.mu.Unlock()
			r := rand.New(rand.NewPCG(seed, 2))
			var due []chan got
			for range 300 {
				subject := fmt.Sprintf("tel.t.d%d.metrics", r.IntN(5))
				due = append(due, h.nats.request(subject, samples[r.IntN(len(samples))]))
				time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
			}
			records, journaled := uint64(0), uint64(0)
			for _, c := range due {
				n, k := told(t, <-c)
				records, journaled = records+n, journaled+k
			}
			arrived, n := balance(t, h.mustStop(t))
			if arrived != records || n != journaled {
				t.Fatalf("seed %d: told of %d records, %d journaled; the journal has %d and %d", seed, records, journaled, arrived, n)
			}
		})
	}
}

// told reads a reply. A request that was turned away because the journal is
// full counts for nothing: the sender knows.
func told(t *testing.T, g got) (records, journaled uint64) {
	t.Helper()
	var r struct {
		reply
		refusedReply
	}
	if err := json.Unmarshal([]byte(g.text), &r); err != nil {
		t.Fatal(err)
	}
	switch {
	case string(r.Error) != g.header:
		t.Fatalf("reply %s with header %q", g.text, g.header)
	case r.Error == schemas.JournalFull:
		return 0, 0
	case r.Error != "":
		return 1, 0
	}
	return uint64(r.Records), uint64(r.Journaled)
}

// Frames that fill up while another is in flight wait in order and are lost in
// none of several ways to lose one; what finds no room is shed and counted.
func TestFramesWaitForTheJournal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := newMemLog()
		h := start(t, Config{FrameBytes: 1000, DrainTimeout: time.Minute}, log, nil)
		log.delay = time.Second
		for i := range 400 {
			h.nats.publish("tel.t.d.metrics", fmt.Sprintf(`{"a":1,"seq":%d}`, i))
		}
		frames := h.mustStop(t)
		arrived, n := balance(t, frames)
		if arrived != 400 || n == 0 || n == 400 {
			t.Errorf("%d arrived, %d journaled: want 400, and some shed", arrived, n)
		}
		next := uint64(0)
		for _, f := range frames {
			for _, seq := range f.Seq {
				if seq < next {
					t.Fatalf("reading %d behind %d", seq, next-1)
				}
				next = seq + 1
			}
		}
	})
}

// At 90 % of its share an agent sheds what nobody waits for, turns requests
// away, goes on ticking, and takes again when there is room.
func TestFullJournal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := newMemLog()
		h := start(t, Config{JournalShare: 1 << 20}, log, nil)
		log.holds(950_000)
		time.Sleep(2 * time.Second)
		if !h.Status().Agents[0].Full {
			t.Fatal("not full at 90 %")
		}
		h.nats.publish("tel.t.d.metrics", `{"a":1,"b":2,"9":3}`)
		if g := <-h.nats.request("tel.t.d.metrics", "1"); g.header != "journal_full" {
			t.Errorf("request while full: %+v", g)
		}
		n := len(log.journal(t, "a1"))
		time.Sleep(3 * time.Second)
		if len(log.journal(t, "a1")) < n+3 {
			t.Error("no ticks while full")
		}
		log.holds(800_000)
		time.Sleep(2 * time.Second)
		if g := <-h.nats.request("tel.t.d.metrics", "1"); g.header != "" {
			t.Errorf("request after there is room: %+v", g)
		}
		rows := sum(h.mustStop(t))
		shed := schemas.Flow{Tenant: "t", Signal: schemas.Metrics, Outcome: schemas.Shed, Reason: schemas.JournalFull}
		bad := schemas.Flow{Tenant: "t", Signal: schemas.Metrics, Outcome: schemas.Rejected, Reason: schemas.BadName}
		if rows[shed] != 2 || rows[bad] != 1 {
			t.Errorf("rows %v: want 2 shed, 1 bad name", rows)
		}
	})
}

// A stream that is full is waited for; nothing is lost or answered before.
func TestStreamFull(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := newMemLog()
		h := start(t, Config{}, log, nil)
		until := time.Now().Add(10 * time.Second)
		log.mu.Lock()
		log.fault = func() fault {
			if time.Now().Before(until) {
				return refuse
			}
			return fine
		}
		log.mu.Unlock()
		c := h.nats.request("tel.t.d.metrics", "1")
		if g := <-c; time.Now().Before(until) || g.header != "" {
			t.Errorf("answered %+v at %v, want after %v", g, time.Now(), until)
		}
		if _, n := balance(t, h.mustStop(t)); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
	})
}

// A journal that takes nothing for a while, as on a full disk, is as good as full:
// nobody waits in vain, and what was shed meanwhile is counted when it is back.
func TestStuckJournal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := newMemLog()
		h := start(t, Config{}, log, nil)
		until := time.Now().Add(10 * time.Second)
		log.mu.Lock()
		log.fault = func() fault {
			if time.Now().Before(until) {
				return loseMessage
			}
			return fine
		}
		log.mu.Unlock()
		taken := h.nats.request("tel.t.d.metrics", "1")
		time.Sleep(5 * time.Second)
		h.nats.publish("tel.t.d.metrics", `{"a":1,"b":2}`)
		if g := <-h.nats.request("tel.t.d.metrics", "1"); g.header != "journal_full" {
			t.Errorf("request while it is stuck: %+v", g)
		}
		if g := <-taken; time.Now().Before(until) || g.header != "" {
			t.Errorf("what was taken before is answered %+v at %v, want after %v", g, time.Now(), until)
		}
		if g := <-h.nats.request("tel.t.d.metrics", "1"); g.header != "" {
			t.Errorf("request when it is back: %+v", g)
		}
		rows := sum(h.mustStop(t))
		shed := schemas.Flow{Tenant: "t", Signal: schemas.Metrics, Outcome: schemas.Shed, Reason: schemas.JournalFull}
		if rows[shed] != 2 {
			t.Errorf("rows %v: want 2 shed", rows)
		}
	})
}

// Stopping does not hang on a journal that answers no more.
func TestDrainIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := newMemLog()
		h := start(t, Config{}, log, nil)
		log.mu.Lock()
		log.fault = func() fault { return loseMessage }
		log.mu.Unlock()
		h.nats.publish("tel.t.d.metrics", "1")
		begin := time.Now()
		err := h.stop()
		if took := time.Since(begin); took > 7*time.Second || err == nil {
			t.Errorf("stopped after %v with %v: want an error in about 5 s", took, err)
		}
	})
}

// What is in the batch when the context ends is written and answered.
func TestStopWritesWhatWasTaken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), nil)
		c := h.nats.request("tel.t.d.metrics", "1")
		frames := h.mustStop(t)
		if _, n := balance(t, frames); n != 1 || (<-c).header != "" {
			t.Errorf("%d records journaled, want 1 and an answer", n)
		}
		if f := frames[len(frames)-1]; !f.HasTick {
			t.Error("the last frame has no tick")
		}
		h.nats.publish("tel.t.d.metrics", "2")
		if g := <-h.nats.request("tel.t.d.metrics", "3"); g.header != "journal_full" {
			t.Errorf("request after the end: %+v", g)
		}
	})
}

// A policy document has a frame of its own: what was accepted before is before
// it, and what comes after SetConfig returned is behind it and under its rules.
func TestSetConfig(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{Agents: []string{"a1", "a2"}}, newMemLog(), nil)
		h.nats.publish("tel.t.d.metrics", `1`)
		h.nats.publish("tel.t.e.metrics", `1`)
		set := DefaultSettings()
		strict := set.Rules
		strict.Payload = 3
		set.Own = map[Owner]*Rules{{Tenant: "t"}: &strict}
		if err := h.SetConfig(context.Background(), everywhere(&h.cfg, 2, set)); err != nil {
			t.Fatal(err)
		}
		if g := <-h.nats.request("tel.t.d.metrics", `1.25`); g.header != "too_large" {
			t.Errorf("under the new rules: %+v", g)
		}
		if g := <-h.nats.request("tel.u.d.metrics", `1.25`); g.header != "" {
			t.Errorf("another tenant: %+v", g)
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		for _, a := range h.cfg.Agents {
			order := ""
			for _, f := range h.log.journal(t, a) {
				if f.Config != nil {
					order += fmt.Sprint("config", f.Config.Revision, " ")
				}
				if f.Records() > 0 {
					order += "records "
				}
			}
			if !strings.HasPrefix(order, "config1 ") || !strings.Contains(order, "config2 ") || strings.Contains(order, "config2 records config") {
				t.Errorf("agent %s: %s", a, order)
			}
		}
	})
}

func TestSetConfigRefusesNonsense(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{}, newMemLog(), nil)
		set := DefaultSettings()
		set.Rules.Payload, set.Devices = 0, 0
		configs := everywhere(&h.cfg, 2, set)
		configs["elsewhere"] = AgentConfig{Settings: DefaultSettings()}
		err := h.SetConfig(context.Background(), configs)
		for _, want := range []string{"agent a1", "payload", "devices", "only 1 of them"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want all that is wrong, %q too", err, want)
			}
		}
		h.mustStop(t)
	})
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	for want, cfg := range map[string]Config{
		"none named":    {},
		"agent name":    {Agents: []string{"a b"}},
		"journal share": {Agents: []string{"a"}, JournalShare: -1},
	} {
		if _, err := New(cfg, Deps{Log: newMemLog()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", cfg, err, want)
		}
	}
	if _, err := New(Config{Agents: []string{"a"}}, Deps{}); err == nil {
		t.Error("a service without a journal")
	}
}

// An unreadable or newer journal stops the start instead of being overwritten.
func TestResumeRefusesWhatItCannotRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := newMemLog()
		log.store(schemas.Journal("a1"), []byte{200, 1, 2})
		s, err := New(Config{Agents: []string{"a1"}}, Deps{Log: log})
		if err != nil {
			t.Fatal(err)
		}
		var newer *schemas.NewerVersionError
		if err := s.Run(context.Background()); !errors.As(err, &newer) {
			t.Errorf("Run returned %v, want a newer version", err)
		}
	})
}
