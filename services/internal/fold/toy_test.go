package fold

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"time"

	"weir/schemas"
)

// adder is a core that adds numbers up. Each every messages it puts one window
// per key, twice for the same bounds: a part and its revision.
type adder struct {
	every, keys int
	sketch      int           // bytes of each window's sketch
	early       int           // early values in each commit
	padding     int           // bytes of its state
	takes       time.Duration // for one message

	n, sum uint64
	firsts []uint64 // entry of each key's part
	out    Collector
}

// Apply, in a bubble, takes its time.
func (a *adder) Apply(m Message) (*Results, error) {
	time.Sleep(a.takes)
	v, k := binary.Uvarint(m.Data)
	if k <= 0 {
		return nil, errors.New("no number")
	}
	a.n++
	a.sum += v
	if a.n%uint64(a.every) != 0 {
		return nil, nil
	}
	a.out.Reset()
	emission := a.n/uint64(a.every) - 1 // from 0; two of them for one window
	if emission%2 == 0 {
		a.firsts = make([]uint64, a.keys)
	}
	for i := range a.keys {
		a.put(i, emission)
	}
	r := &Results{Time: int64(a.n), Wall: int64(a.sum), Totals: []schemas.Total{{Tenant: "t", Signal: schemas.Metrics, N: a.n}}}
	for i := range a.early {
		r.Early = append(r.Early, schemas.Early{Tenant: "t", Device: "d" + strconv.Itoa(i), Metric: "m", Count: a.n})
	}
	a.out.Into(r)
	return r, nil
}

func (a *adder) put(key int, emission uint64) {
	start := int64(emission/2) * 10
	a.out.Put(schemas.Window{
		View: "v", Dims: []string{"key"}, Key: schemas.Key{Tenant: "t", Values: []string{strconv.Itoa(a.keys - key)}},
		Start: start, End: start + 10, FirstN: a.firsts[key], Revision: uint32(1 + emission%2), Timing: schemas.OnTime,
		Count: a.n, Sum: float64(a.sum), Sketch: slices.Repeat([]byte{byte(a.sum)}, a.sketch), Digest: a.sum * uint64(key+1),
	}, key%2 == 1, func(n uint64) { a.firsts[key] = n })
}

func (a *adder) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, a.n)
	b = binary.AppendUvarint(b, a.sum)
	b = binary.AppendUvarint(b, uint64(len(a.firsts)))
	for _, f := range a.firsts {
		b = binary.AppendUvarint(b, f)
	}
	return append(b, slices.Repeat([]byte{byte(a.sum)}, a.padding)...)
}

func (a *adder) Restore(b []byte) error {
	r := StateReader{B: b}
	a.n, a.sum = r.Uint(), r.Uint()
	a.firsts = make([]uint64, r.Len())
	for i := range a.firsts {
		a.firsts[i] = r.Uint()
	}
	if string(r.B) != string(slices.Repeat([]byte{byte(a.sum)}, a.padding)) {
		r.Fail(errState)
	}
	r.B = nil
	return r.Done()
}

// fresh is an adder with the same settings and no state.
func (a *adder) fresh() *adder {
	return &adder{every: a.every, keys: a.keys, sketch: a.sketch, early: a.early, padding: a.padding, takes: a.takes}
}

func number(v uint64) []byte { return binary.AppendUvarint(nil, v) }

// undisturbed are the entries that a stage writes for numbers when nothing ever
// goes wrong.
func undisturbed(kind *adder, numbers []uint64, epoch schemas.Epoch, size int) (out [][]byte) {
	core := kind.fresh()
	p := position{epoch: epoch, inFirst: 1}
	var enc schemas.CommitEncoder
	for i, v := range numbers {
		m := Message{Seq: uint64(i + 1), Data: number(v)}
		r, err := core.Apply(m)
		if err != nil {
			panic(err)
		}
		if r == nil {
			continue
		}
		for _, c := range entries("a", p, m, r, size, ownNumber) {
			out = append(out, enc.Append(nil, c))
			p.n = c.N
		}
		p.inFirst = m.Seq + 1
	}
	return out
}
