package pack

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"weir/services/internal/strays"
)

func TestMain(m *testing.M) { strays.Main(m) }

// noise does not compress.
func noise(n int) []byte {
	rng, b := rand.New(rand.NewPCG(1, 2)), make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestPack(t *testing.T) {
	f := func(name string, src []byte, packed bool) {
		t.Helper()
		got := new(Packer).Pack([]byte("before"), src)
		if !bytes.HasPrefix(got, []byte("before")) || Packed(got[6:]) != packed {
			t.Fatalf("%s: packed is %v, want %v", name, !packed, packed)
		}
		if packed && len(src) >= smallest && len(got)-6 > len(src)*9/10+1 && !Packed(src) {
			t.Errorf("%s: %d bytes for %d do not pay", name, len(got)-6, len(src))
		}
		back, err := new(Unpacker).Unpack([]byte("kept"), got[6:], len(src))
		if err != nil || string(back) != "kept"+string(src) {
			t.Errorf("%s: comes back as %d bytes of %d, %v", name, len(back)-4, len(src), err)
		}
	}
	f("nothing", nil, false)
	f("small", bytes.Repeat([]byte{1}, smallest-1), false)
	f("large enough", bytes.Repeat([]byte{1}, smallest), true)
	f("noise", noise(10_000), false)
	f("mostly noise", append(noise(10_000), make([]byte, 800)...), false)
	f("half of it noise", append(noise(10_000), make([]byte, 10_000)...), true)
	f("large", bytes.Repeat(noise(5000), 1000), true)
	f("looks like a frame", append(magic[:], "and is none"...), true)
	f("looks like a frame of 255 bytes", append(magic[:], noise(251)...), true)
	f("looks like a frame of 256 bytes", append(magic[:], noise(252)...), true)
	f("looks like a frame of noise", append(magic[:], noise(1000)...), true)
	f("is a frame", new(Packer).Pack(nil, make([]byte, 5000)), true)
}

func TestUnpackRefuses(t *testing.T) {
	frame := new(Packer).Pack(nil, make([]byte, 1<<20))
	f := func(name string, src []byte, limit int, want string) {
		t.Helper()
		dst := []byte("kept")
		got, err := new(Unpacker).Unpack(dst, src, limit)
		if err == nil || !strings.Contains(err.Error(), want) || string(got) != "kept" {
			t.Errorf("%s: %d bytes, error %v; want one with %q", name, len(got), err, want)
		}
	}
	f("too large as it is", []byte("four"), 3, "unpack 4 bytes as they are: more than the limit of 3")
	f("too large in the frame", frame, 1<<20-1, "content of 1048576 bytes: more than the limit of 1048575")
	f("a limit below 0", frame, -1, "more than the limit")
	f("cut off", frame[:len(frame)-5], 1<<20, "unpack a frame")
	f("magic alone", magic[:], 10, "unpack a frame of 4 bytes")
	f("a second frame behind it", append(bytes.Clone(frame), frame...), 1<<20, "")
	f("a second frame that would fit", append(new(Packer).Pack(nil, make([]byte, 600)), new(Packer).Pack(nil, make([]byte, 600))...), 1<<20, "")
	f("noise behind it", append(bytes.Clone(frame), 1, 2, 3), 1<<20, "")
	f("changed content", changed(frame, len(frame)-1), 1<<20, "unpack a frame")
	f("a size that is a lie", lying(frame, 1000), 1<<20, "")
	f("a size that is a larger lie", lying(frame, 1<<20+1), 1<<21, "")
	f("no size", unsized(make([]byte, 1<<20)), 1<<20, "unpack a frame")
}

func changed(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x55
	return b
}

// lying is a frame of one megabyte that announces another size, in the four bytes behind magic, descriptor and maybe a window.
func lying(frame []byte, size uint32) []byte {
	b := bytes.Clone(frame)
	for i := 5; i < 8; i++ {
		if binary.LittleEndian.Uint32(b[i:]) == 1<<20 {
			binary.LittleEndian.PutUint32(b[i:], size)
			return b
		}
	}
	panic("no size found in the header")
}

// unsized is a frame as a stream writes it.
func unsized(src []byte) []byte {
	var b bytes.Buffer
	w := must(zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1)))
	for len(src) > 0 { // written in pieces, so that the size is not known at first
		n := min(len(src), 100_000)
		must(w.Write(src[:n]))
		src = src[n:]
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "piece")
		src := bytes.Repeat(piece, rapid.IntRange(0, 50).Draw(t, "times"))
		got, err := new(Unpacker).Unpack(nil, new(Packer).Pack(nil, src), len(src))
		if err != nil || !bytes.Equal(got, src) {
			t.Fatalf("%d bytes come back as %d, %v", len(src), len(got), err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{1, 2, 3}, 10)
	f.Add(new(Packer).Pack(nil, make([]byte, 4096)), 4096)
	f.Add(new(Packer).Pack(nil, bytes.Repeat(noise(300), 9)), 5000)
	f.Add(lying(new(Packer).Pack(nil, make([]byte, 1<<20)), 1000), 2000)
	f.Add(unsized(make([]byte, 300_000)), 1<<20)
	f.Fuzz(func(t *testing.T, src []byte, limit int) {
		limit = min(limit, 1<<22)
		got, err := new(Unpacker).Unpack(nil, src, limit)
		if err != nil {
			return
		}
		if len(got) > limit {
			t.Fatalf("%d bytes unpack to %d, the limit is %d", len(src), len(got), limit)
		}
		again, err := new(Unpacker).Unpack(nil, new(Packer).Pack(nil, got), len(got))
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("what unpacks does not pack and unpack: %v", err)
		}
	})
}
