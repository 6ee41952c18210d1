package window

import (
	"errors"
	"fmt"
	"time"
)

// Config says how the silence and disorder of devices are judged. All durations are in ns.
type Config struct {
	Disorder int64 // how far records of one device may be out of order without being late; 0 means 500 ms
	Idle     int64 // agent time without a record after which a device no longer holds the watermark; 0 means 2 s
	Grace    int64 // agent time that devices get after a restart before their silence counts; 0 means 10 s
}

// Defaults of Config.
const (
	DefaultDisorder = int64(500 * time.Millisecond)
	DefaultIdle     = int64(2 * time.Second)
	DefaultGrace    = int64(10 * time.Second)
)

// Validate names everything that is wrong with c, or returns nil.
func (c Config) Validate() error {
	var problems []error
	for _, d := range []struct {
		name string
		ns   int64
	}{{"disorder", c.Disorder}, {"idle", c.Idle}, {"grace", c.Grace}} {
		if d.ns < 0 || d.ns > longest {
			problems = append(problems, fmt.Errorf("%s %s: use 1ns to 36 years, or 0 for the default", d.name, time.Duration(d.ns)))
		}
	}
	return errors.Join(problems...)
}

// filled is c with the defaults in place of zeros.
func (c Config) filled() Config {
	if c.Disorder == 0 {
		c.Disorder = DefaultDisorder
	}
	if c.Idle == 0 {
		c.Idle = DefaultIdle
	}
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	return c
}

// Sources follows the event times of the devices of one agent. Agent time must never go back from call to call.
// A device that has been added but has sent no record yet is idle.
type Sources struct {
	config  Config // without zeros
	devices []device
	lows    []low   // one for each lateness asked for, ascending
	scratch []int64 // for the median
}

// device is what is known of one device.
type device struct {
	event int64 // its greatest event time; never before the first record
	seen  int64 // agent time of its last record, or later: silence is counted from here
}

// NewSources makes a Sources without devices. c must be valid.
func NewSources(c Config) *Sources { return &Sources{config: c.filled()} }

// Configure changes how silence and disorder are judged, from now on. c must be valid. [Sources.Low] still never goes
// back.
func (s *Sources) Configure(c Config) { s.config = c.filled() }

// Add makes room for one more device and returns its id: 0, 1, 2 and so on.
func (s *Sources) Add(agentNow int64) (id int) {
	s.devices = append(s.devices, device{event: never, seen: agentNow})
	return len(s.devices) - 1
}

// Len is the number of devices added.
func (s *Sources) Len() int { return len(s.devices) }

// Observe notes a good record of device id with this event time, read at this agent time. Observe a record before its
// windows are asked to accept it.
func (s *Sources) Observe(id int, event, agentNow int64) {
	d := &s.devices[id]
	d.event = max(d.event, event)
	d.seen = agentNow
}

// DataWatermark is the device's greatest event time less the disorder, math.MinInt64 before its first record. It never
// goes back unless the disorder is made longer.
func (s *Sources) DataWatermark(id int) int64 {
	return s.dataWatermark(s.devices[id].event)
}

func (s *Sources) dataWatermark(event int64) int64 {
	if event == never {
		return never
	}
	return later(event, -s.config.Disorder)
}

// Watermark is the data watermark and, while the device is idle, the agent time that has passed since it became so.
// It falls back to the data watermark when the device speaks again: use it to close windows, and the data watermark to
// judge whether a record is late.
func (s *Sources) Watermark(id int, agentNow int64) int64 {
	d := s.devices[id]
	if d.event == never {
		return never
	}
	return later(s.dataWatermark(d.event), s.idleFor(d.seen, agentNow))
}

// IsIdle reports whether the device has been silent for the idle time or longer, or has not sent anything yet.
func (s *Sources) IsIdle(id int, agentNow int64) bool {
	d := s.devices[id]
	return d.event == never || d.seen <= s.idleSince(agentNow)
}

// Restart says that the agent was down until agentNow: nobody listened, so silence is counted only after the grace.
// Devices that were idle are so again when they stay silent. A record starts the usual count at once.
func (s *Sources) Restart(agentNow int64) {
	for i := range s.devices {
		s.devices[i].seen = later(agentNow, s.config.Grace)
	}
}

// idleSince is the agent time such that a device seen then or before is idle now.
func (s *Sources) idleSince(agentNow int64) int64 { return later(agentNow, -s.config.Idle) }

// idleFor is how long a device last seen then has been idle, at least 0.
func (s *Sources) idleFor(seen, agentNow int64) int64 {
	return max(0, since(later(seen, s.config.Idle), agentNow))
}
