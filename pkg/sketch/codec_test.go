package sketch

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata from what the code writes now")

// goldens are the sketches whose bytes are in testdata, by file name.
func goldens() map[string]*Sketch {
	edge := mustNew(4, 0)
	edge.AddN(0.49, 20)
	edge.Merge(mustNew(4, 0.495)) // a zero region that ends inside the bucket (0.479, 0.5]

	huge := sketchOf(walk(12))
	huge.AddN(1e6, 1<<40)

	return map[string]*Sketch{
		"zero":        new(Sketch),
		"empty":       mustNew(8, 0),
		"one":         sketchOf([]float64{21.5}),
		"eight":       sketchOf(signed(8)),
		"nine":        sketchOf(thermometer(9)),
		"thirty-two":  sketchOf(thermometer(32)),
		"signed":      sketchOf(signed(100)),
		"edge":        edge,
		"huge-count":  huge,
		"coarse":      sketchOf(spread(5000, 3000)),
		"zeros":       sketchOf(make([]float64, 10)),
		"ends":        sketchOf([]float64{-math.MaxFloat64, -1, 0, 1, 2, 3, 4, 5, math.MaxFloat64}),
		"wide-zero":   mustMerge(mustNew(-4, 3), sketchOf(signed(50))),
		"two-buckets": sketchOf([]float64{1, 1, 1, 1, 1, 1, 1, 2, 2}),
	}
}

// thermometer returns n readings to a tenth of a degree, close together.
func thermometer(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Round(10*(21.4+0.4*math.Sin(float64(i)))) / 10
	}
	return out
}

func mustMerge(s, o *Sketch) *Sketch {
	if !s.Merge(o) {
		panic("merge refused")
	}
	return s
}

func roundTrip(t interface{ Fatalf(string, ...any) }, s *Sketch) {
	b := encoded(s)
	var back Sketch
	if err := back.UnmarshalBinary([]byte(b)); err != nil {
		t.Fatalf("%x of %+v: %v", b, s, err)
	}
	check(t, &back)
	if encoded(&back) != b || back.Sum() != s.Sum() || back.Config() != s.Config() {
		t.Fatalf("%x of %+v comes back as %x of %+v", b, s, encoded(&back), back)
	}
}

// TestGolden keeps the format: what was written once is written and read the same for ever.
func TestGolden(t *testing.T) {
	for name, s := range goldens() {
		path := filepath.Join("testdata", name+".sketch")
		if *update {
			if err := os.WriteFile(path, []byte(encoded(s)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := encoded(s); got != string(want) {
			t.Errorf("%s: bytes %x, want %x", name, got, want)
		}
		roundTrip(t, s)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{rapid.IntRange(MinScale, MaxScale).Draw(t, "scale"), rapid.SampledFrom([]float64{0, 1e-6, 0.5, 3}).Draw(t, "zero width")}
		s := mustNew(c.Scale, c.ZeroWidth)
		for _, v := range drawValues(t, awkward) {
			s.AddN(v, rapid.SampledFrom([]uint64{1, 1, 2, 3, 1 << 33}).Draw(t, "n"))
		}
		roundTrip(t, s)
	})
}

// TestBytesStaySmall pins the sizes that budgets of uplinks are made of.
func TestBytesStaySmall(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		atMost int
	}{
		"one reading":            {[]float64{21.5}, 6},
		"eight small integers":   {[]float64{1, 2, 3, 4, 5, 6, 7, 8}, 3 + 8*2},
		"eight of any":           {signed(8), 3 + 8*8},
		"nine of a thermometer":  {thermometer(9), 39},
		"32 of a thermometer":    {thermometer(32), 39},
		"1000 of a thermometer":  {thermometer(1000), 48},
		"100 signed, 90 buckets": {signed(100), 180},
	} {
		if n := len(encoded(sketchOf(c.values))); n > c.atMost {
			t.Errorf("%s: %d bytes, at most %d expected", name, n, c.atMost)
		}
	}
}

func TestDecodeLeavesTheRest(t *testing.T) {
	for name, s := range goldens() {
		var back Sketch
		rest, err := back.Decode([]byte(encoded(s) + "rest"))
		if err != nil || string(rest) != "rest" || encoded(&back) != encoded(s) {
			t.Errorf("%s: %q left, %v", name, rest, err)
		}
		if err := back.UnmarshalBinary([]byte(encoded(s) + "rest")); err == nil || back.Count() > 0 {
			t.Errorf("%s: UnmarshalBinary took bytes after the end: %v", name, err)
		}
	}
}

func TestDecodeRefusesEveryPrefix(t *testing.T) {
	for name, s := range goldens() {
		b := []byte(encoded(s))
		for n := range b {
			if _, err := new(Sketch).Decode(b[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes accepted", name, n, len(b))
			}
		}
	}
}

// floats are the bytes of numbers, whole.
func floats(values ...float64) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// varints are the bytes of varints.
func varints(values ...uint64) (b []byte) {
	for _, v := range values {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// TestDecodeRefusesForgeries: what a hostile peer might send, and a word of the error that names it.
func TestDecodeRefusesForgeries(t *testing.T) {
	const scale6 = DefaultScale - MinScale
	third, tenth := 1./3, 0.1
	exact := func(head byte, b ...[]byte) []byte {
		return append([]byte{version, scale6, head}, bytes.Join(b, nil)...)
	}
	buckets := func(b ...[]byte) []byte {
		return append([]byte{version, flagBuckets | scale6, 0x88}, bytes.Join(b, nil)...)
	}
	same := floats(third, third, third) // sum, min and max
	for name, c := range map[string]struct {
		bytes []byte
		word  string
	}{
		"nothing":                   {nil, "end here"},
		"a newer version":           {[]byte{2, scale6, 0}, "version 2"},
		"an unknown flag":           {[]byte{version, 1<<4 | scale6, 0}, "flags"},
		"scale 9":                   {[]byte{version, 13, 0}, "scale 9"},
		"scale 10":                  {[]byte{version, 14, 0}, "scale 10"},
		"buckets without a scale":   {append([]byte{version, flagBuckets | scaleNone, 0}, varints(0)...), "scale 11"},
		"exact values, no scale":    {[]byte{version, scaleNone, 1<<4 | 1, 0x40}, "exact"},
		"edge of exact values":      {[]byte{version, flagEdge | scale6, 0}, "edge"},
		"default zero width":        {append([]byte{version, flagZeroWidth | scale6}, floats(1e-6)...), "zero width"},
		"negative zero width":       {append([]byte{version, flagZeroWidth | scale6}, floats(-1)...), "zero width"},
		"infinite zero width":       {append([]byte{version, flagZeroWidth | scale6}, floats(math.Inf(1))...), "finite"},
		"nine exact values":         {exact(9<<4|8, floats(1, 2, 3, 4, 5, 6, 7, 8, 9)), "9 exact"},
		"exact values descend":      {exact(2<<4|8, floats(tenth, -tenth)), "after"},
		"exact NaN":                 {exact(1<<4|8, floats(math.NaN())), "finite"},
		"exact Inf":                 {exact(1<<4|8, floats(math.Inf(-1))), "finite"},
		"exact -0":                  {exact(1<<4|1, floats(math.Copysign(0, -1))[:1]), "negative zero"},
		"wider than needed":         {exact(1<<4|8, floats(1)), "bytes"},
		"floats of nine bytes":      {exact(1<<4|9, floats(third, third)), "end here"},
		"width of no values":        {exact(0<<4|3, nil), "bytes"},
		"NaN sum":                   {buckets(floats(math.NaN(), third, third), varints(1, 8)), "finite"},
		"infinite min":              {buckets(floats(third, math.Inf(-1), third), varints(1, 8)), "finite"},
		"min above max":             {buckets(floats(third, third, tenth), varints(1, 8)), "above"},
		"max elsewhere":             {buckets(floats(third, tenth, third), varints(1, 8)), "max"},
		"min at -0":                 {buckets(floats(third, math.Copysign(0, -1), tenth), varints(1, 8)), "negative zero"},
		"no buckets":                {buckets(same, varints(0)), "0 buckets"},
		"more buckets than bytes":   {buckets(same, varints(1024, 8)), "1024 buckets"},
		"more buckets than allowed": {buckets(same, varints(1025, 8), make([]byte, 2000)), "1025 buckets"},
		"2^63 buckets":              {buckets(same, varints(1<<63, 8)), "buckets"},
		"a count of 2^60":           {buckets(same, varints(1, 1<<60)), "at most"},
		"a count of 2^64":           {buckets(same, varints(1, math.MaxUint64)), "at most"},
		"a later count of 2^64+1":   {buckets(same, varints(2, 0, 1, math.MaxUint64)), "at most"},
		"counts of 2^53+1":          {buckets(same, varints(2, 1<<52, 1, 1<<52)), "in all"},
		"a gap of 2^31":             {buckets(same, varints(2, 0, 1<<32)), "beyond"},
		"a gap of 2^63":             {buckets(same, varints(2, 0, math.MaxUint64)), "beyond"},
		"a gap past the last":       {buckets(floats(third, third, math.MaxFloat64), varints(2, 8, 400_000)), "beyond"},
		"a varint too long":         {buckets(same, []byte{1, 0x88, 0}), "longer"},
		"a varint without an end":   {buckets(same, []byte{1, 0x88}), "end here"},
		"a varint of eleven bytes":  {buckets(same, bytes.Repeat([]byte{0xff}, 11)), "end here"},
		"a needless edge flag": {
			append([]byte{version, flagBuckets | flagEdge | scale6, 0x88}, append(same, varints(1, 8)...)...), "edge",
		},
		"a bucket in the zero region": {
			append([]byte{version, flagBuckets | flagEdge | scale6, 0x88}, append(floats(third, 1e-7, 1e-7/3), varints(1, 8)...)...), "above",
		},
		"buckets in the zero region": {
			append([]byte{version, flagBuckets | flagEdge | scale6, 0x88}, append(floats(third, 1e-7/3, 1e-7), varints(1, 8)...)...), "inside",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := sketchOf(walk(40))
			_, err := s.Decode(c.bytes)
			if err == nil || !strings.Contains(err.Error(), c.word) {
				t.Errorf("%x: error %v, want one about %q", c.bytes, err, c.word)
			}
			if encoded(s) != encoded(new(Sketch)) {
				t.Errorf("not reset after an error: %+v", s)
			}
		})
	}
}

// FuzzDecode: whatever the bytes, an error or a sketch that keeps every invariant and is written as it was read.
func FuzzDecode(f *testing.F) {
	for _, s := range goldens() {
		f.Add([]byte(encoded(s)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Sketch
		rest, err := s.Decode(b)
		if s.MemoryBytes() > 1024+16*len(b) {
			t.Fatalf("%d bytes decoded into %d", len(b), s.MemoryBytes())
		}
		if err != nil {
			return
		}
		check(t, &s)
		if read := b[:len(b)-len(rest)]; encoded(&s) != string(read) {
			t.Fatalf("%x is written as %x", read, encoded(&s))
		}
		if n := s.Count(); n > 0 && (s.Quantile(0.5) < s.Min() || s.Quantile(0.5) > s.Max()) {
			t.Fatalf("median %v of [%v, %v]", s.Quantile(0.5), s.Min(), s.Max())
		}
		merged := sketchOf(walk(20))
		merged.Merge(&s)
		check(t, merged)
		s.Downscale(MinScale)
		check(t, &s)
	})
}

// TestDecodeAllocatesLittle measures what the worst sketches of their size make Decode allocate.
func TestDecodeAllocatesLittle(t *testing.T) {
	huge := mustNew(DefaultScale, 0)
	for i := range 1000 {
		huge.AddN(math.Exp2(float64(i)/64), 1<<33)
	}
	many := []byte{version, flagBuckets | DefaultScale - MinScale, 0x88}
	many = append(append(many, floats(1./3, 1./3, 1./7)...), varints(1024)...)
	for name, b := range map[string][]byte{
		"many buckets": []byte(encoded(sketchOf(spread(5000, 1000)))),
		"huge counts":  []byte(encoded(huge)),
		"a lie":        append(many, make([]byte, 1024)...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := new(Sketch).Decode(b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(2048+16*len(b)) {
			t.Errorf("%s: %d bytes made Decode allocate %d (error: %v)", name, len(b), n, err)
		}
	}
}
