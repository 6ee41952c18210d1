package gateway

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"weir/schemas"
)

// Times within which the next report is expected, ns: while the producer owes
// entries, and else.
const (
	owingWithin = wholeSecond
	quietWithin = 5 * wholeSecond
)

// behindBy is how many messages may wait in the input before backfill is held
// back.
const behindBy = 2048

// errReport says that a report is not answered.
var errReport = errors.New("report is not answered")

// grant answers the report that came on a subject at a time, in ns of a clock that
// never goes back. What it names as applied a restart finds again: in the inbox, or
// in a checkpoint that has let the inbox go.
func (p *post) grant(ctx context.Context, now int64, subject string, data []byte) (*schemas.LinkGrant, error) {
	var q schemas.LinkReport
	if err := json.Unmarshal(data, &q); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", subject, errReport, err)
	}
	partition := p.partitionOf(q.Producer)
	if schemas.Link(p.cfg.Inbox.Region, partition, q.Producer) != subject {
		return nil, fmt.Errorf("%s: %w: it is in the name of %q", subject, errReport, q.Producer)
	}
	spans, err := p.applied(ctx, schemas.Producer(p.cfg.Inbox.Region, partition), &q)
	if err != nil {
		return nil, err
	}
	_, behind := p.runner.Position()
	g := &schemas.LinkGrant{
		Epoch: q.Epoch, Applied: spans, Within: quietWithin,
		Credit: p.credit(now, q.Producer+" "+q.Epoch, q.Backfill, behind > behindBy),
	}
	if q.Entries > 0 {
		g.Within = owingWithin
	}
	if p.cfg.Inbox.Policy != nil {
		g.Policy = p.cfg.Inbox.Policy(q.Producer)
	}
	return g, nil
}

// applied are the entries that a partition has applied of the epoch that a
// report names.
func (p *post) applied(ctx context.Context, by string, q *schemas.LinkReport) (spans []schemas.Span, err error) {
	var e schemas.Epoch
	if b, err := hex.DecodeString(q.Epoch); err != nil || copy(e[:], b) != len(b) || len(b) != len(e) {
		return []schemas.Span{}, nil // a producer without entries names no epoch
	}
	for _, st := range p.runner.Stages() {
		if st.Producer != by {
			continue
		}
		core := p.fold(by)
		err = st.Ask(ctx, func() { spans = core.spans(q.Producer, e, q.Newest) })
		return spans, err
	}
	return nil, fmt.Errorf("%s: %w: its partition is not open yet", by, errReport)
}

// spans are the entries applied of a producer's epoch whose newest entry is given.
// Of one that is given up all are: nothing of it is wanted any more.
func (f *Fold) spans(name string, e schemas.Epoch, newest uint64) []schemas.Span {
	p := f.producers[name]
	if p == nil || p.spaces[e] == nil {
		return []schemas.Span{}
	}
	s := p.spaces[e]
	if s.retired && newest > 0 {
		return []schemas.Span{{From: 1, To: newest}}
	}
	return s.spans()
}

// catchingUp reports whether what waited in the input at the start is still being
// read: what was applied before is then not all known, and producers would bring it
// again. started is how long ago reading began, ns.
func (p *post) catchingUp(started int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.caught {
		seq, behind := p.runner.Position()
		p.caught = behind == 0 && (seq > 0 || started > wholeSecond)
	}
	return !p.caught
}
