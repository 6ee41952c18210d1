package window

import (
	"encoding/binary"
	"fmt"
)

// State of Sources, version 1. Numbers are varints (zigzag where they can be negative):
//
//	version(1 byte)=1 | disorder idle grace
//	| lows: n, then each: lateness mark asked
//	| devices: n, then each: event seen, both less that of the device before
const sourcesVersion = 1

// AppendBinary appends the whole state to b. Equal states give equal bytes.
func (s *Sources) AppendBinary(b []byte) []byte {
	b = append(b, sourcesVersion)
	for _, ns := range []int64{s.config.Disorder, s.config.Idle, s.config.Grace} {
		b = binary.AppendVarint(b, ns)
	}
	b = binary.AppendUvarint(b, uint64(len(s.lows)))
	for _, l := range s.lows {
		b = binary.AppendVarint(b, l.lateness)
		b = binary.AppendVarint(b, l.mark)
		b = binary.AppendVarint(b, l.asked)
	}
	b = binary.AppendUvarint(b, uint64(len(s.devices)))
	var last device
	for _, d := range s.devices {
		b = binary.AppendVarint(b, d.event-last.event) // wraps around where need be, and back when read
		b = binary.AppendVarint(b, d.seen-last.seen)
		last = d
	}
	return b
}

// Decode replaces s with the state that AppendBinary wrote at the front of b, and returns the bytes after it. On an
// error s is as it was.
func (s *Sources) Decode(b []byte) (rest []byte, err error) {
	r := newReader(b)
	r.version(sourcesVersion)
	got := Sources{config: Config{Disorder: r.varint("disorder"), Idle: r.varint("idle"), Grace: r.varint("grace")}}
	if err := got.config.Validate(); r.err == nil && err != nil {
		r.fail("%w", err)
	}
	got.config = got.config.filled()
	got.lows = readLows(r)
	got.devices = readDevices(r)
	if r.err != nil {
		return nil, fmt.Errorf("decode sources: %w", r.err)
	}
	*s = got
	return r.rest, nil
}

func readLows(r *reader) []low {
	lows := make([]low, r.count("agent watermarks", 3))
	for i := range lows {
		lows[i] = low{lateness: r.varint("lateness"), mark: r.varint("agent watermark"), asked: r.varint("time asked")}
		if i > 0 && lows[i].lateness <= lows[i-1].lateness {
			r.fail("lateness %d is out of order", lows[i].lateness)
		}
	}
	return lows
}

func readDevices(r *reader) []device {
	devices := make([]device, r.count("devices", 2))
	var last device
	for i := range devices {
		last.event += r.varint("event time")
		last.seen += r.varint("time seen")
		devices[i] = last
	}
	return devices
}
