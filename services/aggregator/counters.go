package aggregator

import (
	"encoding/binary"
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
)

// A counter goes up by what it says more than the last time, so its readings must not be
// mixed with another's. One counter is one metric of one device with one set of attributes:
// all that the device sends, not only those that views look at. Its increase is worked out
// first; a window that holds several adds up what each went up by.

// prints are the fingerprints of the sets of attributes that a device has sent, in the
// order in which it did.
type prints []uint64

// Fingerprints that are no hash.
const (
	noPrint    = 0 // no attributes
	otherPrint = 1 // of a device that has sent too many sets: its further counters are taken for one
)

// print is the fingerprint of a source's attributes where a view counts counters.
func (f *Fold) print(d *device, s *schemas.Source) uint64 {
	if len(s.Attrs) == 0 || !f.counting {
		return noPrint
	}
	f.name = f.name[:0]
	for _, i := range s.Attrs {
		f.name = fold.AppendString(f.name, f.in.Strings[i])
	}
	print := max(schemas.Hash(f.name), otherPrint+1)
	switch {
	case slices.Contains(d.prints, print):
	case len(d.prints) >= f.newest().MaxSets:
		return otherPrint
	default:
		d.prints = append(d.prints, print)
	}
	return print
}

// counter names a counter: the series with some attributes.
func (s *series) counter(print uint64) uint64 {
	id := schemas.SeriesIdentity(s.dev.Tenant, s.dev.Device, "", s.metric)
	if print == noPrint {
		return id
	}
	return schemas.NumberedIdentity(id, print)
}

// counts reports whether some view of some generation counts counters.
func counts(gens []*generation) bool {
	for _, g := range gens {
		if slices.ContainsFunc(g.Views, func(v View) bool { return v.Counter }) {
			return true
		}
	}
	return false
}

func (p prints) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(p)))
	for _, v := range p {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

func (p *prints) read(r *fold.StateReader) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		*p = append(*p, r.Fixed())
	}
}
