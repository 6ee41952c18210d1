package ingest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// memLog is a journal in memory, with faults on demand.
type memLog struct {
	mu     sync.Mutex
	seq    uint64
	last   map[string]uint64
	frames map[string][][]byte
	bytes  int64
	keep   bool          // keep the frames' bytes
	fault  func() fault  // asked before each append; nil: none
	delay  time.Duration // of each append
}

// fault is what goes wrong with an append.
type fault int

const (
	fine fault = iota
	refuse
	loseAnswer  // stored, but nobody hears of it
	loseMessage // neither stored nor answered
	intrude     // another writer was first
)

var errTimeout = errors.New("timeout")

func newMemLog() *memLog {
	return &memLog{last: map[string]uint64{}, frames: map[string][][]byte{}, keep: true}
}

// Append is called in a bubble where it takes its time.
func (l *memLog) Append(ctx context.Context, subject string, data []byte, after uint64) (uint64, error) {
	if l.delay > 0 {
		time.Sleep(l.delay)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := fine
	if l.fault != nil {
		f = l.fault()
	}
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case f == refuse:
		return 0, bus.ErrFull
	case f == loseMessage:
		return 0, errTimeout
	case f == intrude:
		l.store(subject, []byte("somebody else"))
	}
	if l.last[subject] != after {
		return 0, bus.ErrWrongLast
	}
	l.store(subject, data)
	if f == loseAnswer {
		return 0, errTimeout
	}
	return l.seq, nil
}

func (l *memLog) store(subject string, data []byte) {
	l.seq++
	l.last[subject] = l.seq
	l.bytes += int64(len(data))
	if !l.keep {
		l.frames[subject] = l.frames[subject][:0]
	}
	l.frames[subject] = append(l.frames[subject], bytes.Clone(data))
}

func (l *memLog) Last(_ context.Context, subject string) (uint64, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.frames[subject]
	if len(f) == 0 {
		return 0, nil, bus.ErrNone
	}
	return l.last[subject], f[len(f)-1], nil
}

// cut forgets all but the first n frames of the only agent, as a crash does.
func (l *memLog) cut(agent string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := schemas.Journal(agent)
	l.frames[s] = l.frames[s][:n]
	l.seq, l.last[s] = uint64(n), uint64(n)
}

// holds sets how many bytes the journal has.
func (l *memLog) holds(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes = bytes
}

func (l *memLog) used(string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// journal decodes the frames of an agent and checks what holds for every journal:
// dense numbers, the counts of what went before, ticks that never go back.
func (l *memLog) journal(t testing.TB, agent string) []*schemas.Frame {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*schemas.Frame
	var d schemas.FrameDecoder
	arrived, numbers, tick := uint64(0), uint64(0), int64(0)
	for i, b := range l.frames[schemas.Journal(agent)] {
		f := new(schemas.Frame)
		if err := d.Decode(b, f); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if f.N != uint64(i+1) || f.ArrivedBefore != arrived || f.Agent != agent {
			t.Fatalf("frame %d: N %d, arrived before %d of agent %s, want %d, %d, %s", i, f.N, f.ArrivedBefore, f.Agent, i+1, arrived, agent)
		}
		if f.NumberedBefore != numbers {
			t.Fatalf("frame %d: %d records had numbers before it, want %d", i, f.NumberedBefore, numbers)
		}
		numbers += f.Numbered()
		if f.HasTick && f.Tick.Time < tick {
			t.Fatalf("frame %d: tick went back by %v", i, time.Duration(tick-f.Tick.Time))
		}
		if f.HasTick {
			tick = f.Tick.Time
		}
		arrived += f.Arrived()
		all = append(all, f)
	}
	return all
}

// sum adds the flow rows of frames up, by tenant, outcome and reason.
func sum(frames []*schemas.Frame) map[schemas.Flow]uint64 {
	rows := map[schemas.Flow]uint64{}
	for _, f := range frames {
		for _, w := range f.Flow {
			n := w.N
			w.N = 0
			rows[w] += n
		}
	}
	return rows
}

// balance checks that arrivals are the records in columns and discards.
func balance(t testing.TB, frames []*schemas.Frame) (arrived, records uint64) {
	t.Helper()
	discarded := uint64(0)
	for _, f := range frames {
		arrived += f.Arrived()
		records += uint64(f.Records())
		for _, w := range f.Flow {
			if w.Outcome != "" {
				discarded += w.N
			}
		}
	}
	if arrived != records+discarded {
		t.Fatalf("%d arrived, %d in columns and %d discarded", arrived, records, discarded)
	}
	return arrived, records
}

// fakeNATS is the subscriber of a test.
type fakeNATS struct{ handle, command func(Message) }

func (f *fakeNATS) Subscribe(subject string, _ int, handle func(Message)) (func(), error) {
	if subject == schemas.CommandAll {
		f.command = handle
	} else {
		f.handle = handle
	}
	return func() {}, nil
}

// got is an answer to a request.
type got struct{ text, header string }

// publish sends without wanting an answer.
func (f *fakeNATS) publish(subject, data string) {
	f.handle(Message{Subject: subject, Data: []byte(data)})
}

// request sends and returns where the answer will come.
func (f *fakeNATS) request(subject, data string) chan got {
	c := make(chan got, 1)
	f.handle(Message{Subject: subject, Data: []byte(data), Reply: func(b []byte, header ...string) error {
		g := got{text: string(b)}
		if len(header) == 2 && header[0] == ErrorHeader {
			g.header = header[1]
		}
		c <- g
		return nil
	}})
	return c
}

// everywhere gives all agents the same settings.
func everywhere(cfg *Config, revision uint64, set Settings) map[string]AgentConfig {
	all := map[string]AgentConfig{}
	for _, a := range cfg.Agents {
		all[a] = AgentConfig{schemas.Config{Revision: revision, From: 7, Document: []byte(`{"x":1}`)}, set}
	}
	return all
}

// harness is a service under test.
type harness struct {
	*Service
	log  *memLog
	nats *fakeNATS
	stop func() error // ends Run and returns its error
}

// start runs a service with default settings, changed by tune, until the test ends.
func start(t testing.TB, cfg Config, log *memLog, tune func(*Settings, *Deps)) *harness {
	t.Helper()
	if cfg.Agents == nil {
		cfg.Agents = []string{"a1"}
	}
	h := &harness{log: log, nats: &fakeNATS{}}
	set, deps := DefaultSettings(), Deps{Log: log, Telemetry: h.nats, Used: log.used}
	if tune != nil {
		tune(&set, &deps)
	}
	s, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	h.Service = s
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	var result error
	h.stop = func() error {
		once.Do(func() {
			cancel()
			result = <-done
		})
		return result
	}
	t.Cleanup(func() { _ = h.stop() })
	if err := s.SetConfig(ctx, everywhere(&cfg, 1, set)); err != nil {
		t.Fatal(err)
	}
	<-s.Ready()
	return h
}

// fill makes the journal full, and waits until the agent has noticed.
func (h *harness) fill(t testing.TB) {
	t.Helper()
	h.log.holds(h.cfg.JournalShare)
	h.until(t, "the journal is full", func() bool { return h.Status().Agents[0].Full })
}

// until waits in real time until something is so.
func (h *harness) until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(slowest); !so(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so: %s; %+v", what, h.Status())
		}
	}
}
