package bus

import (
	"log/slog"
	"testing"
	"time"

	"weir/schemas"
)

func TestSeqAtTime(t *testing.T) {
	e, err := Embed(Config{Dir: t.TempDir(), OperatorPassword: "secret", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	ctx := t.Context()
	if err := e.Ensure(ctx, []schemas.Stream{{Name: "S", Subjects: []string{"s"}, MaxBytes: 1 << 20}}); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Hour).UnixNano()
	var stored []int64 // a moment between message i and i+1
	for range 3 {
		if _, err := e.Store(ctx, "s", []byte("x")); err != nil {
			t.Fatal(err)
		}
		stored = append(stored, time.Now().UnixNano())
	}
	for _, c := range []struct {
		at   int64
		want uint64
	}{{before, 1}, {stored[0], 2}, {stored[1], 3}, {stored[2], 4}} {
		if got, err := e.SeqAtTime(ctx, "S", c.at); got != c.want || err != nil {
			t.Errorf("at %d: sequence %d, %v; want %d", c.at, got, err, c.want)
		}
	}
}
