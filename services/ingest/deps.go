package ingest

import (
	"context"
	"log/slog"
	"time"

	"weir/services/internal/commands"
	"weir/services/internal/users"
)

// Log is the journal's streams, one subject per agent.
type Log interface {
	// Append stores data as the subject's next message if its last sequence is
	// after (0: it has none). bus.ErrWrongLast: another message is there; bus.ErrFull:
	// no room. Both stored nothing; after any other error the outcome is unknown.
	Append(ctx context.Context, subject string, data []byte, after uint64) (seq uint64, err error)
	// Last is the newest message of a subject. bus.ErrNone: there is none.
	Last(ctx context.Context, subject string) (seq uint64, data []byte, err error)
}

// Message is a message from a device, or a command for one, over NATS. Data stays as it is after the
// handler has returned.
type Message struct {
	Subject string
	Data    []byte
	// Reply answers a request; nil where nobody waits. It must not block, and must
	// only ever publish to inboxes: the device chose the reply subject.
	Reply func(data []byte, header ...string) error
	// Expires is how long a command is of use; 0: its sender does not say.
	Expires time.Duration
}

// Subscriber delivers what is published on a subject.
type Subscriber interface {
	// Subscribe hands messages to handle, one at a time, until stop is called.
	Subscribe(subject string, pendingBytes int, handle func(Message)) (stop func(), err error)
}

// Grant is what a connection may publish as. Empty names grant any.
type Grant = users.Grant

// Authenticator knows the users of MQTT connections: *users.Users does. It is
// called concurrently.
type Authenticator interface {
	// Authenticate may take its time. Its error is a users.Refusal.
	Authenticate(a users.Attempt) (Grant, error)
	// Current is what a user that was let in would be granted now.
	Current(name string) (g Grant, ok bool)
}

// Deps are what the service stands on.
type Deps struct {
	Log       Log
	Telemetry Subscriber // nil: nothing comes over NATS
	// Park publishes a sample of a refused message. It must not block. nil: none is kept.
	Park func(subject string, data []byte) error
	// Used is how many bytes of the journal an agent's frames take now; it is asked
	// a few times a second. nil: what this process appended is taken for it.
	Used  func(agent string) int64
	Users Authenticator // nil: a device is who it says it is
	// Commands brings what Telemetry hears on cmd.> to the sessions of MQTT devices.
	// It is loaded and run by Run. nil: there are no commands and no sessions.
	Commands *commands.Desk
	// Logger gets what people should know. nil: nothing is logged.
	Logger *slog.Logger
}
