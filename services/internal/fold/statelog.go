package fold

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"weir/schemas"
	"weir/services/internal/bus"
)

// stateLog keeps the two newest whole checkpoints of one stage.
type stateLog struct {
	log      Log
	subject  string
	producer string

	last     uint64 // sequence of the newest message on the subject, as far as we know: the fence
	manifest uint64 // sequence of the newest checkpoint's manifest
	first    uint64 // sequence of its first part
	newest   uint64 // input sequence that it includes
	older    uint64 // input sequence that the one before it includes; 0: there is none, as far as we know
	skipped  bool   // load has passed over one that was torn or did not fit
	pad      pad
}

// pad is what the stages of a runner write their checkpoints on, one at a time: a hundred
// states need not be in memory twice. It holds the buffer while nobody has it.
type pad chan []byte

func newPad() pad {
	p := make(pad, 1)
	p <- nil
	return p
}

// taken reports whether somebody writes a checkpoint now.
func (p pad) taken() bool { return len(p) == 0 }

// checkpoint is a whole checkpoint: the state of the shell and of the core.
type checkpoint struct {
	schemas.Checkpoint
	shell
	state []byte // the core's
}

// shell is what a stage knows beside its core's state and the head of a checkpoint.
type shell struct {
	inFirst   uint64                 // first input sequence of the next commit
	inHash    uint64                 // of the message InLast
	gone      uint64                 // entries of the epoch through it are not in the outbox: it was lost
	continues []schemas.Continuation // epochs before this one
	past      []schemas.Past         // what they had come to
}

// append appends the shell's bytes. Those of a stage that has lost nothing are as they
// have ever been; others begin with a zero, which inFirst never is.
func (h *shell) append(b []byte) []byte {
	if len(h.continues) == 0 && h.gone == 0 {
		return binary.LittleEndian.AppendUint64(binary.AppendUvarint(b, h.inFirst), h.inHash)
	}
	b = binary.AppendUvarint(append(b, 0), h.gone)
	b = binary.AppendUvarint(b, uint64(len(h.continues)))
	for _, k := range h.continues {
		b = append(b, k.Epoch[:]...)
		for _, v := range [...]uint64{k.From, k.N, k.State, k.Estate} {
			b = binary.AppendUvarint(b, v)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(h.past)))
	for _, t := range h.past {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(t.Of)), t.N)
		for _, s := range [...]string{t.Tenant, string(t.Signal), string(t.Stage), string(t.Outcome), string(t.Reason)} {
			b = AppendString(b, s)
		}
	}
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(b, h.inFirst), h.inHash)
}

func (h *shell) read(r *StateReader) {
	if len(r.B) > 0 && r.B[0] == 0 {
		r.Byte()
		h.gone = r.Uint()
		for n := r.Len(); n > 0 && r.Err == nil; n-- {
			var k schemas.Continuation
			for i := range k.Epoch {
				k.Epoch[i] = r.Byte()
			}
			k.From, k.N, k.State, k.Estate = r.Uint(), r.Uint(), r.Uint(), r.Uint()
			h.continues = append(h.continues, k)
		}
		for n := r.Len(); n > 0 && r.Err == nil; n-- {
			of, sum := int(r.Uint()), r.Uint()
			h.past = append(h.past, schemas.Past{Of: of, Total: schemas.Total{
				Tenant: r.String(), Signal: schemas.Signal(r.String()), Stage: schemas.Stage(r.String()),
				Outcome: schemas.Outcome(r.String()), Reason: schemas.Reason(r.String()), N: sum,
			}})
		}
	}
	h.inFirst, h.inHash = r.Uint(), r.Fixed()
}

// save writes the state in parts of size bytes, the manifest last, then removes what is older
// than the checkpoint before it. It waits for the pad.
func (l *stateLog) save(ctx context.Context, c checkpoint, core Core, size int) error {
	var state []byte
	select {
	case state = <-l.pad:
	case <-ctx.Done():
		return ctx.Err()
	}
	state = core.Append(c.shell.append(state[:0]))
	defer func() { l.pad <- state }()
	c.Hash, c.Prev = schemas.Hash(state), l.manifest
	c.Parts = max(1, (len(state)+size-1)/size)
	if err := l.storeParts(ctx, &c.Checkpoint, state, size); err != nil {
		return err
	}
	last := c.Seqs[len(c.Seqs)-1]
	keepFrom := l.first
	l.first, l.manifest = c.Seqs[0], last
	l.older, l.newest = l.newest, c.InLast
	if keepFrom == 0 {
		return nil
	}
	return l.log.Purge(ctx, l.subject, keepFrom)
}

// storeParts stores the state in parts and leaves the sequence of each in c.Seqs.
func (l *stateLog) storeParts(ctx context.Context, c *schemas.Checkpoint, rest []byte, size int) error {
	for c.Part = 0; c.Part < c.Parts; c.Part++ {
		n := min(len(rest), size)
		c.Payload, rest = rest[:n], rest[n:]
		part := *c
		if !c.Manifest() {
			part.Seqs = nil
		}
		seq, err := l.append(ctx, &part)
		if err != nil {
			return err
		}
		c.Seqs = append(c.Seqs, seq)
	}
	return nil
}

// errOvertaken: whoever starts next would begin with an older state than the
// input still leads on from.
var errOvertaken = errors.New("somebody else has written a later checkpoint; let one process own it")

// append writes a part behind what is on the subject, unless that includes more
// input: a process that was stopped while another took over its work must not
// put its old state in front.
func (l *stateLog) append(ctx context.Context, part *schemas.Checkpoint) (uint64, error) {
	data := part.Append(nil)
	seq, err := l.log.Append(ctx, l.subject, data, l.last)
	if errors.Is(err, bus.ErrWrongLast) {
		if err := l.follow(ctx, part.InLast); err != nil {
			return 0, err
		}
		seq, err = l.log.Append(ctx, l.subject, data, l.last)
	}
	if err != nil {
		return 0, err
	}
	l.last = seq
	return seq, nil
}

// follow finds the newest message of the subject: an earlier append whose answer
// was lost, or somebody else's.
func (l *stateLog) follow(ctx context.Context, inLast uint64) error {
	seq, data, err := l.log.Last(ctx, l.subject)
	if err != nil {
		return err
	}
	other, err := schemas.DecodeCheckpoint(data)
	if err != nil {
		return err
	}
	if other.InLast > inLast {
		return fmt.Errorf("checkpoint of %s after %d: there is one after %d: %w", l.producer, inLast, other.InLast, errOvertaken)
	}
	l.last = seq
	return nil
}

// load is the newest whole checkpoint that fits, or nil if the input may be
// folded from its beginning: nothing of it is removed before there are two whole
// checkpoints.
func (l *stateLog) load(ctx context.Context, fits func(*checkpoint) (bool, error)) (*checkpoint, error) {
	seq, data, err := l.log.Last(ctx, l.subject)
	if errors.Is(err, bus.ErrNone) {
		return nil, nil
	}
	l.last = seq
	for {
		if err != nil {
			return nil, err
		}
		part, bad := schemas.DecodeCheckpoint(data)
		if newer := (*schemas.NewerVersionError)(nil); errors.As(bad, &newer) {
			return nil, fmt.Errorf("checkpoint of %s at %d: %w", l.producer, seq, bad)
		}
		if bad != nil {
			return nil, fmt.Errorf("checkpoint of %s at %d: %w: %w", l.producer, seq, bad, errNoCheckpoint)
		}
		if c, err := l.whole(ctx, part, seq, fits); c != nil || err != nil {
			return c, err
		}
		l.skipped = true
		if part.Prev == 0 {
			return nil, nil
		}
		if seq, data, err = l.get(ctx, part.Prev); errors.Is(err, bus.ErrNone) {
			return nil, fmt.Errorf("%s: %w", l.producer, errNoCheckpoint)
		}
	}
}

// errNoCheckpoint: there are checkpoints, but none to start from.
var errNoCheckpoint = errors.New("no checkpoint is whole and fits the outbox and the input, and the input's beginning may be gone: " +
	"put the newest backup of the data folder back, see A gateway without checkpoints in docs/operations.md")

func (l *stateLog) get(ctx context.Context, seq uint64) (uint64, []byte, error) {
	m, err := l.log.Get(ctx, schemas.StreamCheckpoint, seq)
	return seq, m.Data, err
}

// whole is the checkpoint that ends in a part, if it does, nothing of it is
// missing, and it fits; else nil.
func (l *stateLog) whole(ctx context.Context, part *schemas.Checkpoint, seq uint64, fits func(*checkpoint) (bool, error)) (*checkpoint, error) {
	if !part.Manifest() {
		return nil, nil
	}
	payload, err := l.assemble(ctx, part)
	if err != nil || payload == nil {
		return nil, err
	}
	r := StateReader{B: payload}
	c := &checkpoint{Checkpoint: *part}
	c.read(&r)
	c.state = r.B
	if r.Err != nil {
		return nil, fmt.Errorf("checkpoint of %s at %d: %w", l.producer, seq, r.Err)
	}
	if ok, err := fits(c); err != nil || !ok {
		return nil, err
	}
	l.manifest, l.first, l.newest = seq, append(part.Seqs, seq)[0], c.InLast
	return c, nil
}

// assemble joins the parts of a checkpoint. It is nil where a part is missing
// or is not the one that was written.
func (l *stateLog) assemble(ctx context.Context, manifest *schemas.Checkpoint) ([]byte, error) {
	var payload []byte
	for i, seq := range manifest.Seqs {
		_, data, err := l.get(ctx, seq)
		if errors.Is(err, bus.ErrNone) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		p, err := schemas.DecodeCheckpoint(data)
		if err != nil || p.Part != i || p.Hash != manifest.Hash {
			return nil, nil
		}
		payload = append(payload, p.Payload...)
	}
	payload = append(payload, manifest.Payload...)
	if schemas.Hash(payload) != manifest.Hash {
		return nil, nil
	}
	return payload, nil
}
