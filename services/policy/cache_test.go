package policy

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// Keys, Update and Delete make a store the bucket of a cache.

func (s *store) Keys(context.Context) ([]bus.Entry, error) { return s.list(), nil }

func (s *store) Update(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if s.entries[key].Revision != revision {
		return 0, bus.ErrWrongLast
	}
	return s.put(key, string(value)), nil
}

func (s *store) Delete(_ context.Context, key string, revision uint64) error {
	if s.entries[key].Revision != revision {
		return bus.ErrWrongLast
	}
	delete(s.entries, key)
	return nil
}

// heaven is a tier above with one desk, in fake time.
type heaven struct {
	mu     sync.Mutex
	desk   *desk
	layers map[string]layer
	down   bool
	asked  int
}

func newHeaven(layers map[string]layer) *heaven {
	h := &heaven{desk: newDesk("r"), layers: layers}
	h.desk.publish(layers)
	return h
}

// change does something between two questions.
func (h *heaven) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// put edits a layer; it is handed on when it has settled.
func (h *heaven) put(key string, revision uint64, document string) {
	h.change(func() {
		h.layers[key] = layer{revision, []byte(document)}
		h.desk.note(time.Now().UnixNano())
	})
}

// Ask answers as a Hub does.
func (h *heaven) Ask(ctx context.Context, subject string, question []byte) ([]byte, error) {
	var answer []byte
	var out []delivery
	h.change(func() {
		h.asked++
		who := subject[strings.LastIndex(subject, ".")+1:]
		out, _ = h.desk.ask(time.Now().UnixNano(), who, question, func(data []byte) { answer = data })
	})
	for {
		down := false
		h.change(func() {
			out = append(out, h.desk.tick(time.Now().UnixNano(), h.layers)...)
			down = h.down
		})
		for _, o := range out {
			o.reply(o.data)
		}
		out = nil
		switch {
		case down:
			return nil, bus.ErrNone
		case answer != nil:
			return answer, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// keeping runs a cache of agent a in fake time, and ends it.
func keeping(t *testing.T, h *heaven, s *store, test func(t *testing.T, c *Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, err := NewCache(CacheConfig{Agent: "a", Place: Place{"r", "g"}}, nil, h, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		c.bucket = s
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.keep(ctx) }()
		synctest.Wait()
		test(t, c)
		cancel()
		<-done
	})
}

// after, in a bubble, lets d pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *store) holds(t *testing.T, text string) {
	t.Helper()
	if got := s.text(); got != text {
		t.Errorf("it holds %s, want %s", got, text)
	}
}

func TestCacheHearsOfAnEditAtOnce(t *testing.T) {
	h, s := newHeaven(some()), newStore(nil)
	keeping(t, h, s, func(t *testing.T, c *Cache) {
		s.holds(t, `agent.a{"x":"<&>"} default{"x":1} group.g{"x":4} region.r{"x":2}`)
		if st := c.Status(); st.Revision != 6 || st.Layers != 4 || st.Answered == 0 || st.Problem != "" || st.Above != "r" {
			t.Errorf("status %+v", st)
		}
		after(time.Minute)
		if n := h.asked; n < 3 || n > 6 {
			t.Errorf("%d questions in a quiet minute", n)
		}
		h.put("default", 9, `{"x":7}`)
		after(time.Second)
		s.holds(t, `agent.a{"x":"<&>"} default{"x":7} group.g{"x":4} region.r{"x":2}`)
	})
}

func TestCacheStaysAsItIsWithoutALink(t *testing.T) {
	h, s := newHeaven(some()), newStore(map[string]string{"default": `{"x":0}`})
	h.down = true
	keeping(t, h, s, func(t *testing.T, c *Cache) {
		after(time.Minute)
		s.holds(t, `default{"x":0}`)
		if n := h.asked; n < 10 || n > 16 {
			t.Errorf("%d questions in a minute without a link", n)
		}
		if st := c.Status(); st.Problem == "" || st.Answered != 0 {
			t.Errorf("status %+v", st)
		}
		h.change(func() { h.down = false })
		after(6 * time.Second)
		s.holds(t, `agent.a{"x":"<&>"} default{"x":1} group.g{"x":4} region.r{"x":2}`)
		h.change(func() { h.down = true })
		after(time.Hour)
		h.change(func() { s.put("default", `{"x":8}`) }) // who is on the spot may help himself
		after(time.Hour)
		s.holds(t, `agent.a{"x":"<&>"} default{"x":8} group.g{"x":4} region.r{"x":2}`)
		h.change(func() { h.down = false })
		after(6*time.Second + time.Duration(hold))
		s.holds(t, `agent.a{"x":"<&>"} default{"x":1} group.g{"x":4} region.r{"x":2}`)
		if st := c.Status(); st.Overwritten != 1 || st.Problem != "" {
			t.Errorf("status %+v", st)
		}
	})
}

// TestNudge: a hub that does not answer, as one that was replaced, is asked
// again when the link tells of news.
func TestNudge(t *testing.T) {
	h, s := newHeaven(some()), newStore(nil)
	keeping(t, h, s, func(t *testing.T, c *Cache) {
		after(2 * time.Second) // it waits for news now
		n := h.asked
		c.Nudge(6) // known
		after(0)
		if h.asked != n {
			t.Error("it asks again for what it knows")
		}
		c.Nudge(9)
		after(0)
		if h.asked != n+1 {
			t.Errorf("%d questions after news, want 1", h.asked-n)
		}
		c.Nudge(9)
		after(0)
		if h.asked != n+1 {
			t.Error("the same news makes it ask again")
		}
	})
}

// TestFastAnswersAreNotAskedForTooOften: from whoever answers at once.
func TestFastAnswersAreNotAskedForTooOften(t *testing.T) {
	for name, answer := range map[string]func(q schemas.DesiredQuestion, n int) string{
		"nonsense": func(schemas.DesiredQuestion, int) string { return "{" },
		"the same": func(q schemas.DesiredQuestion, _ int) string {
			if q.Hash == "" {
				return `{"hash":"1-a","layers":{}}`
			}
			return `{"hash":"1-a","same":true}`
		},
		"this and that": func(_ schemas.DesiredQuestion, n int) string {
			return []string{`{"hash":"1-a","layers":{}}`, `{"hash":"2-b","layers":{"default":"{}"}}`}[n%2]
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				c, err := NewCache(CacheConfig{Place: Place{Region: "r"}}, nil, askFunc(func(question []byte) []byte {
					var q schemas.DesiredQuestion
					if err := json.Unmarshal(question, &q); err != nil || q.Region != "r" || q.Agent != "" {
						t.Errorf("it asks %s", question)
					}
					n++
					return []byte(answer(q, n))
				}), slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				c.bucket = newStore(nil)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				c.keep(ctx)
				if n < 10 || n > 150 {
					t.Errorf("%d questions in a minute", n)
				}
			})
		})
	}
}

type askFunc func(question []byte) []byte

func (f askFunc) Ask(_ context.Context, _ string, question []byte) ([]byte, error) {
	return f(question), nil
}

// TestEditsThatFailAreTriedAgain: somebody else may write at the same time, and
// disks are full at times.
func TestEditsThatFailAreTriedAgain(t *testing.T) {
	h, s := newHeaven(some()), newStore(nil)
	bad := &failing{store: s, left: 2}
	synctest.Test(t, func(t *testing.T) {
		c, err := NewCache(CacheConfig{Agent: "a", Place: Place{"r", "g"}}, nil, h, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		c.bucket = bad
		ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second)
		defer cancel()
		c.keep(ctx)
		s.holds(t, `agent.a{"x":"<&>"} default{"x":1} group.g{"x":4} region.r{"x":2}`)
		if st := c.Status(); st.Problem != "" || st.Overwritten != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

// failing is a store whose second write fails a few times.
type failing struct {
	*store
	left int
}

func (f *failing) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if key != DefaultKey && f.left > 0 {
		f.left--
		return 0, bus.ErrFull
	}
	return f.store.Update(ctx, key, value, revision)
}

func TestCacheConfig(t *testing.T) {
	for _, c := range []struct {
		cfg     CacheConfig
		subject string // "": refused
	}{
		{CacheConfig{Agent: "a", Place: Place{"r", "g"}}, "weir.desired.r.a"},
		{CacheConfig{Agent: "a", Place: Place{"r", ""}}, "weir.desired.r.a"},
		{CacheConfig{Place: Place{"r", ""}}, "weir.desired.center.r"},
		{CacheConfig{Agent: "a"}, ""},
		{CacheConfig{Agent: "a.b", Place: Place{"r", ""}}, ""},
		{CacheConfig{Agent: "a", Place: Place{"r", "g h"}}, ""},
		{CacheConfig{Place: Place{"center", ""}}, ""},
	} {
		cache, err := NewCache(c.cfg, nil, nil, slog.New(slog.DiscardHandler))
		if (err == nil) != (c.subject != "") || err == nil && cache.subject != c.subject {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.subject)
		}
	}
}
