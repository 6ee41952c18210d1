package commands

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"

	"weir/schemas"
	"weir/services/internal/bus"
)

// What follows schemas.Kept(owner) in a subject:
//
//	box.<tenant>.<device>   commands
//	session.<hash>          sessions, the newest message of each subject
//
// The stream is full only if the store cannot be purged: the desk's own limits are
// far below.
const (
	boxPart      = "box."
	sessionsPart = "session."
)

// Bus is what a stream needs of the bus.
type Bus interface {
	Store(ctx context.Context, subject string, data []byte) (uint64, error)
	Read(ctx context.Context, stream string, from uint64, stopAtEnd bool, handle func(bus.Message) error, subjects ...string) error
	Purge(ctx context.Context, subject string, below uint64) error
}

// Stream is a Store on JetStream.
type Stream struct {
	bus  Bus
	kept string // schemas.Kept of the owner
	log  *slog.Logger
}

// NewStream stores in the declared stream what an owner, an agent say, keeps.
func NewStream(b Bus, owner string, log *slog.Logger) *Stream {
	return &Stream{bus: b, kept: schemas.Kept(owner), log: log}
}

func (s *Stream) boxOf(dev Device) string {
	return s.kept + boxPart + dev.Tenant + "." + dev.Name
}

// sessionOf hashes the key: clients choose their identifiers.
func (s *Stream) sessionOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return s.kept + sessionsPart + hex.EncodeToString(sum[:16])
}

// Load implements Store. What it cannot read is passed over and logged: it must
// not keep the others from their commands.
func (s *Stream) Load(ctx context.Context, command func(uint64, Stored), session func(uint64, string, Record)) error {
	err := s.bus.Read(ctx, schemas.StreamCommands, 0, true, func(m bus.Message) error {
		if err := s.load(m, command, session); err != nil {
			s.log.Error("a kept command or session cannot be read", "stream", schemas.StreamCommands, "seq", m.Seq, "err", err)
		}
		return nil
	}, s.kept+">")
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("load kept commands on %s>: %w", s.kept, err)
	}
	return nil
}

func (s *Stream) load(m bus.Message, command func(uint64, Stored), session func(uint64, string, Record)) error {
	rest := strings.TrimPrefix(m.Subject, s.kept)
	if strings.HasPrefix(rest, sessionsPart) {
		r, err := decodeRecord(m.Data)
		if err == nil {
			session(m.Seq, sessionKey(r.User, r.Client), r)
		}
		return err
	}
	tenant, name, _ := strings.Cut(strings.TrimPrefix(rest, boxPart), ".")
	dev := Device{tenant, name}
	if !dev.Valid() {
		return fmt.Errorf("subject %s: %w", m.Subject, errFormat)
	}
	c, err := decodeStored(dev, m.Data)
	if err == nil {
		command(m.Seq, c)
	}
	return err
}

// Keep implements Store.
func (s *Stream) Keep(ctx context.Context, c Stored) (uint64, error) {
	return s.bus.Store(ctx, s.boxOf(c.Device), appendStored(nil, c))
}

// Drop implements Store.
func (s *Stream) Drop(ctx context.Context, dev Device, below uint64) error {
	return s.bus.Purge(ctx, s.boxOf(dev), below)
}

// Remember implements Store. What was stored before goes after the new one is
// there; if that fails, it is superseded all the same.
func (s *Stream) Remember(ctx context.Context, key string, r Record) (uint64, error) {
	data, err := encodeRecord(r)
	if err != nil {
		return 0, err
	}
	seq, err := s.bus.Store(ctx, s.sessionOf(key), data)
	if err != nil {
		return 0, err
	}
	if err := s.Forget(ctx, key, seq); err != nil {
		s.log.Warn("an older record of a session stays until it ends", "err", err)
	}
	return seq, nil
}

// Forget implements Store.
func (s *Stream) Forget(ctx context.Context, key string, below uint64) error {
	return s.bus.Purge(ctx, s.sessionOf(key), below)
}
