package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/strays"
)

// A server of a cluster that ends while it makes a replica leaves the replica's store behind, and with it the clock of all stores.
func TestMain(m *testing.M) {
	strays.Main(m, "github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop", "github.com/nats-io/nats-server/v2/server/ats.Register.func1")
}

var quietLog = slog.New(slog.DiscardHandler)

var testStreams = []schemas.Stream{
	{Name: "S", Subjects: []string{"s.*"}, MaxBytes: 64 << 20},
	{Name: "TINY", Subjects: []string{"tiny.>"}, MaxBytes: 2048},
	{Name: "RING", Subjects: []string{"ring"}, MaxBytes: 2048, Discard: schemas.DiscardOld},
}

// embed starts a server in dir that ends with the test.
func embed(t testing.TB, cfg Config) *Embedded {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	cfg.Prefix, cfg.OperatorPassword, cfg.Log = "T_", "secret", quietLog
	e, err := Embed(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	if err := e.Ensure(t.Context(), testStreams); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAppend(t *testing.T) {
	e := embed(t, Config{})
	f := func(subject string, size int, after, want uint64, class error) {
		t.Helper()
		seq, err := e.Append(t.Context(), subject, make([]byte, size), after)
		if seq != want || !errors.Is(err, class) || (err == nil) != (class == nil) {
			t.Errorf("append to %s after %d: %d, %v; want %d, %v", subject, after, seq, err, want, class)
		}
	}
	f("s.a", 1, 7, 0, ErrWrongLast) // there is none
	f("s.a", 1, 0, 1, nil)
	f("s.a", 1, 0, 0, ErrWrongLast)
	f("s.b", 1, 1, 0, ErrWrongLast) // fences are per subject
	f("s.b", 1, 0, 2, nil)
	f("s.a", 1, 1, 3, nil)
	f("s.a", 1, 2, 0, ErrWrongLast)
	f("tiny.a", 1500, 0, 1, nil)
	f("tiny.a", 1500, 1, 0, ErrFull)
	f("tiny.a", 1500, 0, 0, ErrWrongLast) // who is wrong hears it before who has no room
	f("tiny.a", 1, 1, 2, nil)

	_, err := e.Append(t.Context(), "nowhere", nil, 0)
	if err == nil || errors.Is(err, ErrFull) || errors.Is(err, ErrWrongLast) {
		t.Errorf("append where no stream is: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Append(ctx, "s.a", nil, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("append after the end: %v", err)
	}
}

func TestStore(t *testing.T) {
	e := embed(t, Config{})
	for i := range 3 {
		if seq, err := e.Store(t.Context(), "s.a", nil); seq != uint64(i+1) || err != nil {
			t.Errorf("store: %d, %v", seq, err)
		}
	}
	if _, err := e.Store(t.Context(), "tiny.a", make([]byte, 3000)); !errors.Is(err, ErrFull) {
		t.Errorf("store in a stream without room: %v", err)
	}
	for range 10 {
		if _, err := e.Store(t.Context(), "ring", make([]byte, 500)); err != nil {
			t.Errorf("store in a ring: %v", err)
		}
	}
	if u, err := e.Usage(t.Context(), "RING", ""); err != nil || u.Bytes > u.MaxBytes || u.LastSeq != 10 || u.FirstSeq < 7 {
		t.Errorf("ring %+v, %v", u, err)
	}
}

// fill stores one message per subject; its data is the subject.
func fill(t testing.TB, b *Bus, subjects ...string) {
	t.Helper()
	for _, s := range subjects {
		if _, err := b.Store(t.Context(), s, []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLastAndGet(t *testing.T) {
	e := embed(t, Config{})
	fill(t, e.Bus, "s.a", "s.b", "s.a", "s.b")
	if seq, data, err := e.Last(t.Context(), "s.a"); seq != 3 || string(data) != "s.a" || err != nil {
		t.Errorf("last: %d, %q, %v", seq, data, err)
	}
	if _, _, err := e.Last(t.Context(), "s.c"); !errors.Is(err, ErrNone) {
		t.Errorf("last of none: %v", err)
	}
	if _, _, err := e.Last(t.Context(), "nowhere"); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("last where no stream is: %v", err)
	}
	if m, err := e.Get(t.Context(), "S", 2); m.Subject != "s.b" || m.Seq != 2 || string(m.Data) != "s.b" || err != nil {
		t.Errorf("get: %+v, %v", m, err)
	}
	for _, seq := range []uint64{5, 1000} {
		if _, err := e.Get(t.Context(), "S", seq); !errors.Is(err, ErrNone) {
			t.Errorf("get %d: %v", seq, err)
		}
	}
	if _, err := e.Get(t.Context(), "NONE", 1); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("get where no stream is: %v", err)
	}
	for from, want := range map[uint64]uint64{1: 2, 2: 2, 3: 4} {
		if m, err := e.Next(t.Context(), "s.b", from); m.Subject != "s.b" || m.Seq != want || string(m.Data) != "s.b" || err != nil {
			t.Errorf("next from %d: %+v, %v", from, m, err)
		}
	}
	for _, subject := range []string{"s.b", "s.c"} {
		if _, err := e.Next(t.Context(), subject, 5); !errors.Is(err, ErrNone) {
			t.Errorf("next of %s behind the last: %v", subject, err)
		}
	}
}

// sequences reads what there is.
func sequences(t testing.TB, b *Bus, from uint64, subjects ...string) (out []uint64) {
	t.Helper()
	err := b.Read(t.Context(), "S", from, true, func(m Message) error {
		out = append(out, m.Seq)
		return nil
	}, subjects...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPurge(t *testing.T) {
	e := embed(t, Config{})
	fill(t, e.Bus, "s.a", "s.b", "s.a", "s.b", "s.a")
	if err := e.Purge(t.Context(), "s.a", 5); err != nil {
		t.Fatal(err)
	}
	if got := sequences(t, e.Bus, 0); !slices.Equal(got, []uint64{2, 4, 5}) {
		t.Errorf("%d are left", got)
	}
	if _, err := e.Get(t.Context(), "S", 3); !errors.Is(err, ErrNone) {
		t.Errorf("get what was purged: %v", err)
	}
	if _, err := e.Append(t.Context(), "s.a", nil, 5); err != nil {
		t.Errorf("the fence is the newest message that stays: %v", err)
	}
	if err := e.Compact(t.Context(), "S", 5); err != nil {
		t.Fatal(err)
	}
	if got := sequences(t, e.Bus, 0); !slices.Equal(got, []uint64{5, 6}) {
		t.Errorf("%d are left", got)
	}
	if err := e.Purge(t.Context(), "nowhere", 5); err == nil {
		t.Error("purged where no stream is")
	}
}

func TestUsage(t *testing.T) {
	e := embed(t, Config{})
	u, err := e.Usage(t.Context(), "S", "")
	if err != nil || u.Messages != 0 || u.LastSeq != 0 || u.MaxBytes != 64<<20 {
		t.Errorf("empty: %+v, %v", u, err)
	}
	fill(t, e.Bus, "s.a", "s.b", "s.a")
	u, err = e.Usage(t.Context(), "S", "")
	if err != nil || u.Messages != 3 || u.FirstSeq != 1 || u.LastSeq != 3 || u.Bytes < 9 || time.Since(u.LastTime) > time.Minute || u.Subjects != nil {
		t.Errorf("three: %+v, %v", u, err)
	}
	u, err = e.Usage(t.Context(), "S", "s.a")
	if err != nil || u.Messages != 3 || fmt.Sprint(u.Subjects) != "map[s.a:2]" {
		t.Errorf("by subject: %+v, %v", u, err)
	}
	if _, err := e.Usage(t.Context(), "NONE", ""); err == nil {
		t.Error("the state of a stream that is not there")
	}
}

func TestMatches(t *testing.T) {
	f := func(pattern, subject string, want bool) {
		t.Helper()
		if matches(pattern, subject) != want {
			t.Errorf("%s under %s: %v", subject, pattern, !want)
		}
	}
	f("a", "a", true)
	f("a", "b", false)
	f("a.*", "a.b", true)
	f("a.*", "a", false)
	f("a.*", "a.b.c", false)
	f("a.>", "a.b.c", true)
	f("a.>", "a", false)
	f("*.b", "a.b", true)
	f("a.*.c", "a.b.d", false)
	f(">", "a.b", true)
}

// TestEnsureAgain raises a limit and keeps what is stored.
func TestEnsureAgain(t *testing.T) {
	e := embed(t, Config{})
	fill(t, e.Bus, "tiny.a")
	larger := testStreams[1]
	larger.MaxBytes = 1 << 20
	if err := e.Ensure(t.Context(), []schemas.Stream{larger}); err != nil {
		t.Fatal(err)
	}
	if u, err := e.Usage(t.Context(), "TINY", ""); err != nil || u.MaxBytes != 1<<20 || u.Messages != 1 {
		t.Errorf("%+v, %v", u, err)
	}
}

// TestRestart: what was acknowledged is there after a restart, with its sequences and fences.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	e := embed(t, Config{Dir: dir})
	fill(t, e.Bus, "s.a", "s.b", "s.a")
	if err := e.Compact(t.Context(), "S", 2); err != nil {
		t.Fatal(err)
	}
	e.Stop()
	e = embed(t, Config{Dir: dir})
	if got := sequences(t, e.Bus, 0); !slices.Equal(got, []uint64{2, 3}) {
		t.Errorf("%d are left", got)
	}
	if _, err := e.Append(t.Context(), "s.a", nil, 0); !errors.Is(err, ErrWrongLast) {
		t.Errorf("the fence was lost: %v", err)
	}
	if seq, err := e.Append(t.Context(), "s.a", nil, 3); seq != 4 || err != nil {
		t.Errorf("append: %d, %v", seq, err)
	}
}

func TestPortInUse(t *testing.T) {
	e := embed(t, Config{Listen: "127.0.0.1:0"})
	start := time.Now()
	_, err := Embed(Config{Dir: t.TempDir(), Listen: e.Addr(), Log: quietLog})
	if err == nil || !strings.Contains(err.Error(), e.Addr()) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > busy*5*time.Second {
		t.Errorf("known only after %v", d)
	}
	for _, bad := range []string{"127.0.0.1", "127.0.0.1:x"} {
		if _, err := Embed(Config{Dir: t.TempDir(), Listen: bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("address %s: %v", bad, err)
		}
	}
}

// TestFatal: the server's way to say that it must end becomes an error, not an exit.
func TestFatal(t *testing.T) {
	var out bytes.Buffer
	l := &serverLog{log: slog.New(slog.NewTextHandler(&out, nil)), fatal: make(chan string, 1)}
	for range 3 { // only the first is the cause; the others must not block
		l.Fatalf("port %d", 7)
	}
	if why := <-l.fatal; why != "port 7" || !strings.Contains(out.String(), "port 7") {
		t.Errorf("why %q, log %s", why, out.String())
	}
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Embed(Config{Dir: file, Log: quietLog}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("data folder is a file: %v", err)
	}
}

func TestHealthy(t *testing.T) {
	e := embed(t, Config{})
	if err := e.Healthy(); err != nil || e.Addr() != "" {
		t.Errorf("%v, listens on %q", err, e.Addr())
	}
	e.Stop()
	if err := e.Healthy(); err == nil {
		t.Error("a stopped server is healthy")
	}
}

// TestFails: an append that fails is a reason to ask how the server is, one that comes
// too late for its place is none.
func TestFails(t *testing.T) {
	e := embed(t, Config{})
	for _, c := range []struct {
		what string
		call func() error
		want int // how often it is told
	}{
		{"stored", func() error { _, err := e.Append(t.Context(), "s.a", nil, 0); return err }, 0},
		{"wrong last", func() error { _, err := e.Append(t.Context(), "s.a", nil, 7); return err }, 0},
		{"no room", func() error { _, err := e.Store(t.Context(), "tiny.a", make([]byte, 3000)); return err }, 1},
	} {
		if first, second := c.call(), c.call(); c.want > 0 && (first == nil || second == nil) {
			t.Errorf("%s: %v, %v", c.what, first, second)
		}
		told := 0
		for ; len(e.Fails()) > 0; told++ {
			<-e.Fails()
		}
		if told != c.want {
			t.Errorf("%s: told %d times, want %d", c.what, told, c.want)
		}
	}
}

func isNone(err error) bool { return errors.Is(err, ErrNone) }
