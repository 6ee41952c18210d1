package aggregator

import (
	"cmp"
	"encoding/binary"
	"slices"

	"weir/pkg/sketch"
	"weir/schemas"
	"weir/services/internal/fold"
)

// maxStreams bounds the cumulative streams of a device. Records of further ones
// are rejected: without what came before there is no telling their increase.
const maxStreams = 10_000

// streamKey names a cumulative stream of a device.
type streamKey struct {
	metric string
	id     uint64
}

// stream is what is known of a cumulative stream: the newest of its values.
type stream struct {
	start, at int64
	value     float64
	sketch    []byte // of a histogram
}

// streams turn values that add up into what they went up by, as the fold meets
// them. A new start, or a value below the last, is a reset: the whole value is
// then the increase. So is the first value of a stream that has started since the
// fold did; where it started before, nobody knows when its value came together,
// and it is where counting begins. A value older than the last says nothing new.
type streams map[streamKey]*stream

// at finds or makes a stream; nil: there are too many. known is false for a new one.
func (s *streams) at(k streamKey) (found *stream, known bool) {
	if found = (*s)[k]; found != nil {
		return found, true
	}
	if len(*s) >= maxStreams {
		return nil, false
	}
	if *s == nil {
		*s = streams{}
	}
	found = &stream{}
	(*s)[k] = found
	return found, false
}

// increase is what a total went up by to a value at a time.
func (t *stream) increase(v *schemas.Value, at, began int64, known bool) float64 {
	before, older := t.before(v, at, began, known)
	if older {
		return 0
	}
	t.start, t.at, t.value = v.Start, at, v.Value
	return v.Value - before.value
}

// grown is what a histogram went up by to a distribution at a time.
func (t *stream) grown(now *sketch.Sketch, v *schemas.Value, at, began int64, known bool) *sketch.Sketch {
	before, older := t.before(v, at, began, known)
	if older {
		return new(sketch.Sketch)
	}
	t.start, t.at, t.value, t.sketch = v.Start, at, v.Value, slices.Clone(v.Sketch)
	var was sketch.Sketch
	if was.UnmarshalBinary(before.sketch) != nil {
		return now
	}
	more, err := now.Since(&was)
	if err != nil { // it holds less than it did: it has begun again
		return now
	}
	return more
}

// before is what a value adds to: the last one, or nothing after a reset.
func (t *stream) before(v *schemas.Value, at, began int64, known bool) (b stream, older bool) {
	switch {
	case !known && v.Start >= began:
		return stream{}, false
	case !known:
		return stream{value: v.Value, sketch: v.Sketch}, false
	case at <= t.at:
		return stream{}, true
	case v.Start > t.start || v.Value < t.value && v.Kind == schemas.TotalRecord:
		return stream{}, false
	}
	return *t, false
}

func (s streams) append(b []byte) []byte {
	keys := make([]streamKey, 0, len(s))
	for k := range s {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b streamKey) int { return cmp.Or(cmp.Compare(a.metric, b.metric), cmp.Compare(a.id, b.id)) })
	b = binary.AppendUvarint(b, uint64(len(keys)))
	for _, k := range keys {
		t := s[k]
		b = fold.AppendString(b, k.metric)
		b = binary.LittleEndian.AppendUint64(b, k.id)
		b = binary.AppendVarint(b, t.start)
		b = binary.AppendVarint(b, t.at)
		b = fold.AppendFloat(b, t.value)
		b = fold.AppendString(b, string(t.sketch))
	}
	return b
}

func (f *Fold) readStreams(r *fold.StateReader) (s streams) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		t, _ := s.at(streamKey{f.intern(r.String()), r.Fixed()})
		if t == nil {
			r.Fail(errBadGroup)
			return s
		}
		t.start, t.at, t.value = r.Int(), r.Int(), r.Float()
		if b := r.Bytes(); len(b) > 0 {
			t.sketch = slices.Clone(b)
		}
	}
	return s
}
