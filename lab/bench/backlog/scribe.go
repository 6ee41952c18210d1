package backlog

import (
	"time"

	"weir/schemas"
	"weir/simulator/plan"
)

// scribe writes the frames of one agent, as the writer of ingest does. After the
// document it is one frame after the other, each behind the one before.
type scribe struct {
	agent    string
	plan     *plan.Plan
	document *schemas.Config // of the first frame; nil: the folder has none
	devices  []sender        // in the order in which they send within a period
	turn     int             // whose reading is next

	n       uint64 // frames written
	arrived uint64 // records in them
	numbers uint64 // of these, those with numbers
	after   uint64 // sequence of the newest
	ticked  int64  // agent time of the last tick
	builder schemas.FrameBuilder
	encoder schemas.FrameEncoder
}

// sender is a device on its way through the plan.
type sender struct {
	name string
	plan.Cursor
}

// travel is how long a reading is on its way to ingest, in ns.
const travel = int64(5 * time.Millisecond)

// appender stores a message behind the one with the sequence after, and returns
// its sequence.
type appender interface {
	append(subject string, data []byte, after uint64) (uint64, error)
}

// due is the event time of a device's next reading.
func (s *scribe) due(d *sender) int64 { return s.plan.EventTime(s.plan.Peek(d.Cursor), 0) }

// collect writes a frame of what arrives before a time, which is its own.
func (s *scribe) collect(to appender, at int64) error {
	if s.n == 0 && s.document != nil {
		s.builder.Frame().Config = s.document
		if err := s.write(to, at-int64(frameEvery)); err != nil {
			return err
		}
	}
	for len(s.devices) > 0 && s.due(&s.devices[s.turn])+travel < at {
		s.add(&s.devices[s.turn])
		s.turn = (s.turn + 1) % len(s.devices)
	}
	if s.builder.Empty() {
		return nil
	}
	return s.write(to, at)
}

// add puts a device's next reading into the frame.
func (s *scribe) add(d *sender) {
	m := s.plan.Next(&d.Cursor)
	event := s.plan.EventTime(m, 0)
	s.builder.Add(s.plan.Tenant, d.name, &schemas.Reading{
		Boot: s.plan.Boot(), Seq: m.Seq, Numbered: true, EventTime: event, IngestTime: event + travel,
		Values: []schemas.Value{{Metric: plan.Metric, Value: float64(s.plan.Value(m, 0)) * plan.Unit}},
	})
	s.builder.AddFlow(s.plan.Tenant, schemas.Metrics, "", "", 1)
}

// idle writes a tick and nothing else.
func (s *scribe) idle(to appender, at int64) error { return s.write(to, at) }

// write makes a frame of what the builder holds.
func (s *scribe) write(to appender, at int64) (err error) {
	f := s.builder.Frame()
	f.Agent, f.N, f.ArrivedBefore, f.NumberedBefore, f.Resumed = s.agent, s.n+1, s.arrived, s.numbers, s.n == 0
	f.Tick = schemas.Tick{Time: at, Wall: at}
	if f.HasTick = at-s.ticked >= int64(tickEvery); f.HasTick {
		s.ticked = at
	}
	if s.after, err = to.append(schemas.Journal(s.agent), s.encoder.Append(nil, f), s.after); err != nil {
		return err
	}
	s.n, s.arrived, s.numbers = s.n+1, s.arrived+f.Arrived(), s.numbers+f.Numbered()
	s.builder.Reset()
	return nil
}
