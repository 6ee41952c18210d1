package window

import (
	"fmt"
	"time"
)

// Bounds is the half-open interval [Start, End) of a window or slice, in Unix nanoseconds. It is comparable.
type Bounds struct{ Start, End int64 }

// Contains reports whether Start <= t < End.
func (b Bounds) Contains(t int64) bool { return b.Start <= t && t < b.End }

// Size is the length in nanoseconds.
func (b Bounds) Size() int64 { return b.End - b.Start }

// String gives both ends in RFC 3339, for messages.
func (b Bounds) String() string {
	return fmt.Sprintf("[%s,%s)", rfc3339(b.Start), rfc3339(b.End))
}

func rfc3339(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }
