package commands

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// server is an embedded one with the declared stream.
func server(t testing.TB, dir string) *bus.Embedded {
	t.Helper()
	e, err := bus.Embed(bus.Config{Dir: dir, Prefix: "W_", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Ensure(t.Context(), schemas.Edge(schemas.EdgeSizes())); err != nil {
		t.Fatal(err)
	}
	return e
}

// contents is what a store has, as text.
func contents(t testing.TB, s Store) (commands []string, sessions map[string]Record) {
	t.Helper()
	sessions = map[string]Record{}
	err := s.Load(t.Context(),
		func(_ uint64, c Stored) {
			commands = append(commands, fmt.Sprintf("%s/%s %s", c.Tenant, c.Name, c.Payload))
		},
		func(_ uint64, key string, r Record) { sessions[key] = r })
	if err != nil {
		t.Fatal(err)
	}
	return commands, sessions
}

// Both stores do the same, and the one on JetStream still does after a restart.
func TestStores(t *testing.T) {
	dir := t.TempDir()
	e := server(t, dir)
	defer func() { e.Stop() }()
	for name, s := range map[string]Store{"memory": NewMemory(), "stream": NewStream(e, "a1", slog.New(slog.DiscardHandler))} {
		stores(t, name, s)
	}
	other := NewStream(e, "a10", slog.New(slog.DiscardHandler))
	if c, s := contents(t, other); len(c)+len(s) != 0 {
		t.Errorf("another owner finds %v and %v", c, s)
	}
	if _, err := e.Store(t.Context(), schemas.Kept("a1")+"box.t", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Store(t.Context(), schemas.Kept("a1")+"session.0", []byte("{")); err != nil {
		t.Fatal(err)
	}
	e.Stop()
	e = server(t, dir)
	var log strings.Builder
	again := NewStream(e, "a1", slog.New(slog.NewTextHandler(&log, nil)))
	commands, sessions := contents(t, again)
	if got := strings.Join(commands, ", "); got != "t/d1 two, t/d2 one" || len(sessions) != 1 || strings.Count(log.String(), "cannot be read") != 2 {
		t.Errorf("after a restart: %s, %v\n%s", got, sessions, log.String())
	}
}

// stores leaves two commands and one session.
func stores(t *testing.T, name string, s Store) {
	ctx := t.Context()
	d1, d2 := Device{"t", "d1"}, Device{"t", "d2"}
	seqs := map[string]uint64{}
	for _, c := range []Stored{{Device: d1, Payload: []byte("one")}, {Device: d1, Payload: []byte("two")}, {Device: d2, Payload: []byte("one")}} {
		c.Came = time.Unix(1_800_000_000, 5)
		seq, err := s.Keep(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		seqs[c.Name+string(c.Payload)] = seq
	}
	r := Record{Client: "c \x00 ü", User: "u", Keep: time.Hour, Subscriptions: map[Device]byte{d1: 1, d2: 0}}
	key := sessionKey(r.User, r.Client)
	first, err := s.Remember(ctx, key, Record{Client: r.Client, User: r.User, Keep: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remember(ctx, key, r); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remember(ctx, "x\x00y", Record{Client: "y", User: "x", Keep: time.Second}); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"drop":        s.Drop(ctx, d1, seqs["d1two"]),
		"drop again":  s.Drop(ctx, d1, seqs["d1two"]),
		"drop none":   s.Drop(ctx, Device{"t", "d3"}, 1000),
		"forget":      s.Forget(ctx, "x\x00y", 1000),
		"forget less": s.Forget(ctx, key, first+1),
	} {
		if err != nil {
			t.Errorf("%s: %s: %v", name, what, err)
		}
	}
	commands, sessions := contents(t, s)
	if got := strings.Join(commands, ", "); got != "t/d1 two, t/d2 one" {
		t.Errorf("%s: commands %s", name, got)
	}
	if !maps.EqualFunc(sessions, map[string]Record{key: r}, func(a, b Record) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("%s: sessions %+v", name, sessions)
	}
}

// The stored forms are fixed: what this version has written the next one reads.
func TestStoredForms(t *testing.T) {
	c := Stored{Device: Device{"t", "d"}, Payload: []byte("on"), Came: time.Unix(0, 0x0102030405060708), Expires: time.Unix(0, 0x1112131415161718)}
	const golden = "\x01\x01\x02\x03\x04\x05\x06\x07\x08\x11\x12\x13\x14\x15\x16\x17\x18on"
	if got := string(appendStored(nil, c)); got != golden {
		t.Errorf("command stored as %q, want %q", got, golden)
	}
	if got, err := decodeStored(c.Device, []byte(golden)); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v", got, err)
	}
	r := Record{Client: "c", User: "u", Keep: time.Hour, Subscriptions: map[Device]byte{{"t", "d"}: 1}}
	const session = `{"v":1,"client":"c","user":"u","keep_s":3600,"subscriptions":[{"tenant":"t","device":"d","qos":1}]}`
	if got, err := encodeRecord(r); err != nil || string(got) != session {
		t.Errorf("session stored as %s, %v", got, err)
	}
	if got, err := decodeRecord([]byte(session)); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzStored(f *testing.F) {
	f.Add([]byte("\x01\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x00\x00\x00\x00\x00\x00on"))
	f.Add([]byte("\x02"))
	f.Add([]byte(`{"v":1,"client":"c","keep_s":3600,"subscriptions":[{"tenant":"t","device":"d","qos":1}]}`))
	f.Add([]byte(`{"v":1,"keep_s":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := decodeStored(Device{"t", "d"}, data); err == nil && string(appendStored(nil, c)) != string(data) {
			t.Errorf("%x is read as %+v", data, c)
		}
		r, err := decodeRecord(data)
		if err != nil {
			return
		}
		again, err := encodeRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decodeRecord(again); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%+v is read back as %+v, %v", r, back, err)
		}
	})
}

// BenchmarkStream is what a kept command costs on JetStream: stored, and dropped
// with those of its device.
func BenchmarkStream(b *testing.B) {
	e := server(b, b.TempDir())
	defer e.Stop()
	s := NewStream(e, "a1", slog.New(slog.DiscardHandler))
	payload := []byte(strings.Repeat("x", 200))
	for _, devices := range []int{100, 10_000} {
		keep := func(b *testing.B, n int) (seqs []uint64) {
			for i := range n {
				seq, err := s.Keep(context.Background(), Stored{Device: Device{"t", fmt.Sprint("d", i%devices)}, Payload: payload, Came: time.Now()})
				if err != nil {
					b.Fatal(err)
				}
				seqs = append(seqs, seq)
			}
			return seqs
		}
		b.Run(fmt.Sprintf("keep/devices=%d", devices), func(b *testing.B) { keep(b, b.N) })
		b.Run(fmt.Sprintf("drop/devices=%d", devices), func(b *testing.B) {
			seqs := keep(b, b.N)
			b.ResetTimer()
			for i, seq := range seqs {
				if err := s.Drop(context.Background(), Device{"t", fmt.Sprint("d", i%devices)}, seq+1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a desk has said to be kept is there for the next one, on a server that was
// started anew, and is forgotten once it is confirmed.
func TestDeskOnStream(t *testing.T) {
	dir := t.TempDir()
	e := server(t, dir)
	store := func() Store { return NewStream(e, "a1", slog.New(slog.DiscardHandler)) }
	d := New(Config{}, store(), nil)
	l, _ := d.Attach(lasting("c"), &phone{})
	if err := l.Subscribe(Device{"t", "d"}, 1); err != nil {
		t.Fatal(err)
	}
	l.Detach()
	for i := range 3 {
		var reply string
		d.process(t.Context(), Message{Subject: "cmd.t.d", Data: fmt.Append(nil, i), Reply: func(data []byte, _ ...string) error {
			reply = string(data)
			return nil
		}})
		if reply != `{"kept":true,"connected":0}` {
			t.Fatalf("reply %s", reply)
		}
	}
	e.Stop() // and nothing of the desk is

	e = server(t, dir)
	defer func() { e.Stop() }()
	d = New(Config{}, store(), nil)
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := &phone{}
	l, g := d.Attach(lasting("c"), p)
	l.Begin()
	d.pumps.Wait()
	if !g.Present || len(p.got) != 3 {
		t.Fatalf("present %v, got %+v", g.Present, p.got)
	}
	for i, o := range p.got {
		if string(o.Payload) != fmt.Sprint(i) {
			t.Errorf("command %d is %s", i, o.Payload)
		}
		l.Acked(o.ID, true)
	}
	d.purge(t.Context(), purgeMost)
	if commands, sessions := contents(t, store()); len(commands) != 0 || len(sessions) != 1 {
		t.Errorf("kept: %v, %v", commands, sessions)
	}
}
