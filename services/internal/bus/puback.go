package bus

import (
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// stored reads a stream's answer to a message: nil if it has stored it.
func stored(m *nats.Msg) error {
	if nobody(m) {
		return ErrNone
	}
	var ack struct {
		Stream string              `json:"stream"`
		Seq    uint64              `json:"seq"`
		Error  *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return fmt.Errorf("read %d bytes as a stream's answer: %w", len(m.Data), err)
	}
	if ack.Error != nil {
		return class(ack.Error)
	}
	if ack.Stream == "" || ack.Seq == 0 {
		return fmt.Errorf("read %.100q as a stream's answer: it names no stream and sequence", m.Data)
	}
	return nil
}

// noResponders is the status with which the server answers for nobody.
const noResponders = "503"

// nobody reports whether nobody listens where m's question went.
func nobody(m *nats.Msg) bool {
	return len(m.Data) == 0 && m.Header.Get("Status") == noResponders
}
