package gateway

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"sort"

	"weir/schemas"
	"weir/services/internal/fold"
)

// stateVersion is the version of the checkpoint's payload. 3 is read too: it knows
// of no epochs that have ended. So are 4, which knows of no findings, 5, which does not know
// what numbers epochs began with, 6, which knows of no log records, 7, which does not know
// how much of forgotten windows has come, and 8, which does not know how far back forgotten
// windows reach.
const stateVersion = 9

// Append appends the whole state. Windows and their parts are written as one
// commit entry, which has a codec already; what a part needs beside it follows.
func (f *Fold) Append(b []byte) []byte {
	b = append(b, stateVersion)
	for _, v := range [...]int64{f.now, f.wall, f.second} {
		b = binary.AppendVarint(b, v)
	}
	for _, v := range [...]uint64{f.config, f.entries, f.repeats, f.damaged} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(f.names)))
	for _, name := range f.names {
		b = f.producers[name].appendTo(b)
	}
	b = binary.AppendUvarint(b, uint64(len(f.views)))
	for _, v := range f.views {
		b = fold.AppendString(b, v.View)
		b = fold.AppendBool(b, v.byDevice)
		b = appendProgress(b, &v.Progress)
	}
	keys := make([]string, 0, len(f.windows))
	for k := range f.windows {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	b = binary.AppendUvarint(b, uint64(len(keys)))
	dirty := map[*merged]bool{}
	for _, m := range f.dirty {
		dirty[m] = true
	}
	for _, k := range keys {
		b = f.windows[k].append(b, &f.enc, dirty[f.windows[k]])
	}
	b = fold.AppendLogs(appendCounts(f.findings.append(b), f.passed), f.logs)
	return binary.AppendVarint(b, f.told)
}

func appendProgress(b []byte, p *schemas.Progress) []byte {
	b = binary.AppendVarint(b, p.Size)
	b = fold.AppendString(b, string(p.Uplink))
	b = fold.AppendBool(b, p.Publish)
	b = binary.AppendVarint(b, p.OnTimeThrough)
	for _, v := range [...]int64{p.FinalThrough, p.WholeFrom, p.WholeThrough} {
		b = binary.AppendVarint(b, v)
	}
	for _, v := range [...]uint64{p.Emitted, p.Open, p.Late} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func readProgress(r *fold.StateReader, p *schemas.Progress, version byte) {
	p.Size, p.Uplink, p.Publish = r.Int(), schemas.Tier(r.String()), r.Bool()
	p.OnTimeThrough, p.FinalThrough = r.Int(), r.Int()
	if version > 7 {
		p.WholeFrom, p.WholeThrough = r.Int(), r.Int()
	}
	p.Emitted, p.Open, p.Late = r.Uint(), r.Uint(), r.Uint()
}

// Flags of a window.
const (
	windowOut = 1 << iota
	windowChanged
	windowHeld
	windowDirty
	windowAmends
)

// Flags of a part.
const (
	partHeld = 1 << iota
	partFinal
	partFresh
	partMuted
)

// flags is a byte of bits, the lowest first.
func flags(bits ...bool) (v byte) {
	for i, b := range bits {
		if b {
			v |= 1 << i
		}
	}
	return v
}

func (m *merged) append(b []byte, enc *schemas.CommitEncoder, dirty bool) []byte {
	b = append(b, flags(m.out, m.changed, m.held, dirty, m.amends))
	b = binary.AppendUvarint(b, m.firstN)
	b = binary.AppendUvarint(b, uint64(m.rev))
	b = binary.AppendUvarint(b, m.emitted)
	b = binary.AppendUvarint(b, uint64(len(m.parts)))
	for _, p := range m.parts {
		b = append(b, flags(p.held, p.final, p.fresh, p.muted))
		b = binary.AppendUvarint(binary.AppendUvarint(b, p.run), p.at)
		b = fold.AppendSized(b, func(b []byte) []byte {
			return enc.Append(b, &schemas.Commit{
				Producer: p.Contributor, Epoch: p.Epoch, N: p.FirstN, RunFirst: p.FirstN, Windows: []schemas.Window{p.Window},
			})
		})
	}
	return b
}

var errState = fmt.Errorf("state is not ours")

func (f *Fold) readWindow(r *fold.StateReader) {
	fl := r.Byte()
	m := &merged{out: fl&windowOut != 0, changed: fl&windowChanged != 0, held: fl&windowHeld != 0, amends: fl&windowAmends != 0}
	m.firstN, m.rev, m.emitted = r.Uint(), uint32(r.Uint()), r.Uint()
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		f.readPart(r, m)
	}
	if r.Err != nil || len(m.parts) == 0 {
		r.Fail(errState)
		return
	}
	m.key = windowKey(&m.parts[0].Window)
	f.windows[m.key] = m
	f.recontest(m)
	v := f.viewOf(&m.parts[0].Window)
	if fl&windowDirty != 0 {
		f.dirty = append(f.dirty, m)
	}
	if v.late {
		return
	}
	if !m.held {
		heap.Push((*mergedByEnd)(&v.closing), m)
	}
	if !v.byDevice && !m.out {
		heap.Push((*mergedByEnd)(&v.waiting), m)
	}
}

func (f *Fold) readPart(r *fold.StateReader, m *merged) {
	fl := r.Byte()
	run, at := r.Uint(), r.Uint()
	c, err := f.dec.Decode(r.Bytes(), schemas.WithWindows)
	if err != nil || len(c.Windows) != 1 {
		r.Fail(errState)
		return
	}
	p := &part{Window: c.Windows[0], of: m, run: run, at: at, held: fl&partHeld != 0, final: fl&partFinal != 0, fresh: fl&partFresh != 0, muted: fl&partMuted != 0}
	p.Sketch = append([]byte(nil), p.Sketch...)
	m.parts = append(m.parts, p)
	s := f.find(p.Contributor).space(p.Epoch)
	switch {
	case s == nil || p.fresh && s.runs[run] == nil:
		r.Fail(errState)
	case p.fresh:
		s.runs[run].fresh = append(s.runs[run].fresh, p)
	case !s.retired:
		s.place(p, f.finish)
	}
}

// Restore replaces the state by one that Append wrote.
func (f *Fold) Restore(b []byte) error {
	f.reset()
	if len(b) == 0 || b[0] < 3 || b[0] > stateVersion {
		return fmt.Errorf("state of gateway %s: version %v is not 3 to %d: start the version of weir that wrote it, or with a new data folder",
			f.producer, b[:min(1, len(b))], stateVersion)
	}
	f.reads = b[0]
	r := &fold.StateReader{B: b[1:]}
	f.now, f.wall, f.second = r.Int(), r.Int(), r.Int()
	f.config, f.entries, f.repeats, f.damaged = r.Uint(), r.Uint(), r.Uint(), r.Uint()
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		f.readProducer(r)
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		v := f.viewNamed(r.String())
		v.byDevice = r.Bool()
		name := v.View
		readProgress(r, &v.Progress, f.reads)
		v.View = name
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		f.readWindow(r)
	}
	if f.reads > 4 {
		f.findings.read(r)
	}
	if f.reads > 6 {
		readCounts(r, f.passed)
		f.logs = r.Logs()
	}
	if f.reads > 7 {
		f.told = r.Int()
	}
	if err := r.Done(); err != nil {
		return fmt.Errorf("state of gateway %s: %w", f.producer, err)
	}
	return nil
}
