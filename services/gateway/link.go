package gateway

import (
	"context"
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
	g := &schemas.LinkGrant{Epoch: q.Epoch, Applied: []schemas.Span{}, Within: quietWithin}
	if err := p.applied(ctx, schemas.Producer(p.cfg.Inbox.Region, partition), &q, g); err != nil {
		return nil, err
	}
	_, behind := p.runner.Position()
	g.Credit = p.credit(now, q.Producer+" "+q.Epoch, q.Backfill, behind > behindBy)
	if q.Entries > 0 {
		g.Within = owingWithin
	}
	if p.cfg.Inbox.Policy != nil {
		who, _ := schemas.CutDetector(q.Producer) // an agent and its detector ask as one
		g.Policy = p.cfg.Inbox.Policy(who)
	}
	return g, nil
}

// applied writes into a grant what a partition knows of the epochs of who reports.
func (p *post) applied(ctx context.Context, by string, q *schemas.LinkReport, g *schemas.LinkGrant) error {
	for _, st := range p.runner.Stages() {
		if st.Producer == by {
			core := p.fold(by)
			return st.Ask(ctx, func() { core.Tell(q, g) })
		}
	}
	return fmt.Errorf("%s: %w: its partition is not open yet", by, errReport)
}

// Tell writes what is known of a producer: its epochs, and the entries applied of the
// one that its report names. A producer without entries names none.
func (f *Fold) Tell(q *schemas.LinkReport, g *schemas.LinkGrant) {
	p := f.producers[q.Producer]
	if p == nil {
		return
	}
	g.Known = p.known()
	if e, ok := schemas.ParseEpoch(q.Epoch); ok {
		g.Applied = f.spans(q.Producer, e, q.Newest)
		s := p.spaces[e]
		g.Ended = s != nil && len(s.endings) > 0
	}
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
