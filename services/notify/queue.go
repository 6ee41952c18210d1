package notify

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"weir/pkg/gcra"
	"weir/schemas"
)

const second = 1_000_000_000

// Bounds of a queue.
const (
	mostWaiting = 10_000 // findings
	mostInOne   = 100    // findings of one message
)

// Pauses after failures, ns.
const (
	firstPause   = second
	longestPause = 300 * second
)

// queue is what one receiver has still to be told. Times are ns of a clock that never
// goes back, but those of findings.
type queue struct {
	cfg     schemas.Receiver
	seq     uint64 // newest message taken
	batches []*batch
	waiting int
	told    map[uint64]schemas.Severity    // of findings that were told and go on
	covered map[uint64]uint64              // findings that one of many devices stands for, and which
	open    map[uint64]*schemas.FindingRow // for an Alertmanager: what goes on
	sent    int64                          // when all that goes on was sent last
	rate    gcra.Bucket
	failed  int   // in a row
	until   int64 // nothing is sent before
}

// batch is what waits of one group.
type batch struct {
	key   string
	items []item
	since int64 // when the first of them came
	sent  int64 // when a message of the group was sent last
}

// item is a finding that waits.
type item struct {
	id       uint64
	row      schemas.FindingRow
	severity schemas.Severity
	seq      uint64 // of the first message that it waits for
}

// message is what is sent at once.
type message struct {
	id    string // the same when it is sent again
	batch *batch
	group map[string]string
	items []item
	rows  []*schemas.FindingRow // for an Alertmanager: all that goes on
	more  int                   // findings of the group that wait beyond these
}

const never = -1 << 62

// perMessage is what a message takes of a rate per minute, in units of a second's.
const perMessage = 60

func newQueue(cfg schemas.Receiver, seq uint64) *queue {
	return &queue{
		cfg: cfg, seq: seq, told: map[uint64]schemas.Severity{}, covered: map[uint64]uint64{}, open: map[uint64]*schemas.FindingRow{}, sent: never, until: never,
		rate: gcra.New(gcra.Limit{Rate: int64(cfg.Rate), Burst: perMessage * int64(max(cfg.Rate/6, 1))}),
	}
}

// room reports whether more may be taken.
func (q *queue) room() bool { return q.waiting < mostWaiting }

// take takes the findings of message seq.
func (q *queue) take(seq uint64, found []schemas.Finding, now int64) {
	q.seq = max(q.seq, seq)
	for i := range found {
		if o := &found[i]; q.wants(o) {
			q.cover(o)
			q.add(o, seq, now)
		}
	}
}

// cover leaves what a finding of many devices stands for to it, unless it was told.
func (q *queue) cover(o *schemas.Finding) {
	for _, id := range o.Parts {
		q.covered[id] = o.ID
	}
	if !o.Open() {
		maps.DeleteFunc(q.covered, func(_, by uint64) bool { return by == o.ID })
		return
	}
	for _, b := range q.batches {
		before := len(b.items)
		b.items = slices.DeleteFunc(b.items, func(it item) bool { return q.covered[it.id] == o.ID })
		q.waiting -= before - len(b.items)
	}
}

// wants reports whether the receiver is told of such findings, and this revision says
// something new.
func (q *queue) wants(o *schemas.Finding) bool {
	if o.Severity < leastOf(q.cfg.Severity) || !anyGlob(q.cfg.Tenants, o.Tenant) {
		return false
	}
	if len(q.cfg.Kinds) > 0 && !slices.Contains(q.cfg.Kinds, schemas.KindWord(o.Kind.String())) {
		return false
	}
	was, known := q.told[o.ID]
	if _, covered := q.covered[o.ID]; !known && (covered || o.Part != 0) {
		return false
	}
	return !o.Open() || !known || o.Severity > was
}

func leastOf(w schemas.LeastWord) schemas.Severity {
	for s := schemas.Notice; s <= schemas.Critical; s++ {
		if s.String() == string(w) {
			return s
		}
	}
	return schemas.Notice
}

func anyGlob(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return schemas.Glob(p, name) })
}

func (q *queue) add(o *schemas.Finding, seq uint64, now int64) {
	q.put(item{id: o.ID, row: o.Row(), severity: o.Severity, seq: seq}, now)
}

// put lets a finding wait, in the place of an older revision of it.
func (q *queue) put(next item, now int64) {
	b := q.batch(q.key(&next.row))
	if i := slices.IndexFunc(b.items, func(it item) bool { return it.id == next.id }); i >= 0 {
		next.seq = b.items[i].seq
		b.items[i] = next
		return
	}
	if len(b.items) == 0 {
		b.since = now
	}
	b.items = append(b.items, next)
	q.waiting++
}

// batch is that of a group, made on first sight.
func (q *queue) batch(key string) *batch {
	i := slices.IndexFunc(q.batches, func(b *batch) bool { return b.key == key })
	if i >= 0 {
		return q.batches[i]
	}
	b := &batch{key: key, sent: never}
	q.batches = append(q.batches, b)
	return b
}

// key names the group of a finding. An Alertmanager groups by itself.
func (q *queue) key(r *schemas.FindingRow) string {
	if q.cfg.Kind == schemas.Alertmanager {
		return ""
	}
	var parts []string
	for _, word := range q.cfg.GroupBy {
		parts = append(parts, field(r, word))
	}
	return strings.Join(parts, "\x00")
}

// field is what a finding has in a field by which messages are grouped.
func field(r *schemas.FindingRow, word schemas.GroupWord) string {
	return map[schemas.GroupWord]string{
		"tenant": r.Tenant, "kind": r.Kind, "severity": r.Severity, "class": r.Class, "metric": r.Metric,
		"device": r.Device, "origin": r.Origin, "region": r.Region, "detector": r.Detector,
	}[word]
}

// due is the message to send now, or nil and when to ask again.
func (q *queue) due(now int64) (m *message, next int64) {
	next = now + 3600*second
	if now < q.until {
		return nil, q.until
	}
	var b *batch
	for _, c := range q.batches {
		switch at := q.dueAt(c); {
		case at > now:
			next = min(next, at)
		case b == nil || c.since < b.since:
			b = c
		}
	}
	again := q.cfg.Kind == schemas.Alertmanager && len(q.open) > 0
	if again && b == nil {
		if at := q.sent + int64(q.cfg.Repeat); at > now {
			return nil, min(next, at)
		}
		b = q.batch("")
	}
	if b == nil {
		return nil, next
	}
	if ok, wait := q.rate.Allow(now, perMessage); !ok {
		return nil, now + max(wait, 1)
	}
	return q.message(b), now
}

// dueAt is when a group's message is due.
func (q *queue) dueAt(b *batch) int64 {
	if len(b.items) == 0 {
		return 1 << 62
	}
	if q.cfg.Kind == schemas.Alertmanager {
		return b.since
	}
	return max(b.since+int64(q.cfg.GroupWait), b.sent+int64(q.cfg.GroupInterval))
}

func (q *queue) message(b *batch) *message {
	items := b.items[:min(len(b.items), mostInOne)]
	m := &message{batch: b, items: slices.Clone(items), more: len(b.items) - len(items), group: map[string]string{}}
	id := q.cfg.Name + "\x00" + b.key
	for i := range m.items {
		id += "\x00" + m.items[i].row.ID + strconv.FormatUint(uint64(m.items[i].row.Revision), 10)
	}
	m.id = schemas.RowID(schemas.Hash([]byte(id)))
	if len(items) > 0 {
		for _, word := range q.cfg.GroupBy {
			m.group[string(word)] = field(&items[0].row, word)
		}
	}
	if q.cfg.Kind == schemas.Alertmanager {
		m.rows = q.goesOn(m.items)
	}
	return m
}

// goesOn is everything that is open and was told before, but for what the items say.
func (q *queue) goesOn(items []item) (rows []*schemas.FindingRow) {
	for id, r := range q.open {
		if !slices.ContainsFunc(items, func(it item) bool { return it.id == id }) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *schemas.FindingRow) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}

// done notes that a message was taken.
func (q *queue) done(m *message, now int64) {
	q.failed, q.until = 0, never
	q.forget(m)
	m.batch.sent, m.batch.since = now, now
	if q.cfg.Kind == schemas.Alertmanager {
		q.sent = now
	}
	for i := range m.items {
		it := &m.items[i]
		if !it.row.Open() {
			delete(q.told, it.id)
			delete(q.open, it.id)
			continue
		}
		q.told[it.id] = it.severity
		if q.cfg.Kind == schemas.Alertmanager {
			row := it.row
			q.open[it.id] = &row
		}
	}
	q.batches = slices.DeleteFunc(q.batches, func(b *batch) bool {
		return len(b.items) == 0 && now-b.sent > int64(q.cfg.GroupInterval)
	})
}

// forget removes what a message held, unless a newer revision waits.
func (q *queue) forget(m *message) {
	before := len(m.batch.items)
	m.batch.items = slices.DeleteFunc(m.batch.items, func(it item) bool {
		return slices.ContainsFunc(m.items, func(t item) bool { return t.id == it.id && t.row.Revision == it.row.Revision })
	})
	q.waiting -= before - len(m.batch.items)
}

// refused notes that a message will never be taken.
func (q *queue) refused(m *message, now int64) {
	q.forget(m)
	m.batch.sent = now
}

// miss notes that a message was not taken and begins a pause: twice as long as the
// one before, or as long as the receiver asks for. chance is from 0 to 1.
func (q *queue) miss(now, asked int64, chance float64) {
	pause := int64(longestPause)
	if q.failed < 9 {
		pause = min(pause, int64(firstPause)<<q.failed)
	}
	q.failed++
	q.until = now + max(int64((0.5+chance/2)*float64(pause)), min(asked, longestPause))
}

// cursor is the message up to which nothing waits.
func (q *queue) cursor() uint64 {
	at := q.seq
	for _, b := range q.batches {
		for i := range b.items {
			at = min(at, b.items[i].seq-1)
		}
	}
	return at
}

// begin takes what is open: a new receiver is told of it, and an Alertmanager is sent
// it again though it was told before.
func (q *queue) begin(rows []schemas.FindingRow, fresh bool, now int64) {
	for i := range rows {
		r := &rows[i]
		id, err := schemas.ParseRowID(r.ID)
		switch {
		case err != nil || !r.Open() || !q.wantsRow(r):
		case fresh:
			q.put(item{id: id, row: *r, severity: schemas.SeverityOf(r.Severity), seq: q.seq}, now)
		case q.cfg.Kind == schemas.Alertmanager:
			q.open[id] = r
		}
	}
}

func (q *queue) wantsRow(r *schemas.FindingRow) bool {
	return schemas.SeverityOf(r.Severity) >= leastOf(q.cfg.Severity) && anyGlob(q.cfg.Tenants, r.Tenant) &&
		(len(q.cfg.Kinds) == 0 || slices.Contains(q.cfg.Kinds, schemas.KindWord(r.Kind)))
}
