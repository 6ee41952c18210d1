package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// How often a Cache asks.
const (
	askEvery  = 5 * time.Second                           // where answers come at once, and none at all
	afterNews = 500 * time.Millisecond                    // the least time between two questions
	askWithin = time.Duration(hold+doubt) + 5*time.Second // a hub holds a question until there is news
)

// Above is the way to the tier above.
type Above interface {
	Ask(ctx context.Context, subject string, question []byte) ([]byte, error)
}

// bucket is what a Cache needs of the one it keeps.
type bucket interface {
	Keys(ctx context.Context) ([]bus.Entry, error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Delete(ctx context.Context, key string, revision uint64) error
}

// CacheConfig is fixed for the life of a Cache.
type CacheConfig struct {
	Agent string // whose layers it keeps; empty: those that a region hands on
	Place        // of the agent; Region is needed, also without an agent
}

// Cache keeps the bucket of this process as the tier above wants it.
type Cache struct {
	subject string
	bus     *bus.Bus
	above   Above
	log     *slog.Logger

	wake   chan struct{} // the tier above has news
	first  chan struct{} // closed once the bucket is as it is wanted
	once   sync.Once
	nudged atomic.Uint64 // revision of which it was last told
	status atomic.Pointer[CacheStatus]

	// Of Run's goroutine:
	mirror      mirror
	bucket      bucket // nil: not opened yet
	refused     uint64
	overwritten uint64
}

// CacheStatus is what a Cache knows of the tier above. It answers
// schemas.Ask("policy", "cache"), as JSON.
type CacheStatus struct {
	Above       string `json:"above"`             // region asked; schemas.Center is the center
	Answered    int64  `json:"answered"`          // when the last usable answer came, Unix ns; 0: none since the start
	Revision    uint64 `json:"revision"`          // there, of the newest layer that concerns this process
	Layers      int    `json:"layers"`            // that it wants here
	Refused     uint64 `json:"refused"`           // layers in answers that were not usable, since the start
	Overwritten uint64 `json:"overwritten"`       // edits made here that the answers overruled, since the start
	Problem     string `json:"problem,omitempty"` // why the last question had no success
}

// NewCache makes a cache that does nothing until Run.
func NewCache(cfg CacheConfig, b *bus.Bus, above Above, log *slog.Logger) (*Cache, error) {
	err := schemas.CheckRegion(cfg.Region)
	if err == nil {
		err = cfg.Place.check()
	}
	region, who := schemas.Center, cfg.Region
	if err == nil && cfg.Agent != "" {
		region, who, err = cfg.Region, cfg.Agent, schemas.CheckName("agent", cfg.Agent)
	}
	if err != nil {
		return nil, fmt.Errorf("configure policy cache: %w", err)
	}
	c := &Cache{
		subject: schemas.Desired(region, who), bus: b, above: above, log: log.With("service", "policy cache", "above", region),
		wake: make(chan struct{}, 1), first: make(chan struct{}),
		mirror: mirror{who: schemas.DesiredQuestion{Agent: cfg.Agent, Region: cfg.Region, Group: cfg.Group}},
	}
	c.status.Store(&CacheStatus{Above: region})
	return c, nil
}

// First is closed when the bucket is as the tier above wants it for the first
// time since the start.
func (c *Cache) First() <-chan struct{} { return c.first }

// Status is what is known now. It is safe for concurrent use.
func (c *Cache) Status() CacheStatus { return *c.status.Load() }

// Nudge tells the cache the revision of schemas.LinkGrant.Policy. If that is news,
// the cache asks at once. It never blocks and is safe for concurrent use.
func (c *Cache) Nudge(revision uint64) {
	if c.nudged.Swap(revision) == revision || revision == c.status.Load().Revision {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run asks and edits until ctx ends.
func (c *Cache) Run(ctx context.Context) error {
	stop, err := c.bus.Answer(ctx, schemas.Ask("policy", "cache"), c.log, func(context.Context, []byte) (any, error) {
		return c.Status(), nil
	})
	if err != nil {
		return err
	}
	defer stop()
	c.keep(ctx)
	return nil
}

// keep asks and edits. It never gives up: what it cannot do it tries again.
func (c *Cache) keep(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		news, err := c.round(ctx)
		if ctx.Err() != nil {
			break
		}
		c.tell(err)
		pause := jittered(askEvery) - time.Since(began)
		switch {
		case err != nil:
			pause = jittered(askEvery)
		case news:
			pause = jittered(afterNews)
		}
		c.rest(ctx, pause)
	}
}

// jittered is between four fifths and six fifths of d.
func jittered(d time.Duration) time.Duration { return d*4/5 + rand.N(d*2/5) }

// rest waits for d, or until it is woken.
func (c *Cache) rest(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-c.wake:
	case <-timer.C:
	}
}

// errWoken ends a question because another one is due.
var errWoken = errors.New("there is news above")

// round asks once and makes the bucket what the answer says.
func (c *Cache) round(ctx context.Context) (news bool, err error) {
	data, err := c.ask(ctx)
	for errors.Is(err, errWoken) {
		data, err = c.ask(ctx)
	}
	if err != nil {
		return false, err
	}
	news, refused, err := c.mirror.take(data)
	if err != nil {
		return false, err
	}
	for _, why := range refused {
		c.refused++
		c.log.Error("policy layer from above refused, what is here stays", "err", why)
	}
	if err = c.edit(ctx); err != nil {
		c.mirror.forget()
		return news, err
	}
	c.once.Do(func() { close(c.first) })
	return news, nil
}

// ask asks until there is an answer or it is woken.
func (c *Cache) ask(ctx context.Context) ([]byte, error) {
	question, err := json.Marshal(c.mirror.question())
	if err != nil {
		return nil, fmt.Errorf("encode policy question: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	watched, woken := make(chan struct{}), false
	go func() {
		defer close(watched)
		select {
		case <-c.wake:
			woken = true
			cancel()
		case <-ctx.Done():
		}
	}()
	data, err := c.above.Ask(ctx, c.subject, question)
	cancel()
	<-watched
	if err != nil && woken {
		return nil, errWoken
	}
	return data, err
}

// edit makes the bucket what is wanted.
func (c *Cache) edit(ctx context.Context) error {
	if c.bucket == nil {
		b, err := c.bus.Bucket(ctx, schemas.BucketPolicy, History)
		if err != nil {
			return err
		}
		c.bucket = b
	}
	entries, err := c.bucket.Keys(ctx)
	if err != nil {
		return err
	}
	for _, e := range c.mirror.edits(entries) {
		var revision uint64
		if e.document == nil {
			err = c.bucket.Delete(ctx, e.key, e.revision)
		} else {
			revision, err = c.bucket.Update(ctx, e.key, e.document, e.revision)
		}
		if err != nil {
			return err
		}
		c.mirror.done(e.key, revision)
		c.report(e, revision)
	}
	return nil
}

func (c *Cache) report(e edit, revision uint64) {
	done := "stored"
	if e.document == nil {
		done = "deleted"
	}
	if !e.local {
		c.log.Info("policy layer from above "+done, "key", e.key, "revision", revision)
		return
	}
	c.overwritten++
	c.log.Warn("policy is set at the tier above: an edit made here is overruled, the layer "+done+" as it is there",
		"key", e.key, "edited", e.revision, "revision", revision)
}

// tell publishes the status, and says aloud when the tier above comes or goes.
func (c *Cache) tell(err error) {
	before := c.status.Load()
	now := &CacheStatus{
		Above: before.Above, Answered: before.Answered, Revision: revisionOf(c.mirror.token), Layers: len(c.mirror.wanted),
		Refused: c.refused, Overwritten: c.overwritten,
	}
	if err != nil {
		now.Problem = err.Error()
	} else {
		now.Answered = time.Now().UnixNano()
	}
	c.status.Store(now)
	switch {
	case err != nil && before.Problem == "":
		c.log.Warn("policy of the tier above not known, what is here stays", "err", err)
	case err == nil && (before.Problem != "" || before.Answered == 0):
		c.log.Info("policy is that of the tier above", "layers", now.Layers, "revision", now.Revision)
	}
}
