package bus

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
)

// TestReadAfterALongWait: where handle takes so long that the server forgets the
// reader, reading goes on behind the message that was handled. It is the only
// test in fake time: the client's timers belong to the first bubble.
func TestReadAfterALongWait(t *testing.T) {
	ats.Register() // its goroutine must live outside the bubble, else fake time stands still
	defer ats.Unregister()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		e := embed(t, Config{Dir: dir})
		fill(t, e.Bus, "s.a", "s.b", "s.c")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var got []uint64
		err := e.Read(ctx, "S", 0, false, func(m Message) error {
			got = append(got, m.Seq)
			if m.Seq < 3 {
				time.Sleep(5 * time.Minute)
			}
			if m.Seq == 3 {
				fill(t, e.Bus, "s.d")
			}
			if m.Seq == 4 {
				cancel()
			}
			return nil
		})
		if err != nil || !slices.Equal(got, []uint64{1, 2, 3, 4}) {
			t.Errorf("read %d, %v", got, err)
		}
	})
}
