package truth

import "slices"

// Status is what is known of one device's messages. The sets do not overlap.
type Status struct {
	Acked   Set // arrived for sure
	Unknown Set // sent, but nobody knows whether it arrived
	Never   Set // scheduled, not sent
}

// Equal reports whether both say the same.
func (s Status) Equal(o Status) bool {
	return slices.Equal(s.Acked, o.Acked) && slices.Equal(s.Unknown, o.Unknown) && slices.Equal(s.Never, o.Never)
}

// Clone is a copy that shares no memory with s.
func (s Status) Clone() Status {
	return Status{slices.Clone(s.Acked), slices.Clone(s.Unknown), slices.Clone(s.Never)}
}

// said is every message of which something is known.
func (s Status) said() Set {
	var all Set
	all.Union(s.Acked)
	all.Union(s.Unknown)
	all.Union(s.Never)
	return all
}

// Totals end a truth: what the statuses cannot say. In records.
type Totals struct {
	Messages int64 `json:"messages"` // sent once each, copies and resends not counted
	Copies   int64 `json:"copies"`   // of duplicate messages, that arrived for sure
	Resent   int64 `json:"resent"`   // sent again, or copies that may not have arrived: each may be a duplicate more
}
