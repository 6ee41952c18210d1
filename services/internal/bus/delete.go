package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Delete removes one message of a stream. One that is not there is no error.
func (b *Bus) Delete(ctx context.Context, stream string, seq uint64) error {
	s, err := b.js.Stream(ctx, b.prefix+stream)
	if err == nil {
		err = s.DeleteMsg(ctx, seq)
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("delete message %d of %s: %w", seq, stream, class(err))
	}
	return nil
}
