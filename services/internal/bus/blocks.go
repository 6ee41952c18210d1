package bus

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/minio/highwayhash"
)

// The server keeps a stream's messages in block files. A record is
//
//	length(4) sequence(8) time(8) length of subject(2) subject [length of header(4) header] payload checksum(8)
//
// in little endian. The server checks a record when it is read, and then stops
// reading there, for ever. So blocks are checked before it starts: what is sound
// stays, the rest is cut out. Checksums are HighwayHash, which authenticates: a
// record that has the right one is a record.

// Layout of a record.
const (
	recordHead = 22
	recordSum  = 8
	hasHeader  = 1 << 31 // in the length
	erased     = 1 << 63 // in the sequence: the message was overwritten
	tombstone  = 1 << 62 // in the sequence: the message was removed
	recordMost = 32 << 20
)

// block reads records of one block file.
type block struct {
	data []byte
	sum  interface {
		io.Writer
		Reset()
		Sum64() uint64
	}
}

// newBlock checks with the key of a stream's n-th block.
func newBlock(stream string, n int, data []byte) *block {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, n))
	sum, err := highwayhash.New64(key[:])
	if err != nil {
		panic("BUG: " + err.Error()) // the key has the right length
	}
	return &block{data, sum}
}

// record is the size and the sequence of the record at an offset; size 0: there is
// none that is sound.
func (b *block) record(at int) (size int, seq uint64) {
	rest := b.data[at:]
	if len(rest) < recordHead+recordSum {
		return 0, 0
	}
	length := binary.LittleEndian.Uint32(rest)
	size = int(length &^ hasHeader)
	body := recordHead + int(binary.LittleEndian.Uint16(rest[20:]))
	from := body
	if length&hasHeader != 0 {
		from += 4
	}
	if size > len(rest) || size > recordMost || from+recordSum > size {
		return 0, 0
	}
	b.sum.Reset()
	b.sum.Write(rest[4:20])
	b.sum.Write(rest[recordHead:body])
	b.sum.Write(rest[from : size-recordSum])
	if b.sum.Sum64() != binary.LittleEndian.Uint64(rest[size-recordSum:]) {
		return 0, 0
	}
	return size, binary.LittleEndian.Uint64(rest[4:])
}

// span is a part of a block that holds no sound record.
type span struct {
	from, to      int    // offsets
	before, after uint64 // sequences of the messages around it; 0: there is none in the block
}

// contents is what is in a block. Sequences are 0 where there is none.
type contents struct {
	bad         []span // what cannot be read
	first, last uint64 // sequences of messages
	high        uint64 // highest sequence of anything, removed messages too
}

// scan reads the whole block.
func (b *block) scan() (c contents) {
	for at := 0; at < len(b.data); {
		size, seq := b.record(at)
		if size == 0 {
			next := b.next(at + 1)
			c.bad = append(c.bad, span{from: at, to: next, before: c.last})
			at = next
			continue
		}
		at += size
		c.high = max(c.high, seq&^(erased|tombstone))
		if seq&tombstone == 0 {
			c.message(seq &^ erased)
		}
	}
	return c
}

// message notes the next message.
func (c *contents) message(seq uint64) {
	if seq == 0 {
		return
	}
	for i := range c.bad {
		if c.bad[i].after == 0 {
			c.bad[i].after = seq
		}
	}
	if c.first == 0 {
		c.first = seq
	}
	c.last = max(c.last, seq)
}

// next is the offset of the first sound record from an offset on; the end if there
// is none.
func (b *block) next(at int) int {
	for ; at < len(b.data); at++ {
		if size, _ := b.record(at); size > 0 {
			return at
		}
	}
	return len(b.data)
}

// without is the block without these spans.
func (b *block) without(bad []span) []byte {
	out := make([]byte, 0, len(b.data))
	at := 0
	for _, s := range bad {
		out = append(out, b.data[at:s.from]...)
		at = s.to
	}
	return append(out, b.data[at:]...)
}

// appendTombstone appends the record that a message was removed.
func (b *block) appendTombstone(seq uint64, at int64) {
	head := make([]byte, recordHead, recordHead+recordSum)
	binary.LittleEndian.PutUint32(head, recordHead+recordSum)
	binary.LittleEndian.PutUint64(head[4:], seq|tombstone)
	binary.LittleEndian.PutUint64(head[12:], uint64(at))
	b.sum.Reset()
	b.sum.Write(head[4:20])
	b.data = append(b.data, binary.LittleEndian.AppendUint64(head, b.sum.Sum64())...)
}
