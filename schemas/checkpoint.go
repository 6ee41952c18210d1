package schemas

import (
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Checkpoint is one part of the whole state of a fold after input InLast. It is
// a cache: it makes restarts short and is never the only copy of a result.
//
//	byte     1         the version
//	msgpack  [ producer, epoch, n, out_seq, in_last, part, parts, prev, hash of the whole state, [seqs] ]
//	bytes    the payload of this part
//
// The last part is the manifest: it is written last and knows the sequences of
// the parts before it. Any part knows the manifest of the checkpoint before.
type Checkpoint struct {
	Producer string
	Epoch    Epoch
	N        uint64   // newest commit entry that the state includes; 0: none
	OutSeq   uint64   // its sequence in the outbox: the fence
	InLast   uint64   // newest input sequence that the state includes
	Part     int      // from 0
	Parts    int      // Part == Parts-1: the manifest
	Prev     uint64   // sequence of the manifest of the checkpoint before; 0: none
	Hash     uint64   // of the whole state
	Seqs     []uint64 // in the manifest: sequences of the parts before it
	Payload  []byte
}

// Manifest reports whether c is the last part.
func (c *Checkpoint) Manifest() bool { return c.Part == c.Parts-1 }

// Append appends the part's bytes to b.
func (c *Checkpoint) Append(b []byte) []byte {
	w := newHeadWriter()
	w.reset(CheckpointVersion)
	w.array(10)
	w.str(c.Producer)
	w.bin(c.Epoch[:])
	w.uint(c.N)
	w.uint(c.OutSeq)
	w.uint(c.InLast)
	w.uint(uint64(c.Part))
	w.uint(uint64(c.Parts))
	w.uint(c.Prev)
	w.uint(c.Hash)
	w.array(len(c.Seqs))
	for _, s := range c.Seqs {
		w.uint(s)
	}
	return append(w.appendTo(b), c.Payload...)
}

// DecodeCheckpoint decodes one part. The payload aliases b.
func DecodeCheckpoint(b []byte) (*Checkpoint, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("decode checkpoint: %w", errShort)
	}
	if err := checkVersion("checkpoint", int(b[0]), CheckpointVersion); err != nil {
		return nil, err
	}
	r := newHeadReader()
	r.reset(b[1:])
	r.fields(10)
	c := &Checkpoint{Producer: r.str(), Epoch: r.epoch()}
	c.N, c.OutSeq, c.InLast = r.uint(), r.uint(), r.uint()
	part, parts := r.uint(), r.uint()
	c.Prev, c.Hash = r.uint(), r.uint()
	n := r.array()
	c.Seqs = slices.Grow(c.Seqs, n)
	for ; n > 0 && r.err == nil; n-- {
		c.Seqs = append(c.Seqs, r.uint())
	}
	if r.err == nil && (part >= parts || parts > 1<<16) {
		r.fail(fmt.Errorf("part %d of %d", part, parts))
	}
	if r.err != nil {
		return nil, fmt.Errorf("decode checkpoint of %d bytes: %w", len(b), r.err)
	}
	c.Part, c.Parts = int(part), int(parts)
	if r.rest() > 0 {
		c.Payload = b[len(b)-r.rest():]
	}
	return c, nil
}

// Hash is the hash of messages and payloads that commits and checkpoints quote.
func Hash(b []byte) uint64 { return xxhash.Sum64(b) }
