package commands

import "maps"

// Reason says why a command was dropped.
type Reason string

// The closed list of reasons.
const (
	BadSubject   Reason = "bad_subject"   // names no device
	TooLarge     Reason = "too_large"     // for us, or for the only client that wants it
	NoSession    Reason = "no_session"    // nobody knows the device here: a device that listens on NATS itself, or none
	Away         Reason = "away"          // the device's session wants nothing kept
	QueueFull    Reason = "queue_full"    // the oldest of a device that has too many
	Full         Reason = "full"          // all devices together have too much
	Overrun      Reason = "overrun"       // more came at once than could be looked at
	NotStored    Reason = "not_stored"    // the store failed
	SessionEnded Reason = "session_ended" // before it was confirmed
	Unwritten    Reason = "unwritten"     // at QoS 0, to a connection that broke
	Refused      Reason = "refused"       // the device's answer was an error
)

// Status is what became of commands since the start.
// Heard + Loaded = Delivered + Expired + ΣDropped + Waiting.
type Status struct {
	Heard     uint64 // commands that came
	Loaded    uint64 // that an earlier process had kept
	Delivered uint64
	Again     uint64 // packets written again, with DUP
	Expired   uint64
	Dropped   map[Reason]uint64
	Waiting   int   // for a device, or for its answer
	Bytes     int64 // that these take
	Sessions  int   // that subscribe, or outlive their connection
	Away      int   // of these, without a connection
}

// Status is a consistent picture.
func (d *Desk) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.counts
	st.Dropped = maps.Clone(d.counts.Dropped)
	st.Bytes, st.Sessions = d.bytes, len(d.sessions)
	for _, s := range d.sessions {
		if s.link == nil {
			st.Away++
		}
	}
	return st
}

// dropped counts a command that goes no further. d.mu is held.
func (d *Desk) dropped(why Reason) { d.counts.Dropped[why]++ }
