package detect

import (
	"errors"
	"fmt"
	"math"
)

// A Config says what a detector cannot see in its series. The zero value is a good one.
type Config struct {
	// Interval is the expected time between samples, ns; 0: learned from the first eight. It may differ from the
	// truth by a factor of two before anything is worse for it.
	Interval int64

	// Budget is how many findings a normal series may raise in a day; 0: DefaultBudget. Ten times the budget finds
	// smaller faults; a tenth of it asks for a fault that is larger by about a fifth.
	Budget float64

	// Day is the length of the cycle that the daily profile follows, ns; 0: 24 hours; negative: no profile.
	// DayStart moves its beginning: minus the zone's offset from UTC makes buckets those of local time.
	Day, DayStart int64

	// Counter is set where values count up: the detector then sees the increase per second, and a fall is a reset,
	// which is neither judged nor learned.
	Counter bool

	// Low and High are hard limits for kind limits; 0 and 0: none. An infinity leaves one side open.
	Low, High float64

	// MaxRate is the fastest change that can be real, per second, for kind rate; 0: none.
	MaxRate float64

	// Stuck is how long a value may stay exactly the same, ns, for kind stuck; 0: DefaultStuck, and longer than the
	// series has shown.
	Stuck int64

	// Missing is how long nothing may come, ns, for kind missing; 0: four intervals.
	Missing int64

	// Seed makes kind random another one.
	Seed uint64
}

// Defaults of Config.
const (
	DefaultBudget = 0.1         // findings per series and day
	DefaultDay    = 24 * hour   // ns
	DefaultStuck  = 10 * minute // ns
)

// check says all that is wrong with c.
func (c Config) check() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(c.Interval < 0, "interval of %d ns: use 0 to learn it, or more", c.Interval)
	wrong(!(c.Budget >= 0 && c.Budget <= 1000), "budget of %g findings per series and day: use 0 for the default, up to 1000", c.Budget)
	wrong(c.Day > 0 && c.Day < minute, "a day of %d ns: use a minute or more", c.Day)
	wrong(math.IsNaN(c.Low) || math.IsNaN(c.High) || c.Low > c.High, "limits from %g to %g: low is above high", c.Low, c.High)
	wrong(!(c.MaxRate >= 0), "greatest rate of %g per second: use 0 for none, or more", c.MaxRate)
	wrong(c.Stuck < 0, "stuck after %d ns: use 0 for the default, or more", c.Stuck)
	wrong(c.Missing < 0, "missing after %d ns: use 0 for four intervals, or more", c.Missing)
	return errors.Join(errs...)
}

// full is c with the defaults in it.
func (c Config) full() Config {
	if c.Budget == 0 {
		c.Budget = DefaultBudget
	}
	if c.Day == 0 {
		c.Day = DefaultDay
	}
	return c
}
