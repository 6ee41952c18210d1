package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/strays"
)

func TestMain(m *testing.M) { strays.Main(m) }

// BenchmarkHub is one edit that a thousand agents wait for, over a server.
func BenchmarkHub(b *testing.B) {
	r := newTier(b, "r", nil)
	r.put("default", `{"size":10}`)
	r.hub(HubConfig{Region: "r"})
	hash := ""
	for i := 0; b.Loop(); i++ {
		answers := make(chan told, 1000)
		for n := range 1000 {
			go func() {
				ctx, cancel := context.WithTimeout(b.Context(), askWithin)
				defer cancel()
				who := fmt.Sprint("a", n)
				data, err := r.server.Ask(ctx, schemas.Desired("r", who), asked(schemas.DesiredQuestion{Agent: who, Region: "r", Hash: hash}))
				if err != nil {
					b.Error(err)
				}
				answers <- read(b, data)
			}()
		}
		if i > 0 {
			r.status("status", "1000", func(st HubStatus) string { return fmt.Sprint(st.Waiting) })
			r.put("default", fmt.Sprintf(`{"size":%d}`, i))
		}
		for range 1000 {
			hash = (<-answers).Hash
		}
	}
}

// tier is a server with a bucket, as each tier has one.
type tier struct {
	t      testing.TB
	server *bus.Embedded
	bucket *bus.Bucket
}

// newTier starts the server of a tier. It takes links from below; above is the
// tier that it links to, or nil.
func newTier(t testing.TB, name string, above *tier) *tier {
	t.Helper()
	cfg := bus.Config{
		Dir: t.TempDir(), Prefix: "T_", Log: slog.New(slog.DiscardHandler), Name: name, Domain: name, Leaf: "127.0.0.1:0",
	}
	if above != nil {
		cfg.Upstream = &bus.Upstream{URL: "nats-leaf://" + above.server.LeafAddr()}
	}
	server, err := bus.Embed(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	b, err := server.Bucket(t.Context(), schemas.BucketPolicy, History)
	if err != nil {
		t.Fatal(err)
	}
	return &tier{t, server, b}
}

// put stores a document, or deletes it.
func (r *tier) put(key, document string) {
	r.t.Helper()
	var err error
	if document == "" {
		err = r.bucket.Delete(r.t.Context(), key, 0)
	} else {
		_, err = r.bucket.Put(r.t.Context(), key, []byte(document))
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// holds waits until the bucket holds what it should, as key{document} with spaces.
func (r *tier) holds(what string) {
	r.t.Helper()
	until(r.t, what, func() string {
		entries, err := r.bucket.Keys(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		var all []string
		for _, e := range entries {
			all = append(all, e.Key+string(e.Value))
		}
		return strings.Join(all, " ")
	})
}

// status waits until what a question to the policy services is answered with
// says what it should.
func (r *tier) status(what string, want string, say func(HubStatus) string) {
	r.t.Helper()
	until(r.t, want, func() string {
		data, err := r.server.Ask(r.t.Context(), schemas.Ask("policy", what), nil)
		var st HubStatus
		if err = errors.Join(err, json.Unmarshal(data, &st)); err != nil {
			return err.Error()
		}
		return say(st)
	})
}

func until(t testing.TB, want string, get func() string) {
	t.Helper()
	for end := time.After(time.Minute); ; {
		got := get()
		if got == want {
			return
		}
		select {
		case <-end:
			t.Fatalf("it stays %s, want %s", got, want)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// runs runs a service until stop, or the end of the test.
func runs(t testing.TB, s interface{ Run(context.Context) error }) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// hub runs a hub, which answers when this returns.
func (r *tier) hub(cfg HubConfig) (h *Hub, stop func()) {
	r.t.Helper()
	cfg.Language = numbers
	h, err := NewHub(cfg, r.server.Bus, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	stop = runs(r.t, h)
	r.status("status", "0", func(st HubStatus) string { return fmt.Sprint(st.Asked) })
	return h, stop
}

// TestThreeTiers edits the policy at a center, and looks at an agent below a
// region: what is good is there soon, what is not never is.
func TestThreeTiers(t *testing.T) {
	center := newTier(t, schemas.Center, nil)
	region := newTier(t, "r", center)
	agent := newTier(t, "a", region)
	center.hub(HubConfig{Region: schemas.Center})
	regional, _ := region.hub(HubConfig{Region: "r", Copy: true})
	region.cache("r", CacheConfig{Place: Place{Region: "r"}})
	agent.cache("a", CacheConfig{Agent: "a", Place: Place{"r", "g"}})
	inForce := agent.agentA()
	inForce(`{"size":1}`)

	center.put("default", `{"size":10}`)
	inForce(`{"size":10}`)
	center.put("region.r", `{"x":1}`)
	center.put("region.s", `{"x":9}`)
	center.put("group.g", `{"y":2}`)
	center.put("agent.b", `{"z":9}`)
	inForce(`{"size":10,"x":1,"y":2}`)
	region.holds(`agent.b{"z":9} default{"size":10} group.g{"y":2} region.r{"x":1}`)
	agent.holds(`default{"size":10} group.g{"y":2} region.r{"x":1}`)

	waiting := func(st HubStatus) string { return fmt.Sprint(st.Waiting) }
	center.status("status", "1", waiting)
	region.status("status", "1", waiting)
	began := time.Now()
	center.put("agent.a", `{"z":3}`)
	inForce(`{"size":10,"x":1,"y":2,"z":3}`)
	t.Logf("from the center to an agent two tiers below: %v", time.Since(began).Round(time.Millisecond))

	center.put("group.g", `{"size":0}`)
	center.status("status", "1 7", func(st HubStatus) string {
		return fmt.Sprint(st.Invalid, st.Refused["group.g"].Revision)
	})
	center.put("region.r", "")
	inForce(`{"size":10,"y":2,"z":3}`)
	region.status("status", "0", func(st HubStatus) string { return fmt.Sprint(st.Invalid) })
	if got := regional.RevisionFor("a"); got == 0 || got != regional.RevisionFor("a/0") {
		t.Errorf("the region tells agent a of revision %d", got)
	}
}

// cache runs a cache once the tier is linked.
func (r *tier) cache(name string, cfg CacheConfig) {
	r.t.Helper()
	until(r.t, "true", func() string { return fmt.Sprint(r.server.LinkUp()) })
	above, err := r.server.Sender(name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(above.Close)
	c, err := NewCache(cfg, r.server.Bus, above, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	runs(r.t, c)
}

// agentA runs the policy service of agent a. What it returns waits until a
// document is in force.
func (r *tier) agentA() (inForce func(document string)) {
	r.t.Helper()
	applied := make(chan []Change, 100)
	s, err := New(Config{Agents: []string{"a"}, Place: places, Language: numbers}, r.server.Bus,
		func(_ context.Context, changes []Change) error { applied <- changes; return nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	runs(r.t, s)
	return func(document string) {
		r.t.Helper()
		for end := time.After(time.Minute); ; {
			select {
			case c := <-applied:
				if string(c[0].Config.Document) == document {
					return
				}
			case <-end:
				r.t.Fatalf("%s is not in force", document)
			}
		}
	}
}

// TestHubRemembers: what was refused before a start is not handed on after it.
func TestHubRemembers(t *testing.T) {
	center := newTier(t, schemas.Center, nil)
	center.put("default", `{"size":10}`)
	center.put("default", `{"size":0}`)
	center.put("agent.a", `{"cap":5}`)
	center.put("group.g", `no JSON`)
	_, stop := center.hub(HubConfig{Region: schemas.Center})
	ask := func(hash string) told {
		t.Helper()
		data, err := center.server.Ask(t.Context(), schemas.Desired(schemas.Center, "r"), asked(schemas.DesiredQuestion{Region: "r", Hash: hash}))
		if err != nil {
			t.Fatal(err)
		}
		return read(t, data)
	}
	first := ask("")
	if len(first.Layers) != 2 || first.Layers["default"] != `{"size":10}` || revisionOf(first.Hash) != 3 {
		t.Errorf("told %+v", first)
	}
	center.status("status", "0 2 4", func(st HubStatus) string {
		return fmt.Sprint(st.Invalid, st.Refused["default"].Revision, st.Refused["group.g"].Revision)
	})
	center.put("default", `{"size":5}`) // the agent's layer does not go with it
	if second := ask(first.Hash); second.Layers["default"] != `{"size":5}` || second.Layers["agent.a"] != `{"cap":5}` {
		t.Errorf("told %+v", second)
	}
	center.status("status", "1 size: 5 is not positive or equals cap 5", func(st HubStatus) string {
		return fmt.Sprint(st.Invalid, " ", st.Behind["agent.a"])
	})
	stop()
	if _, err := center.server.Ask(t.Context(), schemas.Desired(schemas.Center, "r"), nil); !errors.Is(err, bus.ErrNone) {
		t.Errorf("a hub that ended answers: %v", err)
	}
}

// TestHubEndsWithAnswers: who waits when a hub ends hears of it, and asks another.
func TestHubEndsWithAnswers(t *testing.T) {
	region := newTier(t, "r", nil)
	region.put("default", `{"size":10}`)
	_, stop := region.hub(HubConfig{Region: "r"})
	subject := schemas.Desired("r", "a")
	data, err := region.server.Ask(t.Context(), subject, asked(schemas.DesiredQuestion{Agent: "a", Region: "r"}))
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan told, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), askWithin)
		defer cancel()
		data, _ := region.server.Ask(ctx, subject, asked(schemas.DesiredQuestion{Agent: "a", Region: "r", Hash: read(t, data).Hash}))
		got <- read(t, data)
	}()
	region.status("status", "1", func(st HubStatus) string { return fmt.Sprint(st.Waiting) })
	stop()
	if a := <-got; !a.Same {
		t.Errorf("told %+v", a)
	}
}

// TestHubTurnsAway: a question about somebody else is answered so.
func TestHubTurnsAway(t *testing.T) {
	region := newTier(t, "r", nil)
	region.hub(HubConfig{Region: "r"})
	for range 2 {
		data, err := region.server.Ask(t.Context(), schemas.Desired("r", "b"), asked(schemas.DesiredQuestion{Agent: "a", Region: "r"}))
		if err != nil || !strings.Contains(string(data), "about itself") {
			t.Errorf("told %s, %v", data, err)
		}
	}
	region.status("status", "2", func(st HubStatus) string { return fmt.Sprint(st.Turned) })
}

// TestHubKeepsTime: a question is answered when its time has come, and an edit is
// handed on when it has settled, without anything else that happens.
func TestHubKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := NewHub(HubConfig{Region: "r", Language: numbers}, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); h.attend(ctx) }()
		h.put(bus.Entry{Key: "default", Revision: 1, Value: []byte(`{"size":10}`)})
		h.ready()
		got := make(chan told, 9)
		ask := func(hash string) time.Time {
			h.question("a", asked(schemas.DesiredQuestion{Agent: "a", Region: "r", Hash: hash}), func(data []byte) { got <- read(t, data) })
			return time.Now()
		}
		ask("")
		first := <-got

		at := ask(first.Hash)
		if a := <-got; !a.Same || time.Since(at) < time.Duration(hold) || time.Since(at) > time.Duration(hold)+time.Second {
			t.Errorf("after %v: %+v", time.Since(at), a)
		}
		at = ask(first.Hash)
		h.put(bus.Entry{Key: "default", Revision: 2, Value: []byte(`{"size":20}`)})
		if a := <-got; a.Layers["default"] != `{"size":20}` || time.Since(at) > time.Duration(quiet)+time.Millisecond {
			t.Errorf("after %v: %+v", time.Since(at), a)
		}
		cancel()
		<-ended
	})
}

// TestHubSaysOnceWhoAsksNonsense: and again after a question that made sense.
func TestHubSaysOnceWhoAsksNonsense(t *testing.T) {
	var said strings.Builder
	h, err := NewHub(HubConfig{Region: "r", Language: numbers}, nil, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	good := asked(schemas.DesiredQuestion{Agent: "a", Region: "r"})
	for _, question := range [][]byte{[]byte("{"), []byte("["), good, []byte("{")} {
		h.question("a", question, func([]byte) {})
	}
	if n := strings.Count(said.String(), "policy question refused"); n != 2 || h.turned != 3 {
		t.Errorf("said %d times of %d: %s", n, h.turned, said.String())
	}
}

// TestTogether: all documents must fit into one answer, where they are written.
func TestTogether(t *testing.T) {
	large := layer{1, []byte(`{"x":1` + strings.Repeat(" ", maxTogether/2) + `}`)}
	for _, c := range []struct {
		copied  bool
		refused string // agent.b
	}{
		{false, "they may have"},
		{true, ""},
	} {
		h, err := NewHub(HubConfig{Region: "r", Language: numbers, Copy: c.copied}, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for key, refused := range map[string]string{"agent.a": "", "agent.b": c.refused} {
			_ = h.layers.put("agent.a", large)
			err := h.layers.put(key, large)
			if (err == nil) != (refused == "") || err != nil && !strings.Contains(err.Error(), refused) {
				t.Errorf("%+v: %s: %v, want %q", c, key, err, refused)
			}
		}
	}
}
