package forwarder

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/pack"
)

// outbox is a small model of the server that holds an outbox. Sequences are
// never given twice.
type outbox struct {
	mu       sync.Mutex
	last     uint64
	messages []bus.Message // in order
	changed  chan struct{} // closed and replaced at each change
	reads    int           // messages handed out
	purges   int
	slow     time.Duration // to read a message
	cap      int64         // bytes
	status   func(context.Context, []byte) (any, error)

	allowed func(bus.Message) string // why a message may not be purged; empty: it may
	wrong   string                   // the first purge that was not allowed
}

func newOutbox() *outbox { return &outbox{changed: make(chan struct{})} }

func (o *outbox) change(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *outbox) put(subject string, data []byte) (seq uint64) {
	o.change(func() {
		o.last++
		seq = o.last
		o.messages = append(o.messages, bus.Message{Subject: subject, Seq: seq, Data: data})
	})
	return seq
}

func (o *outbox) Usage(context.Context, string, string) (bus.Usage, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	u := bus.Usage{Messages: uint64(len(o.messages)), FirstSeq: o.last + 1, LastSeq: o.last, MaxBytes: o.cap}
	for _, m := range o.messages {
		u.FirstSeq = min(u.FirstSeq, m.Seq)
		u.Bytes += int64(len(m.Data))
	}
	return u, nil
}

func (o *outbox) Get(_ context.Context, _ string, seq uint64) (bus.Message, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.messages, func(m bus.Message) bool { return m.Seq == seq })
	if i < 0 {
		return bus.Message{}, bus.ErrNone
	}
	return o.messages[i], nil
}

// next is the first message from a sequence on, or nil and what tells of a change.
func (o *outbox) next(from uint64, subjects []string) (*bus.Message, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, m := range o.messages {
		if m.Seq >= from && (subjects == nil || slices.Contains(subjects, m.Subject)) {
			m.Data, m.Pending = bytes.Clone(m.Data), uint64(len(o.messages)-1-i)
			o.reads++
			return &m, nil
		}
	}
	return nil, o.changed
}

// Read takes its time in the bubble where the outbox is slow.
func (o *outbox) Read(ctx context.Context, _ string, from uint64, stopAtEnd bool, handle func(bus.Message) error, subjects ...string) error {
	o.mu.Lock()
	end := o.last
	o.mu.Unlock()
	for ctx.Err() == nil {
		m, changed := o.next(from, subjects)
		if stopAtEnd && (m == nil || m.Seq > end) {
			return nil
		}
		if m != nil {
			time.Sleep(o.slow)
			if err := handle(*m); err != nil {
				return err
			}
			from = m.Seq + 1
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil
}

func (o *outbox) Purge(_ context.Context, subject string, below uint64) error {
	o.remove(func(m bus.Message) bool {
		if m.Subject != subject || m.Seq >= below {
			return false
		}
		if why := o.allowed(m); why != "" && o.wrong == "" {
			o.wrong = why
		}
		return true
	})
	o.change(func() { o.purges++ })
	return nil
}

func (o *outbox) Store(_ context.Context, subject string, data []byte) (uint64, error) {
	return o.put(subject, bytes.Clone(data)), nil
}

func (o *outbox) Delete(_ context.Context, _ string, seq uint64) error {
	o.remove(func(m bus.Message) bool { return m.Seq == seq })
	return nil
}

func (o *outbox) remove(gone func(bus.Message) bool) {
	o.change(func() { o.messages = slices.DeleteFunc(o.messages, gone) })
}

func (o *outbox) Answer(_ context.Context, subject string, _ *slog.Logger, answer func(context.Context, []byte) (any, error)) (func(), error) {
	if !strings.HasPrefix(subject, schemas.AskLink("")) {
		return nil, fmt.Errorf("answers on %s", subject)
	}
	o.status = answer
	return func() {}, nil
}

// arrival is what has come to the tier above.
type arrival struct {
	at    time.Time
	lane  schemas.Lane
	bytes int
	c     *schemas.Commit
}

// grantedAt is a grant on its way down.
type grantedAt struct {
	at     time.Time
	before int // arrivals by then
}

// region is a model of the tier above and of the link to it.
type region struct {
	mu       sync.Mutex
	link     int  // tells one link from the next
	up       bool // else messages and questions are lost
	dark     bool // else nothing comes back, and nobody is told
	mute     bool // questions are not answered: the owner of the partition is away
	full     bool
	delay    time.Duration // each way
	lag      time.Duration // from stored to applied
	twice    bool          // everything is stored twice
	credit   int64
	known    []schemas.LinkEpoch
	frugal   bool      // credit is dealt once a second
	dealt    time.Time // when it was last
	within   time.Duration
	policy   uint64
	slots    [2]time.Time                    // of the newest message on its way up, and of the newest confirmation
	arrivals []arrival                       // in order
	applied  map[string]map[uint64]time.Time // by epoch and number: when, maybe later than now
	sent     []arrival                       // as the forwarder has sent them, whatever became of them
	grants   []grantedAt
	reports  []schemas.LinkReport
	wrong    string
}

var errLost = fmt.Errorf("%w: the link was lost", bus.ErrLost)

func newRegion() *region {
	return &region{up: true, delay: 5 * time.Millisecond, credit: 1 << 30, within: 2 * time.Second, applied: map[string]map[uint64]time.Time{}}
}

func (r *region) do(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *region) cut()  { r.do(func() { r.up, r.link = false, r.link+1 }) }
func (r *region) heal() { r.do(func() { r.up = true }) }

// slot is when the next message arrives in one direction: they stay in order.
func (r *region) slot(way int) time.Duration {
	at := time.Now().Add(r.delay)
	if !at.After(r.slots[way]) {
		at = r.slots[way].Add(1)
	}
	r.slots[way] = at
	return time.Until(at)
}

// Send flies through the time of the bubble.
func (r *region) Send(ctx context.Context, subject string, data []byte, done func(error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, err := opened(subject, data)
	if err != nil && r.wrong == "" {
		r.wrong = err.Error()
		return err
	}
	r.sent = append(r.sent, a)
	if !r.up {
		return errLost
	}
	link, wait := r.link, r.slot(0)
	if r.dark {
		time.AfterFunc(5*time.Second, func() { done(errLost) })
		return nil
	}
	go func() {
		time.Sleep(wait)
		back, err := r.arrive(link, a)
		time.Sleep(back)
		r.mu.Lock()
		if link != r.link {
			err = errLost // stored or not, nobody knows
		}
		r.mu.Unlock()
		done(err)
	}()
	return nil
}

// arrive stores a message, if the link it was sent over is still there.
func (r *region) arrive(link int, a arrival) (back time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case link != r.link:
		return 0, errLost
	case r.full:
		return r.slot(1), bus.ErrFull
	}
	a.at = time.Now()
	for range 1 + b2i(r.twice) {
		r.arrivals = append(r.arrivals, a)
		r.apply(a.c)
	}
	return r.slot(1), nil
}

func (r *region) apply(c *schemas.Commit) {
	e := c.Epoch.String()
	if r.applied[e] == nil {
		r.applied[e] = map[uint64]time.Time{}
	}
	if _, known := r.applied[e][c.N]; !known {
		r.applied[e][c.N] = time.Now().Add(r.lag)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// lose is a power cut above: what was stored and is not applied is gone.
func (r *region) lose() (n int) {
	r.do(func() {
		for _, numbers := range r.applied {
			for k, at := range numbers {
				if at.After(time.Now()) {
					delete(numbers, k)
					n++
				}
			}
		}
	})
	return n
}

// has reports whether an entry is applied by now.
func (r *region) has(c *schemas.Commit) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.applied[c.Epoch.String()][c.N]
	return ok && !at.After(time.Now())
}

// opened is a message as the tier above reads it.
func opened(subject string, data []byte) (a arrival, err error) {
	plain, err := new(pack.Unpacker).Unpack(nil, data, 8<<20)
	if err != nil {
		return a, err
	}
	var d schemas.CommitDecoder
	if a.c, err = d.Decode(plain, schemas.WithAll); err != nil {
		return a, err
	}
	tok := strings.Split(subject, ".")
	a.at, a.lane, a.bytes = time.Now(), schemas.Lane(tok[len(tok)-1]), len(data)
	partition := 0 // of the center
	if agent := agentOf(a.c.Producer); !strings.Contains(agent, "/") {
		partition = schemas.Partition(a.c.Producer)
	}
	if want := schemas.Inbox(tok[2], partition, a.c.Producer, a.lane); subject != want {
		return a, fmt.Errorf("entry of %s came on %s, not %s", a.c.Producer, subject, want)
	}
	if len(a.c.Early)+len(a.c.Local) > 0 {
		return a, fmt.Errorf("entry %d of %s came with its local part", a.c.N, a.c.Producer)
	}
	return a, nil
}

func (r *region) Ask(ctx context.Context, subject string, data []byte) ([]byte, error) {
	r.mu.Lock()
	link, up, dark, delay := r.link, r.up, r.dark || r.mute, r.delay
	r.mu.Unlock()
	if dark {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if !up {
		return nil, errLost
	}
	select {
	case <-time.After(max(2*delay, 1)):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if link != r.link {
		return nil, errLost
	}
	return r.answer(subject, data)
}

func (r *region) answer(subject string, data []byte) ([]byte, error) {
	var report schemas.LinkReport
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, err
	}
	if tok := strings.Split(subject, "."); len(tok) != 5 || tok[4] != strings.ReplaceAll(report.Producer, "/", ":") {
		r.wrong = fmt.Sprintf("report of %s on %s", report.Producer, subject)
	}
	r.reports = append(r.reports, report)
	r.grants = append(r.grants, grantedAt{time.Now(), len(r.sent)})
	g := schemas.LinkGrant{Epoch: report.Epoch, Credit: r.deal(report.Backfill), Within: int64(r.within), Policy: r.policy, Known: r.known}
	var numbers []uint64
	for n, at := range r.applied[report.Epoch] {
		if !at.After(time.Now()) {
			numbers = append(numbers, n)
		}
	}
	g.Applied = spansOf(numbers)
	return json.Marshal(g)
}

// deal is the credit of a report.
func (r *region) deal(backfill int64) int64 {
	if !r.frugal {
		return r.credit
	}
	if backfill == 0 || time.Since(r.dealt) < time.Second {
		return 0
	}
	r.dealt = time.Now()
	return r.credit
}

func spansOf(numbers []uint64) (out []schemas.Span) {
	slices.Sort(numbers)
	for _, n := range numbers {
		if k := len(out); k > 0 && out[k-1].To+1 == n {
			out[k-1].To = n
			continue
		}
		out = append(out, schemas.Span{From: n, To: n})
	}
	return out
}

// writer writes the commits of one producer and kind into an outbox.
type writer struct {
	out      *outbox
	subject  string
	producer string
	epoch    byte
	n        uint64
	enc      schemas.CommitEncoder
	all      []*schemas.Commit // everything ever written
}

// write writes a commit as a run of entries. What it holds is as large as padding.
func (w *writer) write(run, padding int) {
	first := w.n + 1
	for i := range run {
		w.n++
		c := &schemas.Commit{
			Producer: w.producer, Epoch: schemas.Epoch{w.epoch}, N: w.n, RunFirst: first, End: i == run-1, Time: int64(w.n) * second,
			Early: []schemas.Early{{Tenant: "t", Device: "d", Metric: "m", Count: 1}},
		}
		if c.End {
			c.Wall = time.Now().UnixNano()
		}
		if padding > 0 {
			c.Totals = []schemas.Total{{Tenant: noise(w.n, padding), N: w.n}}
		}
		w.all = append(w.all, c)
		w.out.put(w.subject, w.enc.Append(nil, c))
	}
}

// noise is text that does not pack well, a function of its seed.
func noise(seed uint64, n int) string {
	b := make([]byte, n)
	for i := range b {
		seed = seed*6364136223846793005 + 1442695040888963407
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[seed>>58]
	}
	return string(b)
}
