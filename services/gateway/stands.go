package gateway

import (
	"encoding/binary"

	"weir/schemas"
	"weir/services/internal/fold"
)

// maxStands bounds how many forgotten windows of an epoch are remembered of either kind.
const maxStands = 4096

// worth is how many records somebody has of a window, and which: their digest.
type worth struct{ records, digest uint64 }

func (a worth) plus(b worth) worth { return worth{a.records + b.records, a.digest + b.digest} }

func worthOf(w *schemas.Window) worth { return worth{w.Records(), w.Digest} }

// stand is what an epoch of a gateway has brought of a window that is forgotten here.
type stand struct {
	key uint64 // hash of the window's name
	end int64
	worth
	counts  bool // this gateway has put it out; else it is left out
	lacking bool // it was not final, or lacked producers
}

// stands remembers the windows of an epoch that are forgotten here: how much of each has
// come, not its values. Those that may lack something, or that several epochs have brought,
// are remembered apart, because they are few and matter longer.
type stands struct{ whole, others kept }

// kept are the last stands of a kind.
type kept struct {
	list []stand // in the order in which they were forgotten
	gone int64   // latest end of those that are not remembered any more
}

func newStands() stands { return stands{kept{gone: never}, kept{gone: never}} }

// note remembers a window that is forgotten. contested: several epochs have brought it.
// A part that comes later than others of its window tells who is missing now.
func (s *stands) note(x stand, contested bool) {
	if !x.lacking {
		s.others.complete(x.key)
	}
	k := &s.whole
	if contested || x.lacking {
		k = &s.others
	}
	if len(k.list) >= maxStands {
		for _, old := range k.list[:maxStands/4] {
			k.gone = max(k.gone, old.end)
		}
		k.list = append(k.list[:0], k.list[maxStands/4:]...)
	}
	k.list = append(k.list, x)
}

// complete notes that nobody is missing in a window any more.
func (k *kept) complete(key uint64) {
	for i := range k.list {
		if k.list[i].key == key {
			k.list[i].lacking = false
		}
	}
}

// each calls f with what is remembered of a window.
func (s *stands) each(key uint64, f func(*stand)) {
	for _, k := range [...]*kept{&s.whole, &s.others} {
		for i := range k.list {
			if k.list[i].key == key {
				f(&k.list[i])
			}
		}
	}
}

// fades reports whether more may have been known of a window than is remembered.
func (s *stands) fades(end int64) bool { return s.whole.fades(end) || s.others.fades(end) }

func (k *kept) fades(end int64) bool { return end <= k.gone }

func (s *stands) append(b []byte) []byte {
	for _, k := range [...]*kept{&s.whole, &s.others} {
		b = binary.AppendUvarint(binary.AppendVarint(b, k.gone), uint64(len(k.list)))
		for _, x := range k.list {
			b = append(b, flags(x.counts, x.lacking))
			b = binary.AppendVarint(binary.LittleEndian.AppendUint64(b, x.key), x.end)
			b = binary.LittleEndian.AppendUint64(binary.AppendUvarint(b, x.records), x.digest)
		}
	}
	return b
}

func (s *stands) read(r *fold.StateReader) {
	for _, k := range [...]*kept{&s.whole, &s.others} {
		k.gone = r.Int()
		for n := r.Len(); n > 0 && r.Err == nil; n-- {
			fl := r.Byte()
			x := stand{counts: fl&1 != 0, lacking: fl&2 != 0, key: r.Fixed(), end: r.Int()}
			x.worth = worth{r.Uint(), r.Fixed()}
			k.list = append(k.list, x)
		}
	}
}

// doubts are the records of windows that are forgotten here which may lack them.
type doubts struct {
	of   map[uint64]doubt  // by window: hash of its name
	rest map[string]uint64 // those that are not remembered by window any more, by share
}

// doubt is how many records of a share of the ledger a window may lack.
type doubt struct {
	share   string
	records uint64
}

func newDoubts() doubts { return doubts{map[uint64]doubt{}, map[string]uint64{}} }

// set replaces what a window may lack.
func (d *doubts) set(key uint64, x doubt) {
	delete(d.of, key)
	if x.records == 0 {
		return
	}
	if len(d.of) >= maxStands {
		for _, old := range d.of {
			d.rest[old.share] += old.records
		}
		clear(d.of)
	}
	d.of[key] = x
}

// sum is what windows may lack, by share.
func (d *doubts) sum() map[string]uint64 {
	out := map[string]uint64{}
	addAll(out, d.rest)
	for _, x := range d.of {
		out[x.share] += x.records
	}
	return out
}

func (d *doubts) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(d.of)))
	for _, key := range sortedKeys(d.of) {
		b = fold.AppendString(binary.LittleEndian.AppendUint64(b, key), d.of[key].share)
		b = binary.AppendUvarint(b, d.of[key].records)
	}
	return appendCounts(b, d.rest)
}

func (d *doubts) read(r *fold.StateReader) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		key := r.Fixed()
		d.of[key] = doubt{r.String(), r.Uint()}
	}
	readCounts(r, d.rest)
}

// addAll adds counts by name.
func addAll(sum, more map[string]uint64) {
	for k, n := range more {
		sum[k] += n
	}
}
