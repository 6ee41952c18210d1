// Package pack makes messages smaller where that pays.
//
// In: a message as it is stored. Out: a zstd frame of it, where the message is large enough and the frame is at least a
// tenth smaller, else the message as it is; and back. Which of the two it is shows in the first four bytes: a frame
// begins with zstd's magic number, and a message that happens to begin so is always made a frame.
//
// Promises: Unpack gives back what Pack was given, byte for byte. From bytes of a stranger, Unpack makes no more than
// the limit it is given, and needs no more memory than that and a few hundred kilobytes: a frame must say how large its
// content is, and keep to it.
//
// Limits: a frame that does not name the size of its content is read up to 255 bytes: Pack names any size beyond. A
// Packer and an Unpacker are each for one goroutine at a time.
package pack

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// What is worth a frame.
const (
	smallest = 512 // bytes: a smaller message is left as it is
	gain     = 10  // a frame must save at least one part in so many
)

// unnamed is the size up to which the encoder does not name a content's size, bytes.
const unnamed = 255

// largestWindow bounds what a frame may make the decoder remember, bytes.
const largestWindow = 8 << 20

// magic begins every zstd frame.
var magic = [4]byte{0x28, 0xb5, 0x2f, 0xfd}

// Packer packs messages. The zero value is ready; it keeps about a megabyte once it is used.
type Packer struct{ zstd *zstd.Encoder }

// Unpacker unpacks messages. The zero value is ready.
type Unpacker struct{ zstd *zstd.Decoder }

func (p *Packer) encoder() *zstd.Encoder {
	if p.zstd == nil {
		p.zstd = must(zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true)))
	}
	return p.zstd
}

func (u *Unpacker) decoder() *zstd.Decoder {
	if u.zstd == nil {
		u.zstd = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(largestWindow), zstd.WithDecodeAllCapLimit(true)))
	}
	return u.zstd
}

// must is for options that are constants: they are wrong always or never.
func must[T any](v T, err error) T {
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return v
}

// Packed reports whether b is a frame that Pack has made.
func Packed(b []byte) bool { return bytes.HasPrefix(b, magic[:]) }

// Pack appends src to dst, as a frame where that pays. They must not overlap.
func (p *Packer) Pack(dst, src []byte) []byte {
	ambiguous := Packed(src)
	if len(src) < smallest && !ambiguous {
		return append(dst, src...)
	}
	out := p.encoder().EncodeAll(src, dst)
	if len(out)-len(dst) > len(src)-len(src)/gain && !ambiguous {
		return append(dst, src...)
	}
	return out
}

var errLimit = errors.New("more than the limit")

// Unpack appends to dst what Pack was given for src: at most limit bytes, else an error. They must not overlap.
func (u *Unpacker) Unpack(dst, src []byte, limit int) ([]byte, error) {
	if !Packed(src) {
		if len(src) > limit {
			return dst, fmt.Errorf("unpack %d bytes as they are: %w of %d", len(src), errLimit, limit)
		}
		return append(dst, src...), nil
	}
	out, err := u.unframe(dst, src, limit)
	if err != nil {
		return dst, fmt.Errorf("unpack a frame of %d bytes: %w", len(src), err)
	}
	return out, nil
}

func (u *Unpacker) unframe(dst, src []byte, limit int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return nil, err
	}
	if !h.HasFCS {
		h.FrameContentSize = uint64(max(min(limit, unnamed), 0))
	}
	if limit < 0 || h.FrameContentSize > uint64(limit) {
		return nil, fmt.Errorf("content of %d bytes: %w of %d", h.FrameContentSize, errLimit, limit)
	}
	n := len(dst) + int(h.FrameContentSize)
	out := make([]byte, n) // its capacity is what the decoder keeps to
	out, err := u.decoder().DecodeAll(src, out[:copy(out, dst):n])
	if err != nil {
		return nil, err
	}
	if h.HasFCS && len(out) != n {
		return nil, fmt.Errorf("content of %d bytes, %d were announced", len(out)-len(dst), h.FrameContentSize)
	}
	return out, nil
}
