package commands

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"weir/schemas"
)

// Stored is a command as the store keeps it.
type Stored struct {
	Device
	Payload []byte
	Came    time.Time
	Expires time.Time // zero: the sender did not say
}

// Record is a session as the store keeps it.
type Record struct {
	Client, User  string
	Keep          time.Duration // how long it outlives its connection
	Subscriptions map[Device]byte
}

// Store keeps commands and sessions over the death of the process. Numbers are of
// one sequence, from 1, and never given twice.
type Store interface {
	// Load hands over everything, in the order of storing.
	Load(ctx context.Context, command func(seq uint64, c Stored), session func(seq uint64, key string, r Record)) error
	// Keep stores a command. After an error it may be there all the same.
	Keep(ctx context.Context, c Stored) (seq uint64, err error)
	// Drop forgets a device's commands with numbers below.
	Drop(ctx context.Context, dev Device, below uint64) error
	// Remember stores a session in place of what was stored under its key.
	Remember(ctx context.Context, key string, r Record) (seq uint64, err error)
	// Forget forgets what was stored under a key with numbers below.
	Forget(ctx context.Context, key string, below uint64) error
}

// A stored command:
//
//	byte  0      format version, 1
//	bytes 1–8    when it came, Unix ns, big endian
//	bytes 9–16   when it expires, Unix ns; 0: the sender did not say
//	bytes 17–    payload
//
// Its device is in its subject. A session is JSON with the field v = 1.
const (
	formatVersion = 1
	commandHead   = 17
)

var errFormat = errors.New("written by another version of this program")

func appendStored(b []byte, c Stored) []byte {
	b = append(b, formatVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Came.UnixNano()))
	expires := int64(0)
	if !c.Expires.IsZero() {
		expires = c.Expires.UnixNano()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(expires))
	return append(b, c.Payload...)
}

func decodeStored(dev Device, b []byte) (Stored, error) {
	if len(b) < commandHead || b[0] != formatVersion {
		return Stored{}, fmt.Errorf("command of %d bytes for %s/%s: %w", len(b), dev.Tenant, dev.Name, errFormat)
	}
	c := Stored{Device: dev, Came: time.Unix(0, int64(binary.BigEndian.Uint64(b[1:]))), Payload: b[commandHead:]}
	if ns := int64(binary.BigEndian.Uint64(b[9:])); ns != 0 {
		c.Expires = time.Unix(0, ns)
	}
	return c, nil
}

// sessionJSON is a session in the store.
type sessionJSON struct {
	Version       int                `json:"v"`
	Client        string             `json:"client"`
	User          string             `json:"user,omitempty"`
	KeepSeconds   int64              `json:"keep_s"`
	Subscriptions []subscriptionJSON `json:"subscriptions"`
}

type subscriptionJSON struct {
	Tenant string `json:"tenant"`
	Device string `json:"device"`
	QoS    byte   `json:"qos"`
}

func encodeRecord(r Record) ([]byte, error) {
	j := sessionJSON{Version: formatVersion, Client: r.Client, User: r.User, KeepSeconds: int64(r.Keep / time.Second)}
	for dev, qos := range r.Subscriptions {
		j.Subscriptions = append(j.Subscriptions, subscriptionJSON{dev.Tenant, dev.Name, qos})
	}
	return json.Marshal(j)
}

// longestKeep is what a record can say, in seconds.
const longestKeep = int64(10 * 365 * 24 * time.Hour / time.Second)

func decodeRecord(b []byte) (Record, error) {
	var j sessionJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return Record{}, fmt.Errorf("session of %d bytes: %w", len(b), err)
	}
	if j.Version != formatVersion || j.KeepSeconds < 1 || j.KeepSeconds > longestKeep {
		return Record{}, fmt.Errorf("session of format %d, kept for %d s: %w", j.Version, j.KeepSeconds, errFormat)
	}
	r := Record{Client: j.Client, User: j.User, Keep: time.Duration(j.KeepSeconds) * time.Second, Subscriptions: map[Device]byte{}}
	for _, s := range j.Subscriptions {
		if !schemas.ValidName(s.Tenant) || !schemas.ValidName(s.Device) || s.QoS > 1 {
			return Record{}, fmt.Errorf("session subscribes to %.80q/%.80q at QoS %d: %w", s.Tenant, s.Device, s.QoS, errFormat)
		}
		r.Subscriptions[Device{s.Tenant, s.Device}] = s.QoS
	}
	return r, nil
}
