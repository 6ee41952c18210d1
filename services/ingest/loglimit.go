package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// limitedHandler passes warnings and errors on, a few per minute: what it is
// put around logs for each packet that a device gets wrong. Packets themselves
// are left out, because a device chose what is in them.
type limitedHandler struct {
	slog.Handler
	budget *logBudget
}

// linesPerMinute is how many lines pass.
const linesPerMinute = 10

type logBudget struct {
	mu         sync.Mutex
	minute     int64
	left       int
	suppressed int
}

func limited(l *slog.Logger) *slog.Logger {
	return slog.New(limitedHandler{l.Handler(), &logBudget{}})
}

// Enabled implements slog.Handler.
func (h limitedHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (h limitedHandler) Handle(ctx context.Context, r slog.Record) error {
	suppressed, ok := h.budget.take(r.Time)
	if !ok {
		return nil
	}
	out := slog.NewRecord(r.Time, r.Level, "mqtt: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "pk" && a.Key != "packet" {
			out.AddAttrs(a)
		}
		return true
	})
	if suppressed > 0 {
		out.AddAttrs(slog.Int("lines_left_out", suppressed))
	}
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h limitedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return limitedHandler{h.Handler.WithAttrs(attrs), h.budget}
}

// WithGroup implements slog.Handler.
func (h limitedHandler) WithGroup(name string) slog.Handler {
	return limitedHandler{h.Handler.WithGroup(name), h.budget}
}

func (b *logBudget) take(t time.Time) (suppressed int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if minute := t.Unix() / 60; minute != b.minute {
		b.minute, b.left = minute, linesPerMinute
	}
	if b.left == 0 {
		b.suppressed++
		return 0, false
	}
	b.left--
	suppressed, b.suppressed = b.suppressed, 0
	return suppressed, true
}
