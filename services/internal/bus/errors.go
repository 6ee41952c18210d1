package bus

import (
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What a caller must do about an error. Any other error leaves the outcome of
// an append unknown.
var (
	// ErrWrongLast: the subject's last sequence is not the one expected, so
	// somebody else wrote, or an earlier append succeeded. Nothing was stored.
	ErrWrongLast = errors.New("wrong last sequence")
	// ErrFull: the stream or the server's store is at its cap. Nothing was stored.
	ErrFull = errors.New("stream is full")
	// ErrNone: there is no such message, key, or responder.
	ErrNone = errors.New("none there")
	// ErrLost: the link or the connection was lost, or closed, or silent for too
	// long, before an answer came.
	ErrLost = errors.New("no answer came")
)

// Error codes of the JetStream API that the client has no names for.
const (
	codeInsufficientResources = 10023
	codeStoreFailed           = 10077 // maximum bytes exceeded, among others
	codeWrongLast             = 10071
	codeWrongLastConstant     = 10164
)

// class wraps err in the class that says what to do about it.
func class(err error) error {
	if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrKeyNotFound) {
		return errors.Join(ErrNone, err)
	}
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return ErrHalted // nothing is kept for when the server is back
	}
	var api jetstream.JetStreamError
	if !errors.As(err, &api) || api.APIError() == nil {
		return err
	}
	switch api.APIError().ErrorCode {
	case codeWrongLast, codeWrongLastConstant:
		return errors.Join(ErrWrongLast, err)
	case codeInsufficientResources, codeStoreFailed:
		return errors.Join(ErrFull, err)
	}
	return err
}
