package plan

import (
	"errors"
	"fmt"
	"strings"

	"weir/schemas"
)

// Metric is the one metric of every simulated reading.
const Metric = "temp"

// Pattern is a shape of value and rate over time.
type Pattern string

// The patterns.
const (
	Steady Pattern = "steady" // a slow wave with noise, at an even rate
	Daily  Pattern = "daily"  // the wave takes a day
	Burst  Pattern = "burst"  // half of every 20 s worth of messages comes in their first 4 s
)

// Faults says how many of a device's messages misbehave, in percent of all.
type Faults struct {
	Late      float64 `json:"late,omitempty"`      // sent late, by less than half the allowed lateness
	TooLate   float64 `json:"too_late,omitempty"`  // event time beyond the allowed lateness
	Reorder   float64 `json:"reorder,omitempty"`   // sent after what follows, by at most 300 ms
	Duplicate float64 `json:"duplicate,omitempty"` // sent twice
	Future    float64 `json:"future,omitempty"`    // stamped an hour ahead
	Malformed float64 `json:"malformed,omitempty"` // a payload that no reading can be made of
}

func (f Faults) list() [6]float64 {
	return [6]float64{f.Late, f.TooLate, f.Reorder, f.Duplicate, f.Future, f.Malformed}
}

// Spec is everything that a run's messages depend on. It is the header of a
// truth file.
type Spec struct {
	Run      string  `json:"run"` // tag in the names of the run's devices, 1 to 32 of a-z, 2-7
	Seed     uint64  `json:"seed"`
	Tenant   string  `json:"tenant"`
	Devices  int     `json:"devices"`
	Period   int64   `json:"period_ns"` // between the readings of a device
	Batch    int     `json:"batch"`     // readings per message
	Pattern  Pattern `json:"pattern"`
	Faults   Faults  `json:"faults"`
	Trouble  bool    `json:"trouble,omitempty"` // some devices misbehave now and then: see trouble.go
	Lateness int64   `json:"lateness_ns"`       // that the product allows
	Size     int64   `json:"size_ns"`           // of the product's windows
	Start    int64   `json:"start"`             // event time at which the schedule starts, Unix ns, whole ms
	Speed    int64   `json:"speed,omitempty"`   // event time runs so many times faster than the schedule; 0: 1
	For      int64   `json:"for_ns"`            // length of the schedule; 0: until stopped
}

// Validate joins everything that is wrong with the spec.
func (s Spec) Validate() error {
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(validTag(s.Run), "run tag %q: use 1 to 32 of the letters a-z and digits 2-7", s.Run)
	bad(schemas.ValidName(s.Tenant), "tenant %q: use 1 to %d letters, digits, '-' or '_'", s.Tenant, schemas.MaxNameLen)
	bad(s.Devices > 0 && s.Devices <= 1_000_000, "devices %d: use 1 to 1,000,000", s.Devices)
	bad(s.Period >= 1_000_000, "period %d ns: a device sends at most 1,000 readings per second", s.Period)
	bad(s.Batch > 0 && s.Batch <= 1000, "batch %d: a message holds 1 to 1,000 readings", s.Batch)
	bad(s.Pattern == Steady || s.Pattern == Daily || s.Pattern == Burst, "pattern %q: use steady, daily or burst", s.Pattern)
	bad(s.Size >= ms && s.Size%ms == 0, "window size %d ns: use whole milliseconds", s.Size)
	bad(s.Lateness >= 0, "lateness %d ns: use 0 or more", s.Lateness)
	bad(s.For >= 0, "length %d ns: use 0 or more", s.For)
	bad(s.Start >= 0 && s.Start%ms == 0, "start %d: use whole milliseconds", s.Start)
	bad(s.Speed >= 0 && s.Speed <= 1000, "speed %d: use 1 to 1,000", s.Speed)
	bad(s.Speed <= 1 || s.Faults.Future == 0, "speed %d with %g percent stamped ahead: event time is hours behind, so an hour ahead of it is no future", s.Speed, s.Faults.Future)
	bad(!s.Trouble || s.Lateness >= 60_000_000_000, "trouble with a lateness of %d ns: what a silent device sends afterwards needs 60 s", s.Lateness)
	total := 0.0
	for _, percent := range s.Faults.list() {
		bad(percent >= 0 && percent <= 100, "fault share %g: use 0 to 100 percent", percent)
		total += percent
	}
	bad(total <= 100, "fault shares: %g percent in all, use at most 100", total)
	return errors.Join(errs...)
}

// speed is how much faster event time runs.
func (s Spec) speed() int64 { return max(s.Speed, 1) }

func validTag(s string) bool {
	return len(s) > 0 && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// Boot is the boot id of every device of the run.
func (s Spec) Boot() string { return "s" + s.Run }

// Prefix begins the name of every device of the run and of no other run.
func (s Spec) Prefix() string { return s.Boot() + "-" }

// Device is the name of device d, counted from 0.
func (s Spec) Device(d int) string { return fmt.Sprintf("%s%05d", s.Prefix(), d+1) }

// Index is the number of a device of this run, or -1 for any other name.
func (s Spec) Index(device string) int {
	digits, ok := strings.CutPrefix(device, s.Prefix())
	if !ok || len(digits) > 7 {
		return -1
	}
	n := 0
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	if n < 1 || n > s.Devices || s.Device(n-1) != device {
		return -1
	}
	return n - 1
}
