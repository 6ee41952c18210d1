package schemas

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time in ns. In JSON it is a string with a unit.
type Duration int64

const (
	millisecond = Duration(time.Millisecond)
	second      = Duration(time.Second)
	minute      = Duration(time.Minute)
	hour        = Duration(time.Hour)
	day         = 24 * hour
)

// unit is a unit of a text form, largest first in its list.
type unit struct {
	name string
	n    int64
}

var durationUnits = []unit{{"h", int64(hour)}, {"m", int64(minute)}, {"s", int64(second)}, {"ms", int64(millisecond)}, {"us", 1000}, {"ns", 1}}

// inUnits writes n in the largest unit that holds it exactly.
func inUnits(n int64, units []unit) string {
	for _, u := range units {
		if n%u.n == 0 && (n != 0 || u.name == "s" || u.name == "B") {
			return strconv.FormatInt(n/u.n, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func (d Duration) String() string { return inUnits(int64(d), durationUnits) }

// MarshalText writes the largest unit that holds d exactly: 90s, 2h, 500ms.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

var errDuration = errors.New(`write a duration with its unit, such as "10s", "500ms", "1h30m" or "7d"`)

// UnmarshalText reads what time.ParseDuration reads, and whole days.
func (d *Duration) UnmarshalText(b []byte) error {
	s := string(b)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err != nil || n < 0 || n > math.MaxInt64/int64(day) {
			return errDuration
		}
		*d = Duration(n) * day
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return errDuration
	}
	*d = Duration(v)
	return nil
}

// ByteSize is a number of bytes. In JSON it is a string with a unit.
type ByteSize int64

var byteUnits = []unit{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}}

func (s ByteSize) String() string { return inUnits(int64(s), byteUnits) }

// MarshalText writes the largest unit that holds s exactly: 64KB, 1000B.
func (s ByteSize) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

var errByteSize = errors.New(`write a size with its unit, such as "64KB"; B, KB, MB and GB are powers of 1024`)

// UnmarshalText reads a whole number and a unit; KiB is KB.
func (s *ByteSize) UnmarshalText(b []byte) error {
	text := strings.Replace(string(b), "iB", "B", 1)
	for _, u := range byteUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.n {
			return errByteSize
		}
		*s = ByteSize(n * u.n)
		return nil
	}
	return errByteSize
}

// Instant is a time in Unix ns; 0 is none. In JSON it is RFC 3339.
type Instant int64

// MarshalText writes UTC.
func (t Instant) MarshalText() ([]byte, error) {
	return []byte(time.Unix(0, int64(t)).UTC().Format(time.RFC3339Nano)), nil
}

var errInstant = errors.New(`write a time such as "2026-11-21T10:00:00Z", between the years 1970 and 2200`)

// UnmarshalText reads RFC 3339.
func (t *Instant) UnmarshalText(b []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil || v.Year() < 1970 || v.Year() > 2200 {
		return errInstant
	}
	*t = Instant(v.UnixNano())
	return nil
}
