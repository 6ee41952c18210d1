package schemas

import (
	"encoding/binary"
	"slices"
)

// A finding's row in a commit, integers as in encoding/binary, floats little endian,
// strings as indices of the commit's table:
//
//	uint64  id · uvarint revision · byte state, severity, kind
//	uvarint origin, region, tenant, class, device, view, metric, detector, model, says
//	float   score, threshold, tail, completeness
//	zigzag  started, updated, ended, start, end · uvarint clock_error
//	uvarint evidence, evidence × (uvarint feature, float share, observed, expected)
//	uvarint devices · uvarint members,
//	        members × (uvarint device, metric, byte kind, zigzag since, float score, byte over)
//	uvarint shared, shared × (uvarint key, uvarint value)
//	uint64  part · uvarint parts, parts × uint64

// FindingSize bounds the bytes that a finding adds to an entry.
func FindingSize(f *Finding) int {
	const numbers, text = 160, 10 // the row without lists; the index and length of a string
	n := numbers + 10*text + len(f.Says)
	for _, s := range [...]string{f.Origin, f.Region, f.Tenant, f.Class, f.Device, f.View, f.Metric, f.Detector, f.Model} {
		n += len(s)
	}
	for i := range f.Evidence {
		n += len(f.Evidence[i].Feature) + text + 24
	}
	for i := range f.Members {
		n += len(f.Members[i].Device) + len(f.Members[i].Metric) + 2*text + 20
	}
	for i := range f.Shared {
		n += len(f.Shared[i].Key) + len(f.Shared[i].Value) + 2*text
	}
	return n + 8*len(f.Parts)
}

func (e *CommitEncoder) finding(f *Finding) {
	b := binary.LittleEndian.AppendUint64(e.rows, f.ID)
	b = binary.AppendUvarint(b, uint64(f.Revision))
	b = append(b, byte(f.State), byte(f.Severity), byte(f.Kind))
	for _, s := range [...]string{f.Origin, f.Region, f.Tenant, f.Class, f.Device, f.View, f.Metric, f.Detector, f.Model, f.Says} {
		b = binary.AppendUvarint(b, e.string(s))
	}
	for _, v := range [...]float64{f.Score, f.Threshold, f.Tail, f.Completeness} {
		b = appendFloat(b, v)
	}
	for _, t := range [...]int64{f.Started, f.Updated, f.Ended, f.Start, f.End} {
		b = binary.AppendVarint(b, t)
	}
	b = binary.AppendUvarint(b, uint64(f.ClockError))
	b = binary.AppendUvarint(b, uint64(len(f.Evidence)))
	for _, v := range f.Evidence {
		b = binary.AppendUvarint(b, e.string(v.Feature))
		b = appendFloat(appendFloat(appendFloat(b, v.Share), v.Observed), v.Expected)
	}
	e.rows = e.findingMembers(b, f)
}

func (e *CommitEncoder) findingMembers(b []byte, f *Finding) []byte {
	b = binary.AppendUvarint(b, uint64(f.Devices))
	b = binary.AppendUvarint(b, uint64(len(f.Members)))
	for _, m := range f.Members {
		b = binary.AppendUvarint(b, e.string(m.Device))
		b = binary.AppendUvarint(b, e.string(m.Metric))
		b = binary.AppendVarint(append(b, byte(m.Kind)), m.Since)
		b = append(appendFloat(b, m.Score), byte(bit(m.Over)))
	}
	b = binary.AppendUvarint(b, uint64(len(f.Shared)))
	for _, a := range f.Shared {
		b = binary.AppendUvarint(b, e.string(a.Key))
		b = binary.AppendUvarint(b, e.string(a.Value))
	}
	b = binary.LittleEndian.AppendUint64(b, f.Part)
	b = binary.AppendUvarint(b, uint64(len(f.Parts)))
	for _, id := range f.Parts {
		b = binary.LittleEndian.AppendUint64(b, id)
	}
	return b
}

func (t *commitTables) findings(b []byte, n int) ([]Finding, error) {
	const least = 8 + 1 + 3 + 10 + 4*8 + 6 + 4 + 8 // bytes of a row with empty lists
	if n > len(b)/least {
		return nil, errLimit
	}
	r := reader{b: b}
	out := slices.Grow([]Finding(nil), n)
	for ; n > 0 && r.err == nil; n-- {
		var f Finding
		t.finding(&r, &f)
		out = append(out, f)
	}
	return out, r.rest()
}

func (t *commitTables) finding(r *reader, f *Finding) {
	f.ID, f.Revision = r.uint64(), r.uvarint32()
	f.State, f.Severity, f.Kind = FindingState(r.byte()), Severity(r.byte()), FindingKind(r.byte())
	for _, s := range [...]*string{&f.Origin, &f.Region, &f.Tenant, &f.Class, &f.Device, &f.View, &f.Metric, &f.Detector, &f.Model, &f.Says} {
		*s = t.str(r)
	}
	for _, v := range [...]*float64{&f.Score, &f.Threshold, &f.Tail, &f.Completeness} {
		*v = r.float64()
	}
	for _, v := range [...]*int64{&f.Started, &f.Updated, &f.Ended, &f.Start, &f.End} {
		*v = r.varint()
	}
	f.ClockError = r.uvarint63()
	n := r.count(1 + 3*8)
	f.Evidence = slices.Grow(f.Evidence, n)
	for ; n > 0 && r.err == nil; n-- {
		f.Evidence = append(f.Evidence, Evidence{t.str(r), r.float64(), r.float64(), r.float64()})
	}
	t.findingMembers(r, f)
	if r.err == nil {
		if err := f.check(); err != nil {
			r.fail(err)
		}
	}
}

func (t *commitTables) findingMembers(r *reader, f *Finding) {
	f.Devices = r.uvarint32()
	n := r.count(2 + 1 + 1 + 8 + 1)
	f.Members = slices.Grow(f.Members, n)
	for ; n > 0 && r.err == nil; n-- {
		f.Members = append(f.Members, FindingMember{
			Device: t.str(r), Metric: t.str(r), Kind: FindingKind(r.byte()), Since: r.varint(), Score: r.float64(), Over: r.byte() != 0,
		})
	}
	n = r.count(2)
	f.Shared = slices.Grow(f.Shared, n)
	for ; n > 0 && r.err == nil; n-- {
		f.Shared = append(f.Shared, Attr{t.str(r), t.str(r)})
	}
	f.Part = r.uint64()
	n = r.count(8)
	f.Parts = slices.Grow(f.Parts, n)
	for ; n > 0 && r.err == nil; n-- {
		f.Parts = append(f.Parts, r.uint64())
	}
}
