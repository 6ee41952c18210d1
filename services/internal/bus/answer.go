package bus

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"
)

// answerWithin bounds an answer: who asked has given up by then.
const answerWithin = 5 * time.Second

// Answer answers questions on a subject, as JSON, one at a time, until the
// returned func is called or ctx ends. A question that cannot be answered is
// logged and gets none.
func (b *Bus) Answer(ctx context.Context, subject string, log *slog.Logger, answer func(ctx context.Context, question []byte) (any, error)) (stop func(), err error) {
	return b.Subscribe(subject, 1<<20, func(r Request) {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		v, err := answer(ctx, r.Data)
		var data []byte
		if err == nil {
			data, err = json.Marshal(v)
		}
		if err == nil {
			err = r.Reply(data)
		}
		if err != nil {
			log.Warn("question not answered", "subject", subject, "err", err)
		}
	})
}
