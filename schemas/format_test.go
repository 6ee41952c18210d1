package schemas

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A format is a codec with its golden file. Every property below holds for all of them.
type format struct {
	name    string
	version int
	sample  func() any
	draw    func(*rapid.T) any
	encode  func(any) []byte
	decode  func([]byte) (any, error)
	ragged  bool // ends in a payload of any length
}

var formats = []format{
	{
		name: "frame", version: FrameVersion,
		sample: func() any { return sampleFrame() },
		draw:   func(t *rapid.T) any { return drawFrame(t) },
		encode: func(v any) []byte { return new(FrameEncoder).Append(nil, v.(*Frame)) },
		decode: func(b []byte) (any, error) {
			var f Frame
			return &f, new(FrameDecoder).Decode(b, &f)
		},
	},
	{
		name: "commit", version: CommitVersion,
		sample: func() any { return sampleCommit() },
		draw:   func(t *rapid.T) any { return commits().Draw(t, "commit") },
		encode: func(v any) []byte { return new(CommitEncoder).Append(nil, v.(*Commit)) },
		decode: func(b []byte) (any, error) { return new(CommitDecoder).Decode(b, WithAll) },
	},
	{
		name: "checkpoint", version: CheckpointVersion, ragged: true,
		sample: func() any { return sampleCheckpoint() },
		draw:   func(t *rapid.T) any { return checkpoints().Draw(t, "checkpoint") },
		encode: func(v any) []byte { return v.(*Checkpoint).Append(nil) },
		decode: func(b []byte) (any, error) { return DecodeCheckpoint(b) },
	},
}

func drawFrame(t *rapid.T) *Frame {
	var b FrameBuilder
	for _, s := range sents().Draw(t, "sent") {
		b.Add(s.tenant, s.device, s.Reading)
	}
	return fillFrame(t, &b)
}

func TestRoundTrip(t *testing.T) {
	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := f.draw(t)
				b := f.encode(v)
				got, err := f.decode(b)
				if err != nil {
					t.Fatalf("%v\n of %s", err, repr(v))
				}
				if !equal(got, v) {
					t.Fatalf("\n got %s\nwant %s", repr(got), repr(v))
				}
				if again := f.encode(got); !bytes.Equal(again, b) {
					t.Fatalf("equal values, other bytes:\n%x\n%x", again, b)
				}
			})
		})
	}
}

var update = flag.Bool("update", false, "write the golden files of the current versions")

func TestGolden(t *testing.T) {
	for _, f := range formats {
		name := filepath.Join("testdata", fmt.Sprintf("%s-v%d.bin", f.name, f.version))
		b := f.encode(f.sample())
		if *update {
			if err := os.WriteFile(name, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(name)
		if err != nil {
			t.Fatalf("%v; a new version needs a golden file: go test -run Golden -update", err)
		}
		if !bytes.Equal(b, golden) {
			t.Errorf("%s differs: these bytes are stored in data folders. A change needs a new version and its line of history.\n got %x\nwant %x", name, b, golden)
		}
		got, err := f.decode(golden)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, name, got, f.sample())
	}
}

// TestOldGolden decodes what older versions wrote.
func TestOldGolden(t *testing.T) {
	for _, f := range formats {
		for version := 1; version <= f.version; version++ {
			name := filepath.Join("testdata", fmt.Sprintf("%s-v%d.bin", f.name, version))
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if int(b[0]) != version {
				t.Errorf("%s has version byte %d", name, b[0])
			}
			if _, err := f.decode(b); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestOldExemplars: what named a trace before version 3 still does.
func TestOldExemplars(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "commit-v2.bin"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := new(CommitDecoder).Decode(b, WithWindows)
	if err != nil {
		t.Fatal(err)
	}
	if x := c.Windows[0].Exemplars; len(x) != 1 || x[0].TraceHex() != "4bf92f3577b34da6a3ce929d0e0e4736" || x[0].SpanHex() != "" || x[0].Value != 21.6 || x[0].Time != t0+2e9 {
		t.Errorf("exemplars %+v", x)
	}
	c.Windows[0].Exemplars = nil
	if b := new(CommitEncoder).Append(nil, c); b[0] != 2 {
		t.Errorf("an entry without exemplars is of version %d: a tier of an older program could not read it", b[0])
	}
}

// TestOldestThatHolds: what older programs can read is still written for them.
func TestOldestThatHolds(t *testing.T) {
	c := sampleCommit()
	c.Knows, c.Views[0].WholeFrom, c.Views[0].WholeThrough = nil, 0, 0
	if b := new(CommitEncoder).Append(nil, c); b[0] != 4 {
		t.Errorf("an entry of a gateway that has come to know nobody is of version %d", b[0])
	}
	c.Logs = nil
	if b := new(CommitEncoder).Append(nil, c); b[0] != 3 {
		t.Errorf("an entry without log records is of version %d", b[0])
	}
	f := sampleFrame()
	f.Logs = nil
	if b := new(FrameEncoder).Append(nil, f); b[0] != 2 {
		t.Errorf("a frame without log records is of version %d", b[0])
	}
}

func TestNewerVersion(t *testing.T) {
	for _, f := range formats {
		b := f.encode(f.sample())
		b[0] = byte(f.version + 1)
		_, err := f.decode(b)
		newer, ok := errors.AsType[*NewerVersionError](err)
		if !ok || newer.Format != f.name || newer.Got != f.version+1 || newer.Want != f.version {
			t.Errorf("%s: %v", f.name, err)
		}
		b[0] = 0
		if _, err := f.decode(b); err == nil {
			t.Errorf("%s: version 0 was decoded", f.name)
		} else if _, ok := errors.AsType[*NewerVersionError](err); ok {
			t.Errorf("%s: version 0 is newer: %v", f.name, err)
		}
	}
}

// TestTruncated cuts the sample at each byte.
func TestTruncated(t *testing.T) {
	for _, f := range formats {
		b := f.encode(f.sample())
		end := len(b)
		if f.ragged {
			end -= len(sampleCheckpoint().Payload)
		}
		for n := range end {
			if v, err := f.decode(b[:n:n]); err == nil {
				t.Errorf("%s of %d bytes, cut after %d, is %s", f.name, len(b), n, repr(v))
			}
		}
		if !f.ragged {
			if _, err := f.decode(append(b[:end:end], 0)); err == nil {
				t.Errorf("%s with a byte behind it was decoded", f.name)
			}
		}
	}
}

// TestFlipped changes each byte to values that are often lengths.
func TestFlipped(t *testing.T) {
	for _, f := range formats {
		b := f.encode(f.sample())
		for i := range b {
			for _, v := range []byte{0, 0x7f, 0x80, 0xc0, 0xc6, 0xcf, 0xdd, 0xff} {
				broken := bytes.Clone(b)
				broken[i] = v
				checkDecode(t, &f, broken)
			}
		}
	}
}

func TestCheckpointRefuses(t *testing.T) {
	for _, parts := range [][2]int{{3, 3}, {4, 3}, {0, 0}, {0, 1<<16 + 1}} {
		c := sampleCheckpoint()
		c.Part, c.Parts = parts[0], parts[1]
		if got, err := DecodeCheckpoint(c.Append(nil)); err == nil {
			t.Errorf("part %d of %d was decoded: %s", c.Part, c.Parts, repr(got))
		}
	}
	if c := sampleCheckpoint(); !c.Manifest() {
		t.Errorf("part %d of %d is no manifest", c.Part, c.Parts)
	}
}

// TestEpochLength: an epoch has 16 bytes, in commits and in checkpoints.
func TestEpochLength(t *testing.T) {
	for _, f := range formats[1:3] {
		b := f.encode(f.sample())
		at := bytes.Index(b, []byte{0xc4, 16})
		for _, n := range []byte{15, 17} {
			broken := bytes.Clone(b)
			broken[at+1] = n
			if n == 15 {
				broken = append(broken[:at+2], broken[at+3:]...)
			} else {
				broken = append(broken[:at+2], append([]byte{0}, broken[at+2:]...)...)
			}
			if _, err := f.decode(broken); err == nil || !strings.Contains(err.Error(), "epoch of") {
				t.Errorf("%s with an epoch of %d bytes: %v", f.name, n, err)
			}
		}
	}
}

// TestHostileLengths claims lengths that are not there.
func TestHostileLengths(t *testing.T) {
	bombs := [][]byte{
		{0xc6, 0xff, 0xff, 0xff, 0xff},
		{0xdb, 0xff, 0xff, 0xff, 0xff},
		{0xdd, 0xff, 0xff, 0xff, 0xff},
		{0xdf, 0xff, 0xff, 0xff, 0xff},
		{0xc9, 0xff, 0xff, 0xff, 0xff, 0},
		{0xce, 0xff, 0xff, 0xff, 0xff},
		{0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		bytes.Repeat([]byte{0x91}, 1000), bytes.Repeat([]byte{0x81}, 1000), binary.AppendUvarint(nil, 1<<63),
	}
	for _, f := range formats {
		b := f.encode(f.sample())
		for i := 1; i < len(b); i++ {
			for _, bomb := range bombs {
				checkDecode(t, &f, append(append(bytes.Clone(b[:i]), bomb...), b[i:]...))
				checkDecode(t, &f, append(append(bytes.Clone(b[:i]), bomb...), make([]byte, 1000)...))
			}
		}
	}
}

// checkDecode holds for all bytes: no panic, memory in proportion to the bytes,
// and what decodes can be written and read again.
func checkDecode(t testing.TB, f *format, b []byte) {
	t.Helper()
	const perByte, fixed = 40, 16 << 10
	var v any
	var err error
	most := perByte*uint64(len(b)) + fixed
	if got := allocated(most, func() { v, err = f.decode(b) }); got > most {
		t.Fatalf("%s: decoding %d bytes took %d bytes of memory: %x", f.name, len(b), got, b)
	}
	if err != nil {
		return
	}
	again, err := f.decode(f.encode(v))
	if err != nil {
		t.Fatalf("%s: what was decoded from %x is not decoded again: %v", f.name, b, err)
	}
	wantEqual(t, f.name+" written and read again", again, v)
}

// allocated is how many bytes of memory f takes. Other goroutines allocate too:
// more than most is measured again.
func allocated(most uint64, f func()) (n uint64) {
	var before, after runtime.MemStats
	for range 3 {
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if n = after.TotalAlloc - before.TotalAlloc; n <= most {
			break
		}
	}
	return n
}

func fuzz(f *testing.F, format *format) {
	goldens, err := filepath.Glob(filepath.Join("testdata", format.name+"-v*.bin"))
	if err != nil || len(goldens) == 0 {
		f.Fatal(goldens, err)
	}
	for _, name := range goldens {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkDecode(t, format, b) })
}

func FuzzFrame(f *testing.F)      { fuzz(f, &formats[0]) }
func FuzzCommit(f *testing.F)     { fuzz(f, &formats[1]) }
func FuzzCheckpoint(f *testing.F) { fuzz(f, &formats[2]) }
