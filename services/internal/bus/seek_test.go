package bus

import (
	"log/slog"
	"testing"
	"time"

	"weir/schemas"
)

// Halving finds the first message that is far enough, whatever lies between.
func TestSearch(t *testing.T) {
	e, err := Embed(Config{Dir: t.TempDir(), OperatorPassword: "secret", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	ctx := t.Context()
	if err := e.Ensure(ctx, []schemas.Stream{{Name: "S", Subjects: []string{"s.*"}, MaxBytes: 1 << 20}}); err != nil {
		t.Fatal(err)
	}
	for i := range byte(40) {
		if _, err := e.Store(ctx, "s."+[]string{"a", "b"}[i%2], []byte{i / 3}); err != nil {
			t.Fatal(err)
		}
	}
	tells := func(seq uint64) bool { return (seq-1)%5 > 0 }
	for n := range byte(15) {
		got, err := e.Search(ctx, "S", "s.a", func(m Message) (bool, bool) { return m.Data[0] >= n, tells(m.Seq) })
		if err != nil {
			t.Fatal(err)
		}
		for seq := uint64(1); seq <= 40; seq += 2 {
			if reached := byte(seq-1)/3 >= n; tells(seq) && reached != (seq >= got) {
				t.Errorf("%d is said to be reached from %d on, and at %d it is %v", n, got, seq, reached)
			}
		}
	}
}

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
