package aggregator

import (
	"encoding/binary"
	"fmt"

	"weir/schemas"
	"weir/services/internal/fold"
)

// stateVersion is the version of the checkpoint's payload: 2 has the attributes
// of devices, 3 what OTLP brings, the news, and what earlier epochs have told, 4 how
// many records had numbers, and which numbers may be in holes, 5 exemplars, 6 the counters of several series in one
// window, 7 log records that are passed through. 1 to 6 are read too; the journal behind any other one would be folded
// from its start.
const stateVersion = 7

// Append appends the whole state, in the order in which it refers to itself:
// documents, devices, groups, late totals.
func (f *Fold) Append(b []byte) []byte {
	b = append(b, stateVersion)
	b = f.appendTimes(b)
	b = binary.AppendUvarint(b, uint64(len(f.generations)))
	for _, g := range f.generations {
		b = binary.AppendVarint(b, g.from)
		b = binary.AppendUvarint(b, g.revision)
		b = fold.AppendString(b, string(g.document))
	}
	b = f.accounts.append(b)
	b = binary.AppendVarint(b, f.began)
	b = binary.AppendUvarint(b, uint64(len(f.devices)))
	for _, d := range f.devices {
		b = d.append(b)
	}
	b = f.sources.AppendBinary(b)
	b = binary.AppendUvarint(b, uint64(len(f.views)))
	for _, s := range f.views {
		b = fold.AppendString(b, s.name)
		b = binary.AppendVarint(b, s.size)
		b = fold.AppendBool(fold.AppendString(b, string(s.uplink)), s.publish)
		b = binary.AppendVarint(b, s.through)
		for _, v := range [...]uint64{s.emitted, s.open, s.late} {
			b = binary.AppendUvarint(b, v)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(f.order)))
	for _, g := range f.order {
		b = g.append(b)
	}
	return fold.AppendLogs(f.appendBase(f.appendLates(b)), f.logs.ready)
}

func (f *Fold) appendTimes(b []byte) []byte {
	for _, v := range [...]int64{f.now, f.wall, f.second, f.low, f.told} {
		b = binary.AppendVarint(b, v)
	}
	b = binary.AppendUvarint(b, f.frame)
	b = binary.AppendUvarint(b, f.arrived)
	b = binary.AppendUvarint(b, uint64(len(f.holes)))
	for _, h := range f.holes {
		b = binary.AppendUvarint(b, h.From)
		b = binary.AppendUvarint(b, h.To)
		b = binary.AppendUvarint(b, h.Records)
	}
	b = fold.AppendBool(fold.AppendBool(b, f.resumed), f.document)
	return binary.AppendUvarint(binary.AppendUvarint(b, f.numbers), f.gap)
}

// Restore replaces the state by one that Append wrote.
func (f *Fold) Restore(b []byte) error {
	f.reset()
	if len(b) == 0 || b[0] == 0 || b[0] > stateVersion {
		return fmt.Errorf("state of agent %s: version %v is not 1 to %d", f.agent, b[:min(1, len(b))], stateVersion)
	}
	r := &fold.StateReader{B: b[1:]}
	f.readTimes(r)
	if b[0] > 2 {
		f.resumed, f.document = r.Bool(), r.Bool()
	}
	if b[0] > 3 {
		f.numbers, f.gap = r.Uint(), r.Uint()
	}
	if err := f.readGenerations(r); err != nil {
		return err
	}
	f.accounts.read(r, b[0])
	if f.began = f.now; b[0] > 2 {
		f.began = r.Int()
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		f.readDevice(r, b[0])
	}
	r.Then(f.sources.Decode)
	f.readViews(r)
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		f.readGroup(r, b[0])
	}
	f.readLates(r)
	if b[0] > 2 {
		f.readBase(r, b[0])
	}
	if b[0] > 6 {
		f.logs.ready = r.Logs()
	}
	if err := r.Done(); err != nil {
		return fmt.Errorf("state of agent %s: %w", f.agent, err)
	}
	return nil
}

func (f *Fold) readTimes(r *fold.StateReader) {
	f.now, f.wall, f.second, f.low, f.told = r.Int(), r.Int(), r.Int(), r.Int(), r.Int()
	f.frame, f.arrived = r.Uint(), r.Uint()
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		f.holes = append(f.holes, schemas.Hole{Source: f.agent, From: r.Uint(), To: r.Uint(), Records: r.Uint()})
	}
}

func (f *Fold) readGenerations(r *fold.StateReader) error {
	f.generations = f.generations[:0]
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		c := &schemas.Config{From: r.Int(), Revision: r.Uint(), Document: r.Bytes()}
		if len(c.Document) == 0 {
			c = nil
		}
		g, err := newGeneration(c, f.compile)
		if err != nil {
			return err
		}
		f.generations = append(f.generations, g)
	}
	if len(f.generations) == 0 {
		r.Fail(errBadGroup)
		return r.Err
	}
	f.sources.Configure(f.newest().Sources)
	f.attrs.look(f.generations)
	f.counting = counts(f.generations)
	return nil
}

func (f *Fold) readViews(r *fold.StateReader) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		s := &viewState{name: r.String(), size: r.Int(), uplink: schemas.Tier(r.String()), publish: r.Bool(), through: r.Int()}
		s.emitted, s.open, s.late = r.Uint(), r.Uint(), r.Uint()
		f.views = append(f.views, s)
	}
}
