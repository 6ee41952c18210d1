package schemas

import (
	"encoding/hex"
	"errors"
)

// Epoch names a number space of an outbox: 128 random bits, new only where
// neither a commit nor a checkpoint can be read.
type Epoch [16]byte

func (e Epoch) String() string { return hex.EncodeToString(e[:]) }

// Commit is the durable progress of a fold: how far it has read its input, the
// results since the commit before, and the totals of its ledger.
//
// A commit that is too large for one message is a run of entries with dense
// numbers. Each holds some of the windows; the last is marked End, holds the
// progress and is the only kind of entry to restart from.
type Commit struct {
	Producer string // an agent's name, or region/partition
	Epoch    Epoch
	N        uint64 // number of this entry, dense from 1 within the epoch
	RunFirst uint64 // number of the first entry of the run it belongs to
	End      bool   // last entry of its run; the fields down to Windows are set only here

	InFirst, InLast uint64 // stream sequences of the input that this commit covers
	InHash          uint64 // of the message InLast
	Time            int64  // agent time of the tick that cut it
	Wall            int64
	ConfigRev       uint64
	Digest          uint64 // of all windows of the run, for comparing what was made again

	Views  []Progress // per view: how far, and the check of the tier above
	Totals []Total    // the ledger, cumulative
	Holes  []Hole     // input found missing since the commit before

	Windows []Window // for the tier above
	Local   []Window // for readers of this tier
	Early   []Early  // for detection; stays at this tier
}

// Progress of one view.
type Progress struct {
	View          string
	Size          int64  // ns, of the newest generation
	Uplink        Tier   // how far its windows travel; empty: not at all
	Publish       bool   // its final windows go out as JSON lines where it ends
	OnTimeThrough int64  // every window with End <= this has had its on-time revision
	FinalThrough  int64  // every window with End <= this is final, but those in this same commit
	Emitted       uint64 // Σ count of the latest revisions of every window ever emitted
	Open          uint64 // records counted but in no emitted revision yet
	Late          uint64 // records that came too late for this view
}

// Total is a row of a ledger, cumulative. Outcome is empty for what arrived.
type Total struct {
	Tenant  string
	Signal  Signal
	Stage   Stage
	Outcome Outcome
	Reason  Reason
	N       uint64
}

// LostDeclared marks totals of what is known to be missing; it stands beside
// the identity and is no outcome of a record that arrived.
const LostDeclared Outcome = "lost_declared"

// Reasons of LostDeclared.
const (
	FrameHole  Reason = "frame_hole"  // a frame number is missing in the journal
	DeviceHole Reason = "device_hole" // a device's number never arrived
)

// Hole is input that a fold found missing: frame or entry numbers [From, To].
type Hole struct {
	Source   string
	From, To uint64
	Records  uint64
}

// ErrNotEnd says that an entry is not the last of its run.
var ErrNotEnd = errors.New("entry is not the end of a commit")
