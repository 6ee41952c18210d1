package window

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"
)

// Standing says what a device has to do with the agent watermark.
type Standing uint8

// The standings of a device. Only Active ones hold the agent watermark.
const (
	Active Standing = iota
	Idle            // silent for the idle time, or never heard
	Behind          // its greatest event time is further than the lateness before the median
	Ahead           // its greatest event time is further than the lateness after the median
)

// String is the lower-case word.
func (s Standing) String() string {
	switch s {
	case Active:
		return "active"
	case Idle:
		return "idle"
	case Behind:
		return "behind"
	case Ahead:
		return "ahead"
	}
	return fmt.Sprintf("standing(%d)", uint8(s))
}

// low is the agent watermark for one lateness.
type low struct {
	lateness int64
	mark     int64 // the watermark as last given out; never decreases
	asked    int64 // agent time of that answer
}

// unasked is the agent time after which the watermark for a lateness that nobody asks for is forgotten.
const unasked = int64(time.Hour)

// Low is the agent watermark for views with this allowed lateness: the least Watermark of the devices that are neither
// idle nor further than lateness from the median of the greatest event times. The median is over the devices that are
// not idle; of an even number it is the lower one of the middle two, which waits rather than loses: of two devices that
// disagree the one that is behind is believed.
//
// When all devices are idle, the watermark moves on with agent time from where it was. Should the last device have
// become idle unnoticed since the call before, it moves on from what the devices heard last would have given then.
//
// Low never goes back, for each lateness (a lateness that is not asked for in an hour starts anew), and is
// math.MinInt64 before the first record. It takes two passes over the devices at most, plus a selection when they are
// further apart than the lateness.
func (s *Sources) Low(agentNow, lateness int64) int64 {
	l := s.low(agentNow, lateness)
	heard := s.poll(s.idleSince(agentNow))
	if heard.n > 0 {
		l.mark = max(l.mark, s.least(heard, lateness))
	} else if heard = s.lastHeard(); heard.n > 0 {
		l.mark = max(l.moved(later(heard.seen, s.config.Idle), agentNow),
			later(s.least(heard, lateness), s.idleFor(heard.seen, agentNow)))
	}
	l.asked = agentNow
	return l.mark
}

// moved is the watermark moved on by the agent time for which all devices have been idle since it was last asked for.
func (l *low) moved(allIdle, agentNow int64) int64 {
	if l.mark == never {
		return never
	}
	return later(l.mark, max(0, since(max(l.asked, allIdle), agentNow)))
}

// LeftOut yields, in order of id, the devices that do not hold the agent watermark for this lateness, and why.
func (s *Sources) LeftOut(agentNow, lateness int64) iter.Seq2[int, Standing] {
	return func(yield func(int, Standing) bool) {
		quiet := s.idleSince(agentNow)
		from, to := s.trusted(s.poll(quiet), lateness)
		for id, d := range s.devices {
			standing := Active
			switch {
			case d.event == never || d.seen <= quiet:
				standing = Idle
			case d.event < from:
				standing = Behind
			case d.event > to:
				standing = Ahead
			}
			if standing != Active && !yield(id, standing) {
				return
			}
		}
	}
}

// low finds the watermark for this lateness, or begins one.
func (s *Sources) low(agentNow, lateness int64) *low {
	i, found := slices.BinarySearchFunc(s.lows, lateness, func(l low, lateness int64) int {
		return cmp.Compare(l.lateness, lateness)
	})
	if found {
		return &s.lows[i]
	}
	s.lows = slices.Insert(s.lows, i, low{lateness: lateness, mark: never, asked: agentNow})
	s.lows = slices.DeleteFunc(s.lows, func(l low) bool { return since(l.asked, agentNow) > unasked })
	return s.low(agentNow, lateness)
}

// census is a set of devices in short: those with a record that were seen after an agent time.
type census struct {
	n           int
	after       int64 // the agent time
	first, last int64 // least and greatest of their greatest event times
	seen        int64 // the latest agent time one of them was seen
}

// poll counts the devices with a record that were seen after that agent time.
func (s *Sources) poll(after int64) census {
	c := census{after: after, first: forever, last: never, seen: never}
	for i := range s.devices {
		d := &s.devices[i]
		if d.seen <= after || d.event == never {
			continue
		}
		c.n++
		c.first, c.last, c.seen = min(c.first, d.event), max(c.last, d.event), max(c.seen, d.seen)
	}
	return c
}

// lastHeard is the census of the devices that were seen last, all at the same agent time.
func (s *Sources) lastHeard() census {
	everyone := s.poll(never)
	if everyone.n == 0 {
		return everyone
	}
	return s.poll(everyone.seen - 1)
}

// least is the smallest data watermark among the trusted devices of a census that is not empty.
func (s *Sources) least(c census, lateness int64) int64 {
	from, _ := s.trusted(c, lateness)
	if from <= c.first {
		return s.dataWatermark(c.first)
	}
	smallest := int64(math.MaxInt64)
	for i := range s.devices {
		d := &s.devices[i]
		if d.seen > c.after && d.event >= from {
			smallest = min(smallest, d.event)
		}
	}
	return s.dataWatermark(smallest)
}

// trusted is the closed range of event times within lateness of the median of a census. When no two devices are
// further apart than that, nobody can be further from the median, which is then not needed.
func (s *Sources) trusted(c census, lateness int64) (from, to int64) {
	if c.n == 0 || since(c.first, c.last) <= lateness {
		return c.first, c.last
	}
	s.scratch = slices.Grow(s.scratch[:0], c.n)
	for i := range s.devices {
		if d := &s.devices[i]; d.seen > c.after && d.event != never {
			s.scratch = append(s.scratch, d.event)
		}
	}
	median := kth(s.scratch, (c.n-1)/2, c.first, c.last)
	return later(median, -lateness), later(median, lateness)
}
