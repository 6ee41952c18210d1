package services_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/pkg/window"
	"weir/schemas"
	"weir/services/aggregator"
	"weir/services/gateway"
	"weir/services/internal/bus"
	"weir/services/internal/fold"
)

const (
	second  = int64(time.Second)
	agent   = "a001"
	devices = 3
	began   = 1_760_000_000 * second
	size    = 4 * second // of a window; 10 s where the agent has lost its settings

	// With one reading a second each is a digit of its window's sum.
	base   = 4
	places = 20 // more than a window has readings
)

var (
	agentBox = schemas.AgentOutbox(agent, schemas.KindCommit)
	inbox    = schemas.Inbox("r01", schemas.Partition(agent), agent, schemas.LaneLive)
)

// short are views with windows that are soon final.
func short([]byte) (*aggregator.Settings, error) {
	s := aggregator.DefaultSettings()
	for i := range s.Views {
		s.Views[i].Spec = window.Spec{Size: size, Lateness: 6 * second}
	}
	return s, nil
}

// world is an agent, its devices and its region. Time goes on by seconds.
type world struct {
	now  int64
	box  *box
	log  said
	stop context.CancelFunc // of the agent's process; nil: it is down
	done chan error
	way  store
	open func(context.Context) store // what a process finds of its folder
	wait func()                      // until the process has done what there is to do
	link bool                        // whether the tiers reach each other
	meet sync.Mutex                  // held by whoever is at the region, or cuts the link: it is asked while entries come

	devs    [devices]sender
	frames  journaled
	region  *gateway.Fold
	seq     uint64 // of the region's inbox
	n       uint64 // of its outbox
	emitted map[string]schemas.Window
	passed  map[string]int // log records that the region has passed on: each reading is one, too
	runner  *fold.Runner
	stage   atomic.Pointer[fold.Stage] // that the runner has made last; nil: none

	byService bool // a forwarder brings entries up
	failed    error
}

// said is what processes have logged: two of a world may do so at once.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// store is a process's way to its folder.
type store interface {
	fold.Log
	fold.Reader
}

// all are the messages of a subject.
func (w *world) all(subject string) (out []bus.Message) {
	err := w.way.Read(context.Background(), streamOf(subject), 1, true, func(m bus.Message) error {
		out = append(out, m)
		return nil
	}, subject)
	if err != nil {
		panic(err)
	}
	return out
}

// sender is a device that numbers its readings and sends them until they are
// acknowledged.
type sender struct {
	seq     uint64
	pending []schemas.Reading
	quiet   bool // away: it keeps its readings
}

// journaled is what ingest knows of the journal.
type journaled struct {
	n, arrived, last uint64
	agentTime, wall  int64 // of its newest tick
	begun            bool  // in this life
	enc              schemas.FrameEncoder
}

func newWorld() *world {
	w := &world{
		now: began, box: newBox(), link: true, emitted: map[string]schemas.Window{}, passed: map[string]int{},
		region: gateway.NewInboxFold(fmt.Sprintf("r01/%d", schemas.Partition(agent)), schemas.TierRegion, nil),
	}
	w.open = func(ctx context.Context) store { return life{w.box, ctx} }
	w.wait = pass
	return w
}

// start starts the agent's process.
func (w *world) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.done, w.way = cancel, make(chan error, 1), w.open(ctx)
	way := w.way
	w.resume()
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	stage := func() *fold.Stage { return fold.NewStage(agent, aggregator.NewFold(agent, short), agentBox, way, log) }
	if err := stage().Begin(ctx, schemas.StreamJournal); err != nil {
		panic(err)
	}
	r := fold.NewRunner(fold.Config{
		Input: schemas.StreamJournal, Output: schemas.StreamAgentOutbox, Route: func(string) []string { return []string{agent} },
		Make: func(string) *fold.Stage {
			w.stage.Store(stage())
			return w.stage.Load()
		},
		Above: w.above,
	}, way, log)
	w.runner = r
	go func() { w.done <- r.Run(ctx, agent) }()
	w.wait()
}

// above is what the agent asks its region at the start.
func (w *world) above(_ context.Context, producer string, e schemas.Epoch) (fold.Above, error) {
	w.meet.Lock()
	defer w.meet.Unlock()
	if !w.link {
		return fold.Above{}, errors.New("no link")
	}
	var g schemas.LinkGrant
	w.region.Tell(&schemas.LinkReport{Producer: producer, Epoch: e.String()}, &g)
	return fold.Above{Known: g.Known, Ended: g.Ended}, nil
}

// resume finds out where the journal ends, as ingest does.
func (w *world) resume() {
	w.frames = journaled{agentTime: w.now, wall: w.now}
	seq, data, err := w.way.Last(context.Background(), schemas.Journal(agent))
	if err != nil {
		return
	}
	var f schemas.Frame
	if err := new(schemas.FrameDecoder).Decode(data, &f); err != nil {
		panic(err)
	}
	w.frames.n, w.frames.arrived, w.frames.last = f.N, f.ArrivedBefore+f.Arrived(), seq
	w.frames.agentTime, w.frames.wall = f.Tick.Time+min(60*second, max(0, w.now-f.Tick.Wall)), w.now
}

// crash ends the process without another call reaching the folder.
func (w *world) crash() {
	if w.stop == nil {
		return
	}
	w.stop()
	if err := <-w.done; err != nil && !errors.Is(err, context.Canceled) {
		w.failed = err
	}
	w.stop = nil
}

// step lets a second pass. deaf says that acknowledgements are lost.
func (w *world) step(deaf bool) {
	w.now += second
	for d := range w.devs {
		s := &w.devs[d]
		s.seq++
		s.pending = append(s.pending, schemas.Reading{
			Boot: "b", Numbered: true, Seq: s.seq, EventTime: w.now, Values: []schemas.Value{{Metric: "m", Value: value(w.now)}},
			Request: schemas.Request{Hash: s.seq}, Log: []byte(logOf(fmt.Sprintf("d%d", d), s.seq)),
		})
	}
	if w.stop != nil {
		w.frame(deaf)
	}
	w.wait()
	w.forward()
}

// logOf is the log record that a reading is, too. A device makes one each second.
func logOf(device string, seq uint64) string { return fmt.Sprintf("%d of %s", seq, device) }

// value is one digit of the sum of a device's window: how often each of its readings is in
// it can be seen.
func value(at int64) float64 { return float64(digit(at)) }

func digit(at int64) uint64 {
	n := uint64(1)
	for range at / second % places {
		n *= base
	}
	return n
}

// spread adds how often each reading of a device is in a window, by their log records.
func spread(win *schemas.Window, into map[string]uint64) {
	for at := win.Start; at < win.End; at += second {
		into[logOf(win.Dim("device"), uint64((at-began)/second))] += uint64(win.Sum) / digit(at) % base
	}
}

// frame journals what the devices send.
func (w *world) frame(deaf bool) {
	j := &w.frames
	var b schemas.FrameBuilder
	for d := range w.devs {
		s := &w.devs[d]
		if s.quiet {
			continue
		}
		for i := range s.pending {
			r := s.pending[i]
			r.IngestTime = w.now
			b.Add("t", fmt.Sprintf("d%d", d), &r)
			b.AddFlow("t", schemas.Metrics, "", "", 1)
		}
		if !deaf {
			s.pending = nil
		}
	}
	f := b.Frame()
	j.agentTime, j.wall = j.agentTime+w.now-j.wall, w.now
	f.Agent, f.N, f.ArrivedBefore, f.Resumed, f.HasTick = agent, j.n+1, j.arrived, !j.begun, true
	f.Tick = schemas.Tick{Time: j.agentTime, Wall: w.now}
	if !j.begun {
		f.Config = &schemas.Config{Revision: 1, Document: []byte("{}")}
	}
	seq, err := w.way.Append(context.Background(), schemas.Journal(agent), j.enc.Append(nil, f), j.last)
	if err != nil {
		panic(err)
	}
	j.n, j.arrived, j.last, j.begun = f.N, j.arrived+f.Arrived(), seq, true
}

// forward brings what the region lacks, the newest first, and lets go what it has.
func (w *world) forward() {
	if !w.link || w.stop == nil || w.byService {
		return
	}
	all := w.all(agentBox)
	applied := map[uint64]bool{}
	anchor := uint64(0)
	var d schemas.CommitDecoder
	for _, m := range slices.Backward(all) {
		c, err := d.Decode(m.Data, 0)
		if err != nil {
			panic(err)
		}
		if c.End && anchor == 0 {
			anchor = m.Seq - (c.N - c.RunFirst)
		}
		if w.has(c) {
			applied[m.Seq] = true
			continue
		}
		w.apply(m.Data)
		applied[m.Seq] = w.has(c)
	}
	below := anchor
	for _, m := range all {
		if !applied[m.Seq] {
			below = min(below, m.Seq)
		}
	}
	w.purge(agentBox, below)
	if s := w.stage.Load(); s != nil {
		w.purge(schemas.Journal(agent), min(s.SafeBefore(), w.frames.last))
	}
}

func (w *world) purge(subject string, below uint64) {
	if below > 1 {
		_ = w.way.Purge(context.Background(), subject, below) // or the next time
	}
}

// has reports whether the region has an entry.
func (w *world) has(c *schemas.Commit) bool {
	var g schemas.LinkGrant
	w.region.Tell(&schemas.LinkReport{Producer: agent, Epoch: c.Epoch.String(), Newest: c.N}, &g)
	return slices.ContainsFunc(g.Applied, func(s schemas.Span) bool { return s.From <= c.N && c.N <= s.To })
}

// apply hands an entry to the region and keeps what comes out of it.
func (w *world) apply(data []byte) {
	w.meet.Lock()
	defer w.meet.Unlock()
	w.seq++
	m := fold.Message{Subject: inbox, Seq: w.seq, Data: data}
	r, err := w.region.Apply(m)
	if err != nil {
		panic(err)
	}
	if r == nil {
		return
	}
	for _, c := range fold.Entries("r01", w.n, m, r, 1<<20) {
		w.n = c.N
		for _, l := range c.Logs {
			w.passed[string(l.Data)]++
		}
		for _, list := range [...][]schemas.Window{c.Windows, c.Local} {
			for _, win := range list {
				name := fmt.Sprint(win.View, win.Key, win.Start, win.End, win.FirstN)
				if win.Revision > w.emitted[name].Revision {
					win.Sketch = nil
					w.emitted[name] = win
				}
			}
		}
	}
}

// verdict is what has become of the readings.
type verdict struct {
	made, counted, late, twice uint64
	passed, again, held        uint64 // log records: passed on, of these again, and held back
	silent                     uint64 // log records that are not passed on though their readings count
	said                       uint64 // that the region says it has passed on
	ledger                     *schemas.Ledger
	check                      schemas.GatewayCheck
}

func (w *world) verdict() (v verdict) {
	often := map[string]uint64{}
	for _, win := range w.emitted {
		switch {
		case win.View == schemas.DeviceView:
			v.counted += win.Count
			spread(&win, often)
		case win.View == schemas.LateView(schemas.DeviceView):
			v.late += win.Count
		}
	}
	for reading, n := range often {
		v.twice += max(n, 1) - 1
		if n > 0 && w.passed[reading] == 0 {
			v.silent++
		}
	}
	for d := range w.devs {
		v.made += w.devs[d].seq
	}
	for _, n := range w.passed {
		v.passed += uint64(n)
		v.again += uint64(n) - 1
	}
	for _, t := range w.region.Check(0).Passing {
		if t.Outcome == schemas.Passed {
			v.said += t.N
		} else {
			v.held += t.N
		}
	}
	v.ledger, v.check = schemas.NewLedger(w.region.Ledgers(0)), w.region.Check(0)
	return v
}

// reach mends or cuts the link.
func (w *world) reach(link bool) {
	w.meet.Lock()
	defer w.meet.Unlock()
	w.link = link
}

func (w *world) linked() bool {
	w.meet.Lock()
	defer w.meet.Unlock()
	return w.link
}

// settle lets everything come to rest: links and processes up, all windows final.
func (w *world) settle() {
	w.reach(true)
	for d := range w.devs {
		w.devs[d].quiet = false
	}
	if w.stop == nil {
		w.start()
	}
	for range 120 {
		w.step(false)
	}
	for range 8 { // nobody sends any more
		w.now += 2 * second
		w.frame(false)
		w.wait()
		w.forward()
	}
}
