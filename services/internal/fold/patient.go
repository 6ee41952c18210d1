package fold

import (
	"context"
	"log/slog"

	"weir/services/internal/bus"
)

// patient is a log whose questions wait for the server: where a stage stands must be
// known before it can do anything.
type patient struct {
	Log
	slog *slog.Logger
}

func (p patient) Last(ctx context.Context, subject string) (seq uint64, data []byte, err error) {
	err = bus.Await(ctx, p.slog, func() (err error) {
		seq, data, err = p.Log.Last(ctx, subject)
		return err
	})
	return seq, data, err
}

func (p patient) Get(ctx context.Context, stream string, seq uint64) (m bus.Message, err error) {
	err = bus.Await(ctx, p.slog, func() (err error) {
		m, err = p.Log.Get(ctx, stream, seq)
		return err
	})
	return m, err
}

func (p patient) Next(ctx context.Context, subject string, from uint64) (m bus.Message, err error) {
	err = bus.Await(ctx, p.slog, func() (err error) {
		m, err = p.Log.Next(ctx, subject, from)
		return err
	})
	return m, err
}

func (p patient) Usage(ctx context.Context, stream, subjects string) (u bus.Usage, err error) {
	err = bus.Await(ctx, p.slog, func() (err error) {
		u, err = p.Log.Usage(ctx, stream, subjects)
		return err
	})
	return u, err
}
