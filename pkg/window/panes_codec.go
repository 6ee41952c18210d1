package window

import (
	"encoding/binary"
	"fmt"
)

// State of Panes, version 1. Numbers are varints (zigzag where they can be negative):
//
//	version(1 byte)=1 | flags(1 byte): 1 finalEnd follows, 2 before follows
//	| finalEnd? | before? (the accumulator's bytes)
//	| windows: n, then each: end (less the one before), flags(1 byte): 1 changed, 2 held; Revision FirstN Emitted
//	| due (less the first end; only if there are windows)
//	| slices: n, then each: start (less the one before), the accumulator's bytes
const panesVersion = 1

const (
	hasFinal, hasBefore = 1, 2 // flags of Panes
	isChanged, isHeld   = 1, 2 // flags of a window
)

// AppendBinary appends the whole state to b, with each accumulator as appendAcc appends it. Equal states give equal
// bytes if appendAcc does so.
func (p *Panes[A]) AppendBinary(b []byte, appendAcc func(b []byte, a *A) []byte) []byte {
	b = append(b, panesVersion, flags(p.final, hasFinal, p.before != nil, hasBefore))
	if p.final {
		b = binary.AppendVarint(b, p.finalEnd)
	}
	if p.before != nil {
		b = appendAcc(b, p.before)
	}
	b = p.appendWindows(b)
	b = binary.AppendUvarint(b, uint64(len(p.slices)))
	last := int64(0)
	for _, sl := range p.slices {
		b = binary.AppendVarint(b, sl.start-last)
		b = appendAcc(b, sl.acc)
		last = sl.start
	}
	return b
}

func (p *Panes[A]) appendWindows(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(p.windows)))
	last := int64(0)
	for _, w := range p.windows {
		b = binary.AppendVarint(b, w.end-last)
		b = append(b, flags(w.changed, isChanged, w.held, isHeld))
		b = binary.AppendUvarint(b, uint64(w.state.Revision))
		b = binary.AppendUvarint(b, w.state.FirstN)
		b = binary.AppendUvarint(b, w.state.Emitted)
		last = w.end
	}
	if len(p.windows) > 0 {
		b = binary.AppendVarint(b, p.due-p.windows[0].end) // wraps around where need be, and back when read
	}
	return b
}

// Decode replaces p with the state that AppendBinary wrote at the front of b, and returns the bytes after it.
// decodeAcc reads one accumulator, which is empty, off the front of its bytes. What p held before is given back to the
// pool; on an error p is empty.
func (p *Panes[A]) Decode(b []byte, pool *Pool[A], decodeAcc func(a *A, b []byte) (rest []byte, err error)) (rest []byte, err error) {
	p.Release(pool)
	r := newReader(b)
	p.read(r, func() *A {
		acc := pool.Get()
		r.take("accumulator", func(b []byte) ([]byte, error) { return decodeAcc(acc, b) })
		return acc
	})
	if r.err != nil {
		p.Release(pool)
		return nil, fmt.Errorf("decode panes: %w", r.err)
	}
	return r.rest, nil
}

// read fills p, which is empty. acc reads an accumulator.
func (p *Panes[A]) read(r *reader, acc func() *A) {
	r.version(panesVersion)
	set := r.byte("flags")
	if set&hasFinal != 0 {
		p.finalEnd, p.final = r.varint("final end"), true
	}
	if set&hasBefore != 0 {
		p.before = acc()
	}
	p.readWindows(r)
	start := int64(0)
	for i := range r.count("slices", 1) {
		start = r.rising("slice", start, i == 0)
		p.slices = append(p.slices, slice[A]{start, acc()})
		if r.err != nil {
			return
		}
	}
	if (len(p.slices) == 0) != (len(p.windows) == 0) {
		r.fail("%d windows cannot share %d slices", len(p.windows), len(p.slices))
	}
}

// readWindows also restores what follows from the windows.
func (p *Panes[A]) readWindows(r *reader) {
	n := r.count("windows", 5)
	if n == 0 {
		return
	}
	p.windows = make([]pane, n)
	p.holdDue = forever
	end := int64(0)
	for i := range p.windows {
		end = r.rising("window end", end, i == 0)
		p.windows[i] = readPane(r, end)
		p.recount(&p.windows[i])
	}
	p.due = p.windows[0].end + r.varint("due")
}

func readPane(r *reader, end int64) pane {
	set := r.byte("window flags")
	w := pane{end: end, changed: set&isChanged != 0, held: set&isHeld != 0}
	revision := r.uvarint("revision")
	if revision > 1<<32-1 {
		r.fail("revision %d is more than 32 bits", revision)
	}
	w.state = State{Revision: uint32(revision), FirstN: r.uvarint("first entry"), Emitted: r.uvarint("emitted records")}
	return w
}

// recount takes one window into what is known of all.
func (p *Panes[A]) recount(w *pane) {
	if p.isFinal(w.end) {
		p.closed++
	}
	if w.state.Revision > 0 {
		p.stale = p.stale || w.changed
		if !w.held {
			p.holdDue = min(p.holdDue, w.end)
		}
	}
}

// flags packs two booleans.
func flags(a bool, bitA byte, b bool, bitB byte) (set byte) {
	if a {
		set |= bitA
	}
	if b {
		set |= bitB
	}
	return set
}
