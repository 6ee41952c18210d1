package bus

import (
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Durability is what a power cut may take of what a server has acknowledged. A
// crash of the process takes nothing in either class.
type Durability string

// The classes.
const (
	Fast    Durability = "fast"    // at most the last second; streams and buckets themselves are synced when made or changed
	Durable Durability = "durable" // nothing: every message is on disk before it is acknowledged
)

// fastSync is how often the class Fast writes messages to disk.
const fastSync = time.Second

func (d Durability) set(o *server.Options) error {
	switch d {
	case Fast, "":
		o.SyncInterval = fastSync
	case Durable:
		o.SyncInterval, o.SyncAlways = fastSync, true
	default:
		return fmt.Errorf("durability %q: it is %s or %s", d, Fast, Durable)
	}
	return nil
}
