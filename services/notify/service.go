package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/crew"
)

// Config is fixed for the life of a Service.
type Config struct {
	Tier    schemas.Tier // whose findings are told
	Layers  []string     // keys of the documents whose policy holds, lowest first
	Secrets string       // folder of the files that policy names; empty: there is none
	Product string       // how it calls itself to receivers
}

// Service tells the receivers of one tier.
type Service struct {
	cfg   Config
	bus   *bus.Bus
	log   *slog.Logger
	began time.Time
	crew  crew.Crew[*teller]
}

// New makes the service; Run starts it.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Service, error) {
	switch cfg.Tier {
	case schemas.TierAgent, schemas.TierRegion, schemas.TierCenter:
	default:
		return nil, fmt.Errorf("receivers of the tier %q: use %s, %s or %s", cfg.Tier, schemas.TierAgent, schemas.TierRegion, schemas.TierCenter)
	}
	return &Service{
		cfg: cfg, bus: b, log: log.With("service", "notify", "tier", string(cfg.Tier)), began: time.Now(),
	}, nil
}

// Run follows policy until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	err := s.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Service) run(ctx context.Context) error {
	var cursors *bus.Bucket
	err := bus.Await(ctx, s.log, func() (err error) {
		cursors, err = s.bus.Bucket(ctx, schemas.BucketNotify, 1)
		return err
	})
	if err != nil {
		return err
	}
	stop, err := s.bus.Answer(ctx, schemas.AskNotify(s.cfg.Tier), s.log, s.status)
	if err != nil {
		return err
	}
	defer stop()
	defer s.crew.Close()
	return crew.Documents(ctx, s.bus, s.log, func(documents map[string][]byte) { s.apply(ctx, documents, cursors) })
}

// wanted are the receivers that the documents name for this tier.
func (s *Service) wanted(documents map[string][]byte) (map[string]schemas.Receiver, error) {
	var layers [][]byte
	for _, key := range s.cfg.Layers {
		layers = append(layers, documents[key])
	}
	whole, err := schemas.MergeLayers(layers...)
	if err != nil {
		return nil, err
	}
	p, err := schemas.ParsePolicy(whole)
	if err != nil {
		return nil, err
	}
	out := map[string]schemas.Receiver{}
	for _, r := range p.Alerts.Receivers {
		if schemas.Tier(r.At) == s.cfg.Tier {
			out[r.Name] = r
		}
	}
	return out, nil
}

// apply makes the receivers those of the documents. What is not valid changes nothing:
// the policy service says so.
func (s *Service) apply(ctx context.Context, documents map[string][]byte, cursors *bus.Bucket) {
	wanted, err := s.wanted(documents)
	if err != nil {
		return
	}
	for name, t := range s.crew.All() {
		if cfg, ok := wanted[name]; !ok || !reflect.DeepEqual(cfg, t.cfg) {
			s.crew.Halt(name)
		}
	}
	for name, cfg := range wanted {
		if s.crew.Has(name) {
			continue
		}
		if err := s.start(ctx, cfg, cursors); err != nil {
			s.log.Error("receiver is not told", "receiver", name, "err", err)
		}
	}
}

func (s *Service) start(ctx context.Context, cfg schemas.Receiver, cursors *bus.Bucket) error {
	c, err := newClient(cfg, s.cfg.Secrets, s.cfg.Product)
	if err != nil {
		return err
	}
	t := &teller{
		Service: s, cfg: cfg, client: c, cursors: cursors, key: string(s.cfg.Tier) + "." + cfg.Name,
		log: s.log.With("receiver", cfg.Name),
	}
	s.crew.Start(ctx, cfg.Name, t, t.run)
	s.log.Info("receiver is told", "receiver", cfg.Name, "kind", string(cfg.Kind))
	return nil
}

// status answers how the receivers are.
func (s *Service) status(context.Context, []byte) (any, error) {
	out := []schemas.ReceiverStatus{}
	for _, t := range s.crew.All() {
		out = append(out, t.report())
	}
	return out, nil
}

// stream is where the tier writes what it finds, and on which subjects.
func (s *Service) stream() (stream, subject string) {
	switch s.cfg.Tier {
	case schemas.TierAgent:
		return schemas.StreamAgentOutbox, schemas.AgentOutbox("*", schemas.KindFinding)
	case schemas.TierCenter:
		return schemas.StreamCenterOutbox, schemas.GatewayOutbox(schemas.Center, 0, schemas.KindCommit)
	}
	return schemas.StreamRegionOutbox, schemas.GatewayOutbox("*", schemas.Partition(schemas.Detector("")), schemas.KindCommit)
}

// teller tells one receiver.
type teller struct {
	*Service
	cfg     schemas.Receiver
	client  *client
	cursors *bus.Bucket
	key     string // of its cursor
	log     *slog.Logger
	saved   uint64    // cursor in the bucket
	savedAt time.Time // when it was written

	mu sync.Mutex
	is schemas.ReceiverStatus
}

func (t *teller) report() schemas.ReceiverStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.is
	r.Name, r.Kind, r.Tier = t.cfg.Name, string(t.cfg.Kind), t.Service.cfg.Tier
	return r
}

func (t *teller) note(f func(*schemas.ReceiverStatus)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.is)
}

// retryEvery is the wait after the bus has failed.
const retryEvery = time.Second

// run tells until ctx ends. What fails on this side begins anew from the cursor.
func (t *teller) run(ctx context.Context) {
	for {
		err := t.tell(ctx)
		if err != nil && ctx.Err() == nil && !errors.Is(err, bus.ErrNone) { // nobody answers while the tier starts
			t.log.Warn("receiver is not told for now", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryEvery):
		}
	}
}

// arrival is what a message of the stream holds for receivers.
type arrival struct {
	seq   uint64
	found []schemas.Finding
}

func (t *teller) tell(ctx context.Context) error {
	q, err := t.begin(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	arrivals, failed := make(chan arrival), make(chan error, 1)
	from := q.seq + 1
	go func() { failed <- t.read(ctx, from, arrivals) }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		in := arrivals
		if !q.room() {
			in = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case a := <-in:
			q.take(a.seq, a.found, t.now())
		case <-timer.C:
		}
		next, told := t.send(ctx, q)
		if told || time.Since(t.savedAt) > saveEvery {
			t.save(ctx, q.cursor())
		}
		t.note(func(s *schemas.ReceiverStatus) { s.Waiting = q.waiting })
		timer.Reset(max(time.Duration(next-t.now()), time.Millisecond))
	}
}

// now is a time that never goes back, ns.
func (t *teller) now() int64 { return int64(time.Since(t.began)) }

// begin makes the queue as the cursor says. A receiver without one is told of what is
// open now.
func (t *teller) begin(ctx context.Context) (*queue, error) {
	stream, _ := t.stream()
	u, err := t.bus.Usage(ctx, stream, "")
	if err != nil {
		return nil, err
	}
	seq, known, err := t.load(ctx)
	if err != nil {
		return nil, err
	}
	fresh := !known || seq > u.LastSeq // a new one, or of another data folder
	if fresh {
		seq = u.LastSeq
	}
	if seq+1 < u.FirstSeq {
		t.log.Warn("the outbox does not reach back to what the receiver was told last", "missed_entries", u.FirstSeq-seq-1)
		t.note(func(s *schemas.ReceiverStatus) { s.Missed += u.FirstSeq - seq - 1 })
		seq = u.FirstSeq - 1
	}
	q := newQueue(t.cfg, seq)
	rows, err := t.openNow(ctx)
	if err != nil {
		return nil, err
	}
	q.begin(rows, fresh, t.now())
	return q, nil
}

// openNow is what the tier says is open.
func (t *teller) openNow(ctx context.Context) (rows []schemas.FindingRow, err error) {
	data, err := t.bus.Ask(ctx, schemas.AskFindings(t.Service.cfg.Tier), nil)
	if err != nil {
		return nil, err
	}
	var reports []schemas.FindingReport
	if err := json.Unmarshal(data, &reports); err != nil {
		return nil, err
	}
	for i := range reports {
		for _, r := range reports[i].Findings {
			if r.Open() {
				rows = append(rows, r)
			}
		}
	}
	return rows, nil
}

// read hands on what the stream holds from a sequence on.
func (t *teller) read(ctx context.Context, from uint64, to chan<- arrival) error {
	stream, subject := t.stream()
	var dec schemas.CommitDecoder
	return t.bus.Read(ctx, stream, from, false, func(m bus.Message) error {
		c, err := dec.Decode(m.Data, schemas.WithFindings)
		if err != nil {
			t.log.Error("an entry cannot be read", "seq", m.Seq, "err", err)
			c = &schemas.Commit{}
		}
		if len(c.Findings) == 0 && m.Pending > 0 {
			return nil
		}
		select {
		case to <- arrival{m.Seq, c.Findings}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, subject)
}

// saveEvery is how often a cursor is written while there is nothing to tell.
const saveEvery = 10 * time.Second

// send sends what is due. It returns when to come again, and whether something was told.
func (t *teller) send(ctx context.Context, q *queue) (next int64, told bool) {
	m, next := q.due(t.now())
	if m == nil {
		return next, false
	}
	a := t.client.send(ctx, m)
	switch {
	case a.err == nil:
		q.done(m, t.now())
		t.note(func(s *schemas.ReceiverStatus) {
			s.Sent++
			s.Told += uint64(len(m.items))
			s.Error, s.Failing = "", 0
		})
	case ctx.Err() != nil:
	case a.final:
		q.refused(m, t.now())
		t.log.Error("receiver refuses findings; they are not sent again", "findings", len(m.items), "err", a.err)
		t.note(func(s *schemas.ReceiverStatus) {
			s.Refused += uint64(len(m.items))
			s.Error = a.err.Error()
		})
	default:
		q.miss(t.now(), int64(a.asked), rand.Float64())
		t.note(func(s *schemas.ReceiverStatus) {
			s.Failed++
			s.Failing++
			s.Error = a.err.Error()
		})
		if q.failed == 1 {
			t.log.Warn("receiver does not take findings; trying again", "err", a.err)
		}
	}
	return t.now(), a.err == nil || a.final
}

// cursor is the record of a receiver in the bucket NOTIFY.
type cursor struct {
	Seq uint64 `json:"seq"` // of the tier's outbox: up to it everything is told
}

func (t *teller) load(ctx context.Context) (seq uint64, known bool, err error) {
	e, err := t.cursors.Get(ctx, t.key)
	if errors.Is(err, bus.ErrNone) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	var c cursor
	if err := json.Unmarshal(e.Value, &c); err != nil {
		return 0, false, fmt.Errorf("cursor of receiver %s: %w", t.cfg.Name, err)
	}
	t.saved = c.Seq
	return c.Seq, true, nil
}

// save writes the cursor where it has moved. One that is not written means that
// something is told twice.
func (t *teller) save(ctx context.Context, seq uint64) {
	if seq == t.saved || ctx.Err() != nil {
		return
	}
	b, err := json.Marshal(cursor{seq})
	if err == nil {
		_, err = t.cursors.Put(ctx, t.key, b)
	}
	if err != nil {
		t.log.Warn("it is not noted what the receiver was told", "err", err)
		return
	}
	t.saved, t.savedAt = seq, time.Now()
}
