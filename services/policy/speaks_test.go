package policy

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"weir/schemas"
)

// TestOneHubSpeaks: of two hubs on one bucket one answers. When it falls silent the
// other goes on, also with a question that both hold already; where none may speak
// nobody does.
func TestOneHubSpeaks(t *testing.T) {
	r := newTier(t, "r", nil)
	r.put("default", `{"size":10}`)
	var turn atomic.Int32
	var hubs [2]*Hub
	for i := range hubs {
		hubs[i], _ = r.hub(HubConfig{Region: "r", Speaks: func() bool { return turn.Load() == int32(i) }})
		until(t, "live", func() string {
			return hubs[i].says(func() string { return map[bool]string{true: "live"}[hubs[i].live] })
		})
	}
	ask := func(hash string, within time.Duration) (told, error) {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		data, err := r.server.Ask(ctx, schemas.Desired("r", "a1"), asked(schemas.DesiredQuestion{Agent: "a1", Region: "r", Hash: hash}))
		if err != nil {
			return told{}, err
		}
		return read(t, data), nil
	}
	first, err := ask("", askWithin)
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan told, 1)
	go func() {
		a, err := ask(first.Hash, askWithin)
		if err != nil {
			t.Error(err)
		}
		held <- a
	}()
	until(t, "1", func() string { return hubs[1].says(func() string { return fmt.Sprint(len(hubs[1].desk.waiting)) }) })
	turn.Store(1)
	r.put("default", `{"size":20}`)
	if a := <-held; a.Layers["default"] != `{"size":20}` {
		t.Errorf("told %+v", a)
	}
	turn.Store(2)
	if a, err := ask("", 300*time.Millisecond); err == nil {
		t.Errorf("nobody may speak, and told %+v", a)
	}
}

// says looks into a hub.
func (h *Hub) says(look func() string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return look()
}
