package schemas

import (
	"slices"
	"strings"
)

// Timing says which revision of a window this is, in the Dataflow model's words.
type Timing uint8

// The timings. Early values are not revisions and have a type of their own.
const (
	OnTime      Timing = iota + 1 // the watermark has passed the window's end
	LateTiming                    // accepted late records have changed it since
	FinalTiming                   // the allowed lateness is over; no revision of this part follows
)

var timingNames = [...]string{"early", "on_time", "late", "final"}

func (t Timing) String() string {
	if int(t) < len(timingNames) {
		return timingNames[t]
	}
	return "invalid"
}

// Key is what a window is partitioned by: the tenant, then one value per
// dimension of the view's group_by, in its order.
type Key struct {
	Tenant string
	Values []string
}

// ID is a text that no other key has: devices choose their attributes, so a zero
// byte in a value stands there with a byte behind it that is in no UTF-8. Texts
// sort like their keys.
func (k Key) ID() string {
	n := len(k.Tenant)
	for _, v := range k.Values {
		n += 1 + len(v)
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteString(k.Tenant)
	for _, v := range k.Values {
		b.WriteByte(0)
		for before, rest, zero := strings.Cut(v, "\x00"); ; before, rest, zero = strings.Cut(rest, "\x00") {
			if b.WriteString(before); !zero {
				break
			}
			b.WriteString("\x00\xff")
		}
	}
	return b.String()
}

// Point is one record's time, value and identity.
type Point struct {
	Time  int64
	Value float64
	ID    uint64
}

// Window is one revision of one part of one view key over one half-open
// interval [Start, End). It is the whole value of its part, never a delta: a
// higher revision replaces a lower one; parts, named by contributor, epoch and
// FirstN, are added.
type Window struct {
	View string
	Dims []string // the view's group_by: what Key.Values are; shared, do not change
	Key  Key

	Start, End int64

	Contributor string // producer of the commit that holds this revision
	Epoch       Epoch
	FirstN      uint64 // number of the entry that held the part's first revision
	Revision    uint32 // from 1
	Timing      Timing

	Count    uint64
	Sum      float64
	Min, Max float64
	First    Point
	Last     Point
	Sketch   []byte // pkg/sketch bytes; opaque here
	Digest   uint64 // sum of the identities of the records in it, modulo 2^64

	Extra     uint64   // of Count: values beyond one for each record, which histograms bring
	LateCount uint64   // of its records: those that came after the on-time revision
	Expected  uint32   // devices that should be in it; 0: unknown
	Seen      uint32   // devices that are in it
	Missing   []string // devices or contributors missing, at most MaxMissing of them

	ClockError int64  // bound of the clock error of its times, ns; 0: unknown
	ConfigRev  uint64 // policy revision it was made under
	Exemplars  Exemplars

	Widened uint32 // so many windows of its view have been folded into it, because an outbox was full; 0: it is as it was cut
}

// Records is how many records are in the window. The ledger counts these.
func (w *Window) Records() uint64 { return w.Count - w.Extra }

// MaxMissing bounds the names in Window.Missing; Expected − Seen says how many
// there are.
const MaxMissing = 16

// LateView is the view that holds the late totals of a view: one window per key
// and event hour with the records that came too late for that view.
func LateView(view string) string { return latePrefix + view }

const latePrefix = "late:"

// CutLate is the inverse of LateView; late is false for any other view.
func CutLate(view string) (name string, late bool) { return strings.CutPrefix(view, latePrefix) }

// Dim is the key's value of a dimension, empty where the view does not group by it.
func (w *Window) Dim(name string) string {
	if i := slices.Index(w.Dims, name); i >= 0 {
		return w.Key.Values[i]
	}
	return ""
}

// Early is what one series did in one second of agent time: not cumulative, not
// a revision. It stays at the edge, for detection and screens.
type Early struct {
	Tenant, Device, Metric string
	Count                  uint64
	Mean, Min, Max, Last   float64
}
