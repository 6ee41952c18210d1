package policy

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// HubConfig is fixed for the life of a Hub.
type HubConfig struct {
	Region   string // that it speaks for; schemas.Center for the center
	Language Language
	// Copy is whether the bucket is a copy that a Cache keeps: then documents were
	// checked against each other where they were written.
	Copy bool
	// Speaks reports whether this Hub is the one of several on the same bucket whose
	// answers are sent; the others hold the same questions and are silent, so that
	// one of them can go on at any moment. nil: there are no others.
	Speaks func() bool
}

// Hub checks the documents of a bucket and hands those that are good on to the
// tier below.
type Hub struct {
	cfg HubConfig
	bus *bus.Bus
	log *slog.Logger

	began time.Time     // of the desk's clock, which no step of the wall clock moves
	wake  chan struct{} // the desk has something to do sooner than at due

	mu      sync.Mutex // guards what is below
	layers  *layers
	desk    *desk
	due     int64 // when attend looks at the desk again; 0: when it is woken
	live    bool  // what comes is news
	invalid uint64
	asked   uint64
	turned  uint64          // questions that made no sense
	unheard map[string]bool // whose last question made none
}

// HubStatus answers schemas.Ask("policy", "status") where a Hub runs, as JSON.
type HubStatus struct {
	Status
	Revision uint64 `json:"revision"`          // newest that is handed on
	Waiting  int    `json:"waiting"`           // questions that wait for news
	Asked    uint64 `json:"questions"`         // since the start
	Turned   uint64 `json:"questions_refused"` // of these, that made no sense
}

// NewHub makes a hub that does nothing until Run.
func NewHub(cfg HubConfig, b *bus.Bus, log *slog.Logger) (*Hub, error) {
	err := cfg.Language.check()
	if err == nil {
		err = schemas.CheckName("region", cfg.Region)
	}
	var all *layers
	if err == nil {
		all, err = newLayers(cfg.Language)
	}
	if err != nil {
		return nil, fmt.Errorf("configure policy hub: %w", err)
	}
	if !cfg.Copy {
		all.fit = all.together
	}
	return &Hub{
		cfg: cfg, bus: b, log: log.With("service", "policy"), began: time.Now(), wake: make(chan struct{}, 1),
		layers: all, desk: newDesk(cfg.Region), unheard: map[string]bool{},
	}, nil
}

// RevisionFor is the revision of the newest layer that concerns a producer of
// the tier below, of those that are handed on. It is safe for concurrent use.
func (h *Hub) RevisionFor(producer string) uint64 {
	name, _ := schemas.SplitProducer(producer)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.desk.revision(name)
}

// pendingQuestions is how many bytes of questions may wait to be read.
const pendingQuestions = 4 << 20

// Run checks and hands on what the bucket holds until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	var documents *bus.Bucket
	err := bus.Await(ctx, h.log, func() (err error) {
		documents, err = h.bus.Bucket(ctx, schemas.BucketPolicy, History)
		return err
	})
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	hang, err := h.bus.Subscribe(schemas.DesiredAll(h.cfg.Region), pendingQuestions, h.ask)
	if err != nil {
		return err
	}
	defer h.serve(func(d *desk, _ int64) []delivery { return d.close() })
	defer hang()
	stop, err := h.bus.Answer(ctx, schemas.Ask("policy", "status"), h.log, h.status)
	if err != nil {
		return err
	}
	defer stop()
	watching, cancel := context.WithCancel(ctx)
	attended := make(chan struct{})
	go func() { defer close(attended); h.attend(watching) }()
	err = documents.Watch(watching, h.ready, h.put)
	cancel()
	<-attended
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// attend answers questions that wait until ctx ends.
func (h *Hub) attend(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-timer.C:
		}
		h.serve(func(d *desk, now int64) []delivery {
			h.due = 0
			return d.tick(now, h.layers.good)
		})
		if wait := h.rest(); wait > 0 {
			timer.Reset(wait)
		}
	}
}

// now is the time of the desk, ns, > 0.
func (h *Hub) now() int64 { return int64(time.Since(h.began)) + 1 }

// rest is how long the desk has nothing to do; 0: until something happens.
func (h *Hub) rest() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.due == 0 {
		return 0
	}
	return time.Duration(max(h.due-h.now(), 1))
}

// serve lets the desk work and sends what it answers. It reports whether there is
// something to do sooner than attend thinks.
func (h *Hub) serve(work func(d *desk, now int64) []delivery) (sooner bool) {
	h.mu.Lock()
	now := h.now()
	out := work(h.desk, now)
	at := h.desk.next(now)
	if sooner = at > 0 && (h.due == 0 || at < h.due); sooner {
		h.due = at
	}
	h.mu.Unlock()
	for _, o := range out {
		o.reply(o.data)
	}
	return sooner
}

// attention makes attend look at the desk.
func (h *Hub) attention() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// ask takes a question off the bus.
func (h *Hub) ask(r bus.Request) {
	who := r.Subject[strings.LastIndexByte(r.Subject, '.')+1:]
	h.question(who, r.Data, func(data []byte) {
		if h.cfg.Speaks != nil && !h.cfg.Speaks() {
			return
		}
		if err := r.Reply(data); err != nil {
			h.log.Warn("policy question not answered", "who", who, "err", err)
		}
	})
}

func (h *Hub) question(who string, question []byte, answer reply) {
	sooner := h.serve(func(d *desk, now int64) []delivery {
		h.asked++
		out, err := d.ask(now, who, question, answer)
		h.turnedAway(who, err)
		return out
	})
	if sooner {
		h.attention()
	}
}

// maxUnheard bounds the names of whom it is remembered that they were turned away.
const maxUnheard = 1 << 12

// turnedAway counts a question that made no sense, and says so once per name.
func (h *Hub) turnedAway(who string, err error) {
	if err == nil {
		delete(h.unheard, who)
		return
	}
	h.turned++
	if !h.unheard[who] && len(h.unheard) < maxUnheard {
		h.unheard[who] = true
		h.log.Warn("policy question refused", "who", who, "err", err)
	}
}

// put takes the next revision of a key.
func (h *Hub) put(e bus.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.layers.put(e.Key, layer{e.Revision, e.Value})
	if err == nil && h.live {
		h.desk.note(h.now())
		h.attention()
		if e.Key == DefaultKey {
			err = few(h.layers.broken())
		}
	}
	if err != nil {
		h.refuse(err)
	}
}

func (h *Hub) refuse(err error) {
	if h.live {
		h.invalid++
	}
	logRefusal(h.log, err, h.live)
}

// ready hands on what the bucket held at the start.
func (h *Hub) ready() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live = true
	h.desk.publish(h.layers.good)
	h.attention()
}

func (h *Hub) status(context.Context, []byte) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	st := &HubStatus{Status: *h.layers.status(h.invalid), Waiting: len(h.desk.waiting), Asked: h.asked, Turned: h.turned}
	for key := range h.layers.stems {
		if err := h.layers.stem(key).err; err != nil {
			st.Behind[key] = err.Error()
		}
	}
	if h.desk.out != nil {
		st.Revision = h.desk.out.newest
	}
	return st, nil
}
