package forwarder

import (
	"errors"
	"fmt"
	"strings"

	"weir/schemas"
	"weir/services/internal/bus"
)

const second = 1_000_000_000

// backlog is the pure core: what of an outbox the tier above lacks, what of that
// is being sent, and what may be removed. One goroutine uses it at a time.
type backlog struct {
	producer string // of a report where the outbox is empty
	ours     func(producer string) bool

	sources   []*source // in order of first sight
	bySubject map[string]*source
	order     order // of the link
	within    int64 // ns until the tier above expects the next report, as it said last
	damage    damage
	drain     drain
	unsent    uint64 // what is stored after this sequence was never sent; anySent: there is no such sequence
	marked    uint64 // sequence of the message that says so in the outbox; 0: there is none
}

// damage is what of the outbox cannot be sent.
type damage struct {
	count  uint64
	newest string // where it was, and what is wrong with it
}

func newBacklog(producer string, ours func(string) bool) *backlog {
	return &backlog{producer: producer, ours: ours, bySubject: map[string]*source{}, unsent: anySent}
}

// source is the source of a subject, made on first sight.
func (b *backlog) source(subject string) (*source, error) {
	if s := b.bySubject[subject]; s != nil {
		return s, nil
	}
	producer, kind, ok := schemas.SourceOf(subject)
	if !ok || !b.ours(producer) {
		return nil, fmt.Errorf("subject %q is not of this producer's outbox", subject)
	}
	s := &source{
		order: &b.order, subject: subject, producer: producer, credit: new(credit),
		alert: kind != schemas.KindCommit && kind != schemas.KindFolded, folded: kind == schemas.KindFolded,
	}
	for _, o := range b.sources {
		if o.producer == producer && !o.alert && !s.alert {
			s.sibling, o.sibling, s.credit = o, s, o.credit
		}
	}
	b.bySubject[subject] = s
	b.sources = append(b.sources, s)
	return s, nil
}

// note takes the next message of the outbox with its head, or with the error of
// decoding it. It returns its entry where the tier above lacks it. What cannot be
// decoded is counted and passed over: above, its number is a debt.
func (b *backlog) note(m bus.Message, head *schemas.Commit, err error) (*source, *entry) {
	s, unknown := b.source(m.Subject)
	if err := errors.Join(unknown, err); err != nil {
		b.damaged(m.Subject, m.Seq, err)
		return nil, nil
	}
	e := s.note(m, head)
	if s.folded {
		s.replaces(m.Seq, head)
		_, e = s.find(m.Seq)
	}
	return s, e
}

func (b *backlog) damaged(subject string, seq uint64, err error) {
	b.damage.count++
	b.damage.newest = fmt.Sprintf("%s at %d: %s", subject, seq, strings.ReplaceAll(err.Error(), "\n", ": "))
}

// begin notes that all is known that the outbox held when the process began.
func (b *backlog) begin() {
	for _, s := range b.sources {
		s.old = true
		for _, sp := range s.spaces {
			sp.began = sp.newest
		}
	}
}

// restart lets everything wait, as backfill: the tier above will say what it has.
func (b *backlog) restart() {
	b.drain, b.order = drain{}, order{}
	for _, s := range b.sources {
		for _, sp := range s.spaces {
			sp.restart()
		}
	}
}

// stretch is a part of the outbox to read for one of the lanes.
type stretch struct {
	first, last uint64 // sequences that wait; first 0: nothing does
	subjects    []string
}

// waiting is what waits to be sent: alerts or backfill.
func (b *backlog) waiting(alert bool) (w stretch) {
	for _, s := range b.sources {
		if s.alert != alert {
			continue
		}
		if first, last := s.waiting(); first != 0 {
			w.first, w.last = least(w.first, first), max(w.last, last)
			w.subjects = append(w.subjects, s.subject)
		}
	}
	return w
}

// alerted reports whether alerts wait that nobody has taken yet.
func (b *backlog) alerted() bool {
	for _, s := range b.sources {
		if s.alert && s.idle() > 0 {
			return true
		}
	}
	return false
}

// least is the smaller of two, where 0 is none.
func least[T int64 | uint64](a, b T) T {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// live takes an entry that has just been noted, to be sent at once.
func (b *backlog) live(s *source, e *entry) { s.newest.claim(e, true) }

// claim takes a message that waits, to be sent behind what is live. It is false
// where nothing waits there.
func (b *backlog) claim(subject string, seq uint64) bool {
	s := b.bySubject[subject]
	if s == nil {
		return false
	}
	sp, e := s.find(seq)
	if e == nil || e.claimed != 0 {
		return false
	}
	sp.claim(e, false)
	return true
}

// owes reports whether a message that was claimed is still to be sent.
func (b *backlog) owes(s *source, seq uint64) bool {
	_, e := s.find(seq)
	return e != nil && e.claimed != 0 && e.stored == 0
}

// stored notes that the tier above has stored a message.
func (b *backlog) stored(s *source, seq uint64) {
	if _, e := s.find(seq); e != nil && e.claimed != 0 {
		e.stored = b.order.next()
	}
}

// refused lets a message wait again: there was no room for it above.
func (b *backlog) refused(s *source, seq uint64) {
	if sp, e := s.find(seq); e != nil {
		sp.release(e)
	}
}

// gone forgets what waits, in the given subjects, from one sequence to before
// another: the outbox holds it no more. It returns how many entries that were.
func (b *backlog) gone(subjects []string, from, to uint64) (n int) {
	for _, subject := range subjects {
		n += b.bySubject[subject].gone(from, to)
	}
	return n
}

// spoiled forgets a message whose content cannot be sent.
func (b *backlog) spoiled(s *source, seq uint64, err error) {
	b.damaged(s.subject, seq, err)
	s.drop(seq, seq+1, func(*entry) bool { return true })
}

func (b *backlog) debt() (d debt) {
	for _, s := range b.sources {
		d.add(s.debt())
	}
	return d
}

// question is a report and where its answer belongs.
type question struct {
	source *source // nil: the outbox is empty
	space  *space
	passed uint32 // of the order, when it was asked
	report schemas.LinkReport
}

// questions are the reports to make now: one for each epoch of each source.
func (b *backlog) questions() (out []question) {
	for _, s := range b.sources {
		for _, sp := range s.spaces {
			if s.folded && s.sibling != nil && s.sibling.has(sp.epoch) {
				continue // it is in that one's report
			}
			d := s.debt()
			if s.sibling != nil {
				d.add(s.sibling.debt())
			}
			out = append(out, question{s, sp, b.order.passed, schemas.LinkReport{
				Producer: s.producer, Epoch: sp.epoch.String(), Newest: sp.newest,
				Entries: d.entries, Bytes: d.bytes, Backfill: d.backfill, Oldest: d.oldest,
			}})
		}
	}
	if out == nil {
		out = append(out, question{report: schemas.LinkReport{Producer: b.producer}})
	}
	return out
}

// errGrant says that an answer is none to the question.
var errGrant = errors.New("the answer does not fit the report")

// outcome is what an answer has changed.
type outcome struct {
	again int          // entries that were lost above and wait again
	ahead schemas.Span // numbers applied above that this outbox never had; To 0: there are none, or they were told
	back  bool         // the tier above has less than it has said before
}

// granted takes the answer to a question.
func (b *backlog) granted(q question, g *schemas.LinkGrant, now int64) (o outcome, err error) {
	b.within = g.Within
	if q.source == nil {
		return o, nil
	}
	if g.Epoch != q.report.Epoch {
		return o, fmt.Errorf("%w: epoch %q, asked for %q", errGrant, g.Epoch, q.report.Epoch)
	}
	if !ascending(g.Applied) {
		return o, fmt.Errorf("%w: applied %v is in no order", errGrant, g.Applied)
	}
	q.source.credit.grant(now, g.Credit, g.Within)
	if !q.source.folded {
		o.ahead = q.space.ahead(g.Applied)
	}
	brought, again := q.space.grant(g.Applied, q.passed, now)
	if f := q.source.sibling; f != nil && f.has(q.space.epoch) {
		b, a := f.space(q.space.epoch).grant(g.Applied, q.passed, now)
		brought, again = brought+b, again+a
	}
	b.drain.observe(now, brought)
	o.again, o.back = again, q.space.back
	return o, nil
}
