package schemas

import (
	"bytes"
	"encoding/hex"
	"errors"
)

// Epoch names a number space of an outbox: 128 random bits, new only where
// neither a commit nor a checkpoint can be read.
type Epoch [16]byte

func (e Epoch) String() string { return hex.EncodeToString(e[:]) }

// Compare orders epochs by their bytes.
func (e Epoch) Compare(o Epoch) int { return bytes.Compare(e[:], o[:]) }

// ParseEpoch is the inverse of String; ok is false for anything else.
func ParseEpoch(s string) (e Epoch, ok bool) {
	b, err := hex.DecodeString(s)
	return e, err == nil && copy(e[:], b) == len(b) && len(b) == len(e)
}

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
	Since    uint64 // the first number that it stands for, where entries have been folded into one; 0: it stands for N alone
	RunFirst uint64 // number of the first entry of the run it belongs to
	End      bool   // last entry of its run; the fields down to Windows are set only here

	InFirst, InLast uint64 // stream sequences of the input that this commit covers
	InHash          uint64 // of the message InLast
	Time            int64  // agent time of the tick that cut it
	Wall            int64
	ConfigRev       uint64
	Digest          uint64 // of all windows and findings of the run, for comparing what was made again

	Views  []Progress // per view: how far, and the check of the tier above
	Totals []Total    // the ledger, cumulative
	Holes  []Hole     // input found missing since the commit before

	Config  *Config // the policy in force, after a change and after a start; stays at this tier
	Resumed bool    // ingest has started anew since the commit before: silence until now was not heard

	Continues []Continuation // epochs before this one, each followed by the one it continued; at most MaxContinued
	Estate    bool           // Windows are those of the entry Continues[0].Next() of that epoch: what was open in it when it ended
	Past      []Past         // with the end of an estate: the totals of the epochs before this one
	Knows     []Epoch        // of a gateway: epochs of its producers that it has come to know since the commit before
	Shed      []ShedRecords  // of a folded entry: what it stands for and no window holds, because the outbox was full

	Windows []Window // for the tier above
	Local   []Window // for readers of this tier
	Early   []Early  // for detection; stays at this tier

	Findings []Finding // of detectors, and of gateways over many of them

	Logs []PassedLog // for the tier above and for exporters
}

// Continuation says how an epoch of the same producer has ended: its store was
// lost, in whole or in part, or may have been.
type Continuation struct {
	Epoch Epoch
	// From … N are the entries that may still come; none if From is N+1. Those that are
	// not among them stand where they are applied, and never come elsewhere: before From
	// they were lost, after N another copy of the store has made them.
	From, N uint64
	State   uint64 // the next epoch began with a state that includes the entries through it
	Estate  uint64 // so many of the first entries of the next epoch hold what was open
}

// PassedView is the view under which ShedRecords has the log records that were to be passed.
const PassedView = "weir.passed"

// ShedRecords are records of a view that were in windows which nobody will get.
type ShedRecords struct {
	View   string
	Tenant string
	Signal Signal
	N      uint64
}

// Past is a total of an epoch that has ended, as of the state that the next one began
// with.
type Past struct {
	Of int // index in Commit.Continues
	Total
}

// Next is the number after all that are known of the epoch.
func (k *Continuation) Next() uint64 { return max(k.N, k.State) + 1 }

// MaxContinued bounds Commit.Continues.
const MaxContinued = 16

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

	// Of a gateway: windows with Start >= WholeFrom and End <= WholeThrough are final and
	// lack nothing of any producer that it knows. Both 0: it does not say.
	WholeFrom, WholeThrough int64
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
	StoreLost  Reason = "store_lost"  // it had arrived, and the only store that held it is lost
)

// Hole is input that a fold found missing: frame or entry numbers [From, To].
type Hole struct {
	Source   string
	From, To uint64
	Records  uint64
}

// ErrNotEnd says that an entry is not the last of its run.
var ErrNotEnd = errors.New("entry is not the end of a commit")
