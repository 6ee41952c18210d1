package backlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/schemas"
	"weir/simulator/plan"
)

// Load is the devices whose readings the journal holds.
type Load struct {
	Devices int
	Agents  int     // of the data folder
	Rate    float64 // readings per second and device
	Bytes   int64   // the journal is at least so large
}

// Backlog is a journal that was written.
type Backlog struct {
	Bytes   int64   `json:"journal_bytes"` // as the server counts them
	Frames  uint64  `json:"frames"`
	Records int64   `json:"records"`
	Seconds float64 `json:"seconds_of_devices"`
}

// How ingest cuts and ticks; see Config in services/ingest.
const (
	frameEvery = 100 * time.Millisecond
	tickEvery  = 250 * time.Millisecond
	busyFor    = 5 * time.Second // after the last record ticks come as often
	idleEvery  = time.Second     // then so often
	tail       = 15 * time.Second
)

// leastPerRecord is less than a record takes in the journal, in bytes, with all
// that the server adds to its frame. By it the journal begins so early that it
// does not reach into the future.
const leastPerRecord = 20

// Write makes the journal. The folder is of a weir up with the default prefix
// that has ended.
func Write(ctx context.Context, dir string, l Load) (Backlog, error) {
	s, err := open(dir)
	if err != nil {
		return Backlog{}, err
	}
	b, err := l.write(ctx, s)
	s.close()
	if err == nil {
		err = forgetIndex(dir)
	}
	if err != nil {
		return b, fmt.Errorf("write %d bytes of journal into %s: %w", l.Bytes, dir, err)
	}
	return b, nil
}

func (l Load) write(ctx context.Context, s *store) (b Backlog, err error) {
	if err := s.admits(l.Bytes); err != nil {
		return b, err
	}
	documents, err := s.documents()
	if err != nil {
		return b, err
	}
	if err := s.rewind(); err != nil {
		return b, err
	}
	long := time.Duration(float64(l.Bytes) / leastPerRecord / (l.Rate * float64(l.Devices)) * float64(time.Second))
	start := time.Now().Add(-long - tail).Truncate(time.Second)
	p, err := l.plan(start)
	if err != nil {
		return b, err
	}
	scribes := l.scribes(p, documents)
	return l.play(ctx, s, scribes, start.UnixNano())
}

// plan is what the devices send.
func (l Load) plan(start time.Time) (*plan.Plan, error) {
	return plan.New(plan.Spec{
		Run: "stored", Seed: 1, Tenant: "bench", Devices: l.Devices, Period: int64(float64(time.Second) / l.Rate), Batch: 1,
		Pattern: plan.Steady, Size: int64(10 * time.Second), Lateness: int64(time.Minute), Start: start.UnixNano(),
	})
}

// scribes are one for each agent, with the devices that hash to it in the order
// in which they send.
func (l Load) scribes(p *plan.Plan, documents map[string]*schemas.Config) []*scribe {
	all := make([]*scribe, l.Agents)
	for i := range all {
		name := fmt.Sprintf("a%03d", i+1)
		all[i] = &scribe{agent: name, plan: p, document: documents[name]}
	}
	for d := range l.Devices {
		s := all[schemas.AgentOf(p.Tenant, p.Device(d), l.Agents)]
		s.devices = append(s.devices, sender{name: p.Device(d), Cursor: plan.Cursor{Device: d}})
	}
	for _, s := range all {
		slices.SortFunc(s.devices, func(a, b sender) int { return cmp.Compare(s.due(&a), s.due(&b)) })
	}
	return all
}

// play writes the journal, a second of all agents at a time.
func (l Load) play(ctx context.Context, s *store, scribes []*scribe, start int64) (b Backlog, err error) {
	at := start
	each := func(step time.Duration, frame func(*scribe) error) error {
		at += int64(step)
		for _, w := range scribes {
			if err := frame(w); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	for err == nil && b.Bytes < l.Bytes {
		for range int(time.Second / frameEvery) {
			err = errors.Join(err, each(frameEvery, func(w *scribe) error { return w.collect(s, at) }))
		}
		if err == nil {
			b.Bytes, err = s.settle()
		}
	}
	b.Seconds = time.Duration(at - start).Seconds()
	for quiet := time.Duration(0); err == nil && quiet < tail; {
		step := tickEvery
		if quiet >= busyFor {
			step = idleEvery
		}
		quiet += step
		err = each(step, func(w *scribe) error { return w.idle(s, at) })
	}
	if err != nil {
		return b, err
	}
	for _, w := range scribes {
		b.Frames, b.Records = b.Frames+w.n, b.Records+int64(w.arrived)
	}
	b.Bytes, err = s.settle()
	return b, err
}
