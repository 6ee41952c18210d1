package fold

import (
	"context"
	"log/slog"
	"time"

	"weir/services/internal/bus"
)

// askAgain is the time between two questions to a server that does not answer.
const askAgain = time.Second

// patient is a log whose questions are asked again while a server is starved, or is
// being restarted because its disk was full. Where a stage stands must be known before
// it can do anything; its process has others, which need not end for that.
type patient struct {
	Log
	slog *slog.Logger
}

func (p patient) Last(ctx context.Context, subject string) (seq uint64, data []byte, err error) {
	err = answered(ctx, p.slog, func() (err error) {
		seq, data, err = p.Log.Last(ctx, subject)
		return err
	})
	return seq, data, err
}

func (p patient) Get(ctx context.Context, stream string, seq uint64) (m bus.Message, err error) {
	err = answered(ctx, p.slog, func() (err error) {
		m, err = p.Log.Get(ctx, stream, seq)
		return err
	})
	return m, err
}

func (p patient) Next(ctx context.Context, subject string, from uint64) (m bus.Message, err error) {
	err = answered(ctx, p.slog, func() (err error) {
		m, err = p.Log.Next(ctx, subject, from)
		return err
	})
	return m, err
}

func (p patient) Usage(ctx context.Context, stream, subjects string) (u bus.Usage, err error) {
	err = answered(ctx, p.slog, func() (err error) {
		u, err = p.Log.Usage(ctx, stream, subjects)
		return err
	})
	return u, err
}

// answered asks until there is an answer, or ctx ends, or what is wrong will not pass.
// It says so once.
func answered(ctx context.Context, log *slog.Logger, ask func() error) error {
	for said := false; ; said = true {
		err := ask()
		if err == nil || ctx.Err() != nil || !bus.Passing(err) {
			return err
		}
		if !said {
			log.Warn("a start waits for the server", "err", err)
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return err
		}
	}
}
