// Package bus is Weir's wiring to NATS and the only importer of its client and
// server: it connects or embeds a server, links it to the tier above and takes
// links from below, makes the streams that schemas declares, appends with a
// fence, reads in order, sends up, and keeps small values in KV.
//
// In: subjects, stream declarations and bytes. Out: bytes in stream order, and
// errors classed by what a caller must do about them (errors.go).
//
// Promises: an append that returns nil is stored behind exactly the sequence
// that was expected. A reader sees the messages of a stream in order, each once.
// What a Sender reports as stored is stored above. Devices and links do what
// users.go allows and no more. Payloads are not interpreted.
//
// Limits: file streams with one replica, unless somebody has given them more. Every bus survives restarts of its
// server: calls meanwhile fail, readers, watches and subscriptions go on.
package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/schemas"
)

// Bus is a connection to a server. It is safe for concurrent use.
type Bus struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	lanes  []lane // connections that only append; none: the main one appends
	prefix string
	dir    string // data folder of an embedded server whose metadata is synced by us; else empty

	since atomic.Int64                    // when an append first had no answer, Unix ns; 0: the last one had
	alive atomic.Pointer[context.Context] // done when the embedded server is halted; nil: it is elsewhere
	sound func() func() error             // see Embedded.sound; nil: the server is elsewhere
	fails chan struct{}                   // see Embedded.Fails; nil likewise

	mu      sync.RWMutex
	streams []schemas.Stream
}

// askTimeout bounds a call whose caller set no deadline.
const askTimeout = 5 * time.Second

func newBus(nc *nats.Conn, prefix, dir string) (*Bus, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(askTimeout))
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return &Bus{nc: nc, js: js, prefix: prefix, dir: dir}, nil
}

// lane is a connection of its own for appends. One connection is one queue: with
// hundreds of writers on it, and readers beside them, every answer waits for all.
type lane struct {
	nc *nats.Conn
	js jetstream.JetStream
}

// addLane gives the bus one more connection to append on.
func (b *Bus) addLane(nc *nats.Conn) error {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(askTimeout))
	if err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	b.lanes = append(b.lanes, lane{nc, js})
	return nil
}

// laneOf is where a subject's appends go: always the same connection.
func (b *Bus) laneOf(subject string) jetstream.JetStream {
	if len(b.lanes) == 0 {
		return b.js
	}
	return b.lanes[schemas.HashName(subject)%uint64(len(b.lanes))].js
}

// Close ends the connections after what was published has been handed over.
func (b *Bus) Close() {
	for _, l := range b.lanes {
		l.nc.Close()
	}
	b.nc.Close()
}

// Ensure creates the declared streams or updates their limits. Later calls to
// Append and Last find their stream among them.
func (b *Bus) Ensure(ctx context.Context, streams []schemas.Stream) error {
	for _, s := range streams {
		if err := b.ensure(ctx, s); err != nil {
			return fmt.Errorf("make stream %s%s: %w", b.prefix, s.Name, err)
		}
	}
	b.mu.Lock()
	b.streams = append(b.streams, streams...)
	b.mu.Unlock()
	return b.syncMetadata()
}

func (b *Bus) ensure(ctx context.Context, s schemas.Stream) error {
	cfg := jetstream.StreamConfig{
		Name: b.prefix + s.Name, Description: s.Why, Subjects: s.Subjects,
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
		MaxBytes: s.MaxBytes, Discard: jetstream.DiscardNew, AllowDirect: true,
	}
	if s.Discard == schemas.DiscardOld {
		cfg.Discard = jetstream.DiscardOld
	}
	var err error
	if cfg.Replicas, err = b.replicas(ctx, cfg.Name); err != nil {
		return err
	}
	return untilAnswered(ctx, func() error {
		_, err := b.js.CreateOrUpdateStream(ctx, cfg)
		return err
	})
}

// streamOf is the stream that stores a subject.
func (b *Bus) streamOf(subject string) (string, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, s := range b.streams {
		for _, p := range s.Subjects {
			if matches(p, subject) {
				return b.prefix + s.Name, nil
			}
		}
	}
	return "", fmt.Errorf("no stream stores %s", subject)
}

// matches reports whether a subject falls under a pattern with * and >.
func matches(pattern, subject string) bool {
	for {
		p, pRest, pMore := strings.Cut(pattern, ".")
		s, sRest, sMore := strings.Cut(subject, ".")
		switch {
		case p == ">":
			return true
		case p != "*" && p != s, pMore != sMore:
			return false
		case !pMore:
			return true
		}
		pattern, subject = pRest, sRest
	}
}

// Append stores data as the next message of a subject, if the subject's last
// sequence is after (0: it has none), and returns its sequence. ErrWrongLast and
// ErrFull mean that nothing was stored; any other error leaves it unknown, and
// the caller reads Last before it goes on.
func (b *Bus) Append(ctx context.Context, subject string, data []byte, after uint64) (uint64, error) {
	ack, err := b.store(ctx, subject, data, jetstream.WithExpectLastSequencePerSubject(after))
	if err != nil {
		return 0, fmt.Errorf("append %d bytes to %s after %d: %w", len(data), subject, after, class(err))
	}
	return ack.Sequence, nil
}

// Store stores data as the next message of a subject, whatever was before it.
func (b *Bus) Store(ctx context.Context, subject string, data []byte) (uint64, error) {
	ack, err := b.store(ctx, subject, data)
	if err != nil {
		return 0, fmt.Errorf("store %d bytes on %s: %w", len(data), subject, class(err))
	}
	return ack.Sequence, nil
}

// store publishes to a stream and notes whether the stream answers at all. A
// server that is halted will never answer, so nobody waits for it.
func (b *Bus) store(ctx context.Context, subject string, data []byte, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	bounded, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	life := b.alive.Load()
	if life != nil {
		defer context.AfterFunc(*life, cancel)()
	}
	began := time.Now()
	ack, err := b.laneOf(subject).PublishMsg(bounded, &nats.Msg{Subject: subject, Data: data}, opts...)
	if err != nil && !errors.Is(class(err), ErrWrongLast) {
		b.fail()
	}
	switch {
	case err != nil && life != nil && (*life).Err() != nil:
		return nil, fmt.Errorf("%w: %w", ErrLost, ErrHalted)
	case !errors.Is(err, context.DeadlineExceeded):
		b.answered()
	case ctx.Err() == nil:
		b.unanswered(began)
	}
	return ack, err
}

// Last is the newest message of a subject. ErrNone: it has none. A store that has
// met an error shows messages that it could not write, and hides others that it
// has: of an embedded one Last then tells the error only.
func (b *Bus) Last(ctx context.Context, subject string) (seq uint64, data []byte, err error) {
	name, err := b.streamOf(subject)
	if err != nil {
		return 0, nil, err
	}
	sound := func() error { return nil }
	if b.sound != nil {
		sound = b.sound()
	}
	m, err := b.last(ctx, name, subject)
	if unsound := sound(); unsound != nil {
		return 0, nil, fmt.Errorf("read last of %s: %w", subject, unsound)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read last of %s: %w", subject, class(err))
	}
	return m.Sequence, m.Data, nil
}

func (b *Bus) last(ctx context.Context, name, subject string) (*jetstream.RawStreamMsg, error) {
	return b.message(ctx, name, func(ctx context.Context, s jetstream.Stream) (*jetstream.RawStreamMsg, error) {
		return leader(s).GetLastMsgForSubject(ctx, subject)
	})
}

// Get is one message of a stream by its sequence. ErrNone: it is not there.
func (b *Bus) Get(ctx context.Context, stream string, seq uint64) (Message, error) {
	m, err := b.message(ctx, b.prefix+stream, func(ctx context.Context, s jetstream.Stream) (*jetstream.RawStreamMsg, error) {
		m, err := s.GetMsg(ctx, seq) // any replica's will do
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return leader(s).GetMsg(ctx, seq)
		}
		return m, err
	})
	if err != nil {
		return Message{}, fmt.Errorf("read %s message %d: %w", stream, seq, class(err))
	}
	return Message{Subject: m.Subject, Seq: m.Sequence, Data: m.Data}, nil
}

// Next is the first message of a subject at a sequence or behind it. ErrNone: there is
// none.
func (b *Bus) Next(ctx context.Context, subject string, from uint64) (Message, error) {
	name, err := b.streamOf(subject)
	if err != nil {
		return Message{}, err
	}
	m, err := b.next(ctx, name, subject, from)
	if err != nil {
		return Message{}, fmt.Errorf("read first of %s from %d: %w", subject, from, class(err))
	}
	return Message{Subject: m.Subject, Seq: m.Sequence, Data: m.Data}, nil
}

func (b *Bus) next(ctx context.Context, name, subject string, from uint64) (*jetstream.RawStreamMsg, error) {
	return b.message(ctx, name, func(ctx context.Context, s jetstream.Stream) (*jetstream.RawStreamMsg, error) {
		return leader(s).GetMsg(ctx, from, jetstream.WithGetMsgSubject(subject))
	})
}

// message asks a stream for a message.
func (b *Bus) message(ctx context.Context, name string, get func(context.Context, jetstream.Stream) (*jetstream.RawStreamMsg, error)) (m *jetstream.RawStreamMsg, err error) {
	err = b.patiently(ctx, func(ctx context.Context) error {
		s, err := b.js.Stream(ctx, name)
		if err == nil {
			m, err = get(ctx, s)
		}
		return err
	})
	return m, err
}

// leader is a stream as the server that leads it knows it. Other replicas would
// answer too, with what they have: an older message, or that there is none.
func leader(s jetstream.Stream) jetstream.Stream {
	if c := &s.CachedInfo().Config; c.Replicas > 1 {
		c.AllowDirect = false // the client goes by that
	}
	return s
}

// stream is a stream with its state as its leader knows it.
func (b *Bus) stream(ctx context.Context, name string) (s jetstream.Stream, err error) {
	err = b.patiently(ctx, func(ctx context.Context) error {
		s, err = b.js.Stream(ctx, name)
		return err
	})
	return s, err
}

// Purge removes the messages of a subject with sequences below seq.
func (b *Bus) Purge(ctx context.Context, subject string, below uint64) error {
	name, err := b.streamOf(subject)
	if err != nil {
		return err
	}
	if err = b.roomToPurge(); err == nil {
		err = b.purge(ctx, name, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(below))
	}
	if err != nil {
		return fmt.Errorf("purge %s below %d: %w", subject, below, class(err))
	}
	return nil
}

// Compact removes the messages of a whole stream with sequences below seq.
func (b *Bus) Compact(ctx context.Context, stream string, below uint64) error {
	err := b.roomToPurge()
	if err == nil {
		err = b.purge(ctx, b.prefix+stream, jetstream.WithPurgeSequence(below))
	}
	if err != nil {
		return fmt.Errorf("purge stream %s below %d: %w", stream, below, class(err))
	}
	return nil
}

func (b *Bus) purge(ctx context.Context, name string, which ...jetstream.StreamPurgeOpt) error {
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return err
	}
	return s.Purge(ctx, which...)
}

// Usage is how full a stream is.
type Usage struct {
	Bytes, MaxBytes   int64
	Messages          uint64
	FirstSeq, LastSeq uint64
	LastTime          time.Time
	Made              time.Time         // when the stream was
	Subjects          map[string]uint64 // messages by subject, where asked for
}

// Usage reads a stream's state. With a subject pattern it counts messages by subject.
func (b *Bus) Usage(ctx context.Context, stream, subjects string) (Usage, error) {
	s, err := b.stream(ctx, b.prefix+stream)
	var i *jetstream.StreamInfo
	if err == nil {
		i = s.CachedInfo() // asked for just now
		if subjects != "" {
			i, err = s.Info(ctx, jetstream.WithSubjectFilter(subjects))
		}
	}
	if err != nil {
		return Usage{}, fmt.Errorf("read state of stream %s: %w", stream, class(err))
	}
	return Usage{
		Bytes: int64(i.State.Bytes), MaxBytes: i.Config.MaxBytes, Messages: i.State.Msgs,
		FirstSeq: i.State.FirstSeq, LastSeq: i.State.LastSeq, LastTime: i.State.LastTime, Made: i.Created, Subjects: i.State.Subjects,
	}, nil
}

// Publish sends a message that nobody stores or answers.
func (b *Bus) Publish(subject string, data []byte) error {
	if err := b.nc.Publish(subject, data); err != nil {
		return fmt.Errorf("publish to %s: %w", subject, class(err))
	}
	return nil
}

// Ask sends a request and waits for one answer. ErrNone: nobody listens.
func (b *Bus) Ask(ctx context.Context, subject string, data []byte) ([]byte, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askTimeout)
		defer cancel()
	}
	m, err := b.nc.RequestWithContext(ctx, subject, data)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, fmt.Errorf("ask %s: %w", subject, ErrNone)
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", subject, class(err))
	}
	return m.Data, nil
}
