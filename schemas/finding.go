package schemas

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is one revision of something abnormal, whole: a higher revision of the
// same ID replaces a lower one. It is opened, updated and closed under one ID, which
// is a hash of who found it, where and since when, so that one that is made again
// after a crash has the same.
//
// A finding is of one device, or of many devices with one cause: then Device is empty
// and Shared says what they have in common.
type Finding struct {
	ID       uint64
	Revision uint32 // from 1
	State    FindingState
	Severity Severity

	Origin string // who found it: an agent, a region or Center
	Region string // of the agent; empty below the region
	Tenant string
	Class  string // empty: several
	Device string // empty: of many devices
	View   string // that the worst value is from: EarlyView or the view of windows
	Metric string // empty: several, or none where a device is silent; or a JointName
	Kind   FindingKind

	Detector string // that judged the worst value; facts have the name of their kind
	Model    string // version of the detector

	Score     float64 // of the worst value, in the detector's units
	Threshold float64 // that it is compared with
	Tail      float64 // probability of such a score on a normal series, per sample; 0: a fact

	Started int64 // event time at which it began
	Updated int64 // event time of this revision
	Ended   int64 // event time at which it was over; 0: it is not

	Start, End   int64   // bounds of what the worst value stands for
	Completeness float64 // of that value, 0 to 1
	ClockError   int64   // bound of the error of its times, ns; 0: unknown

	Says     string // one sentence for people
	Evidence []Evidence

	Devices uint32 // how many devices it is of
	Members []FindingMember
	Shared  []Attr // what all members have in common, by name

	Part  uint64   // ID of the finding of many that this one went into; 0: none
	Parts []uint64 // IDs of the findings that this one is of, at most MaxParts of them
}

// EarlyView is the view of findings in the values of each second.
const EarlyView = "early"

// Bounds of lists in a finding; Devices says how many there are.
const (
	MaxMembers  = 64
	MaxParts    = 256
	MaxEvidence = 8
)

// Evidence is the part of one feature in a score.
type Evidence struct {
	Feature  string
	Share    float64 // of the score, 0 to 1
	Observed float64
	Expected float64
}

// FindingMember is a series of a finding, or a device that is silent.
type FindingMember struct {
	Device string
	Metric string // empty: the whole device
	Kind   FindingKind
	Since  int64
	Score  float64
	Over   bool // it is as usual again
}

// FindingState is where a finding is in its life.
type FindingState uint8

// The states.
const (
	FindingOpen FindingState = iota + 1
	FindingUpdate
	FindingClosed
)

var findingStates = [...]string{"", "open", "update", "closed"}

func (s FindingState) String() string { return nameOf(findingStates[:], int(s)) }

// Severity says how much a finding matters.
type Severity uint8

// The severities, least first.
const (
	Notice Severity = iota + 1
	Warning
	Critical
)

var severities = [...]string{"", "notice", "warning", "critical"}

func (s Severity) String() string { return nameOf(severities[:], int(s)) }

// FindingKind says what is wrong.
type FindingKind uint8

// The kinds. All but Anomaly are facts: a rule of the policy says them, not a
// probability.
const (
	Anomaly FindingKind = iota + 1 // values that a detector calls abnormal
	Silent                         // a device that sends nothing any more
	Missing                        // a metric that its device sends no more
	Limit                          // a value beyond a limit
	Rate                           // a change faster than a limit
	Stuck                          // a value that does not move any more
)

var findingKinds = [...]string{"", "anomaly", "silent", "missing", "limit", "rate", "stuck"}

func (k FindingKind) String() string { return nameOf(findingKinds[:], int(k)) }

// FindingKinds are the names of all kinds.
func FindingKinds() []string { return slices.Clone(findingKinds[1:]) }

func nameOf(names []string, i int) string {
	if i > 0 && i < len(names) {
		return names[i]
	}
	return "invalid"
}

// Open reports whether it goes on.
func (f *Finding) Open() bool { return f.State != FindingClosed }

// Hash is the same for equal revisions only, as far as a sum can tell.
func (f *Finding) Hash() uint64 {
	return f.ID ^ uint64(f.Revision)<<32 ^ uint64(f.State)<<8 ^ uint64(f.Updated)
}

// jointSign joins the names of metrics that are judged together. No metric has it in its name.
const jointSign = "+"

// JointName names metrics that are judged together, as in flow+pressure.
func JointName(metrics []string) string { return strings.Join(metrics, jointSign) }

// hasMetric reports whether a metric, or a group that is judged together, is or has one of a name.
func hasMetric(name, metric string) bool {
	return name == metric || strings.Contains(name, jointSign) && slices.Contains(strings.Split(name, jointSign), metric)
}

// FindingID names a finding by who found it, what it is of, and its start.
func FindingID(origin, what string, started int64) uint64 {
	return Hash(fmt.Appendf(nil, "%s\x00%s\x00%d", origin, what, started))
}

// check refuses findings that nobody makes.
func (f *Finding) check() error {
	numbers := finite(f.Score, f.Threshold, f.Tail, f.Completeness)
	for _, e := range f.Evidence {
		numbers = numbers && finite(e.Share, e.Observed, e.Expected)
	}
	for _, m := range f.Members {
		numbers = numbers && finite(m.Score) && m.Kind.String() != "invalid"
	}
	switch {
	case !numbers:
		return fmt.Errorf("finding %016x holds a number or a member that nobody makes", f.ID)
	case f.Revision == 0 || f.State < FindingOpen || f.State > FindingClosed:
		return fmt.Errorf("finding %016x: revision %d, state %d", f.ID, f.Revision, f.State)
	case f.Severity < Notice || f.Severity > Critical || f.Kind < Anomaly || f.Kind > Stuck:
		return fmt.Errorf("finding %016x: severity %d, kind %d", f.ID, f.Severity, f.Kind)
	}
	return nil
}
