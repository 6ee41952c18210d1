package window

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Notice is how far ahead of now a change of windows must be announced, in ns: records that are already stamped a
// little into the future, and agents that hear of it a little later, still find the change ahead of them.
const Notice = int64(30 * time.Second)

// Generation is a Spec and the event time from which it holds.
type Generation struct {
	From int64 // first event time, Unix ns; of the first generation it does not matter
	Spec Spec
}

// Schedule lists the generations of one view in ascending order of From. Each generation has its own [Panes] for every
// key, and a record belongs to the generation in force at its event time, so no window mixes two and each record is in
// exactly one generation. With tumbling windows the old ones end where the new ones begin. Hopping windows that lie
// across the change hold what is on the side of their own generation.
//
// The zero Schedule is empty.
type Schedule []Generation

// At is the index of the generation in force at event time t, -1 if there is none at all. Times before the second
// generation belong to the first.
func (s Schedule) At(t int64) int {
	for i := len(s) - 1; i > 0; i-- {
		if s[i].From <= t {
			return i
		}
	}
	return min(len(s), 1) - 1
}

// Change returns s with one more generation from event time at on, or says why that cannot be. now is agent time.
// s itself stays as it is.
func (s Schedule) Change(spec Spec, at, now int64) (Schedule, error) {
	if len(s) == 0 {
		if err := spec.Validate(); err != nil {
			return nil, err
		}
		return Schedule{{From: at, Spec: spec}}, nil
	}
	last := s[len(s)-1]
	err := ValidateChange(last.Spec, spec, at, now)
	if len(s) > 1 && at <= last.From {
		err = errors.Join(err, fmt.Errorf("change at %s: one at %s is already ahead, choose a later time",
			rfc3339(at), rfc3339(last.From)))
	}
	if err != nil {
		return nil, err
	}
	return append(s[:len(s):len(s)], Generation{From: at, Spec: spec}), nil
}

// ValidateChange names everything that keeps old windows from being followed by next ones at event time at: next must
// be valid, at must be at least [Notice] after now, and it must be a multiple of the sizes and hops of both.
func ValidateChange(old, next Spec, at, now int64) error {
	var problems []error
	if err := next.Validate(); err != nil {
		return err
	}
	if at < later(now, Notice) {
		problems = append(problems, fmt.Errorf("change at %s: choose a time at least %s after %s",
			rfc3339(at), time.Duration(Notice), rfc3339(now)))
	}
	lengths := []int64{old.Size, old.hop(), next.Size, next.hop()}
	slices.Sort(lengths)
	for _, length := range slices.Compact(lengths) {
		if at%length != 0 {
			problems = append(problems, fmt.Errorf("change at %s: choose a multiple of %s since 1970, so that no window is cut",
				rfc3339(at), time.Duration(length)))
		}
	}
	return errors.Join(problems...)
}
