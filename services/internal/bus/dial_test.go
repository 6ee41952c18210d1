package bus

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestDialSurvives: a bus made by Dial works again when its server is back, with
// its readers.
func TestDialSurvives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr := freeAddr(t)
	e := embed(t, Config{Dir: dir, Listen: addr})
	b, err := Dial(t.Context(), "nats://"+addr, UserOperator, "secret", "T_")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Ensure(t.Context(), testStreams); err != nil {
		t.Fatal(err)
	}
	got := make(chan uint64, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- b.Read(ctx, "S", 1, false, func(m Message) error {
			got <- m.Seq
			return nil
		})
	}()
	fill(t, b, "s.a")
	if seq := <-got; seq != 1 {
		t.Errorf("read %d", seq)
	}
	e.Stop()
	embed(t, Config{Dir: dir, Listen: addr})
	await(t, "a message after the restart", 10*time.Second, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), askTimeout)
		defer cancel()
		_, err := b.Store(ctx, "s.b", nil)
		return err == nil
	})
	select {
	case seq := <-got:
		if seq != 2 {
			t.Errorf("read %d", seq)
		}
	case <-time.After(busy * 20 * time.Second):
		t.Error("the reader does not go on")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestDialNowhere(t *testing.T) {
	began := time.Now()
	if _, err := Dial(t.Context(), "nats://127.0.0.1:9", "", "", ""); err == nil || time.Since(began) > busy*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if _, err := DialWith(t.Context(), DialConfig{URL: "nats://127.0.0.1:9", Creds: "/none/x.creds"}); err == nil {
		t.Error("connected")
	}
}

// TestDialWarns: what nobody is told otherwise is logged, with the connection's name.
func TestDialWarns(t *testing.T) {
	e := embed(t, Config{Listen: "127.0.0.1:0"})
	lines := make(lines, 10)
	b, err := DialWith(t.Context(), DialConfig{URL: "nats://" + e.Addr(), Name: "me", Log: slog.New(slog.NewTextHandler(lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Publish("weir.journal.a1", nil); err != nil {
		t.Fatal(err)
	}
	select {
	case line := <-lines:
		if !strings.Contains(line, "connection=me") || !strings.Contains(line, "weir.journal.a1") {
			t.Error(line)
		}
	case <-time.After(busy * 5 * time.Second):
		t.Error("nothing is logged")
	}
}

// lines takes what is written.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}
