package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// reader reads a stream by one consumer after the other. A consumer lives in the
// memory of one server, which may die, forget it, or lose what it sent; the next
// one begins behind what has been handed over. That sequence of the stream is all
// that a reader remembers.
type reader struct {
	bus      *Bus
	stream   string // its whole name
	subjects []string
	handle   func(Message) error

	next    uint64        // the first sequence that has not been handed over
	last    uint64        // the last one that is wanted; endless
	beat    time.Duration // between two heartbeats of a consumer that is quiet; see heartbeat
	refused error         // by handle
}

// toTheEnd reads what there is.
func (r *reader) toTheEnd(ctx context.Context) error {
	s, err := r.bus.stream(ctx, r.stream)
	if err != nil {
		return r.failed(ctx, err)
	}
	st := s.CachedInfo().State
	if st.Msgs == 0 {
		return nil
	}
	return r.through(ctx, st.LastSeq)
}

// through reads to a sequence. To an end that there is, it goes on while consumers
// bring something, or until the server has had time enough to answer.
func (r *reader) through(ctx context.Context, last uint64) error {
	r.last = last
	for since := time.Now(); r.next <= r.last; {
		began := r.next
		started := time.Now()
		err := r.consume(ctx)
		r.listen(err, time.Since(started))
		if r.next > began {
			since = time.Now()
		}
		switch {
		case r.refused != nil:
			return r.refused
		case err == nil:
		case lasting(err), r.ends() && r.bus.hopeless(since, err), again(ctx) != nil:
			return r.failed(ctx, err)
		}
	}
	return nil
}

// ends reports whether a reader does not wait for new messages.
func (r *reader) ends() bool { return r.last < endless }

func (r *reader) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("read stream %s: %w", r.stream, class(err))
}

// What a reader asks the server for ahead of what it has handled. The bytes
// leave room for the largest message.
const (
	aheadNear  = 256  // messages, from a server in this process: they are there at once
	aheadFar   = 2048 // messages, from others
	aheadBytes = maxPayload + 1<<20
)

// near reports whether the server is in this process.
func (r *reader) near() bool { return r.bus.sound != nil }

// ahead is how many messages are asked for at a time.
func (r *reader) ahead() uint64 {
	if r.near() {
		return aheadNear
	}
	return aheadFar
}

// A consumer that is quiet says this often that it is still there. After two
// heartbeats that are missing the reader takes another one. Where the machine is
// starved, and not the consumer gone, that makes things worse: so it listens twice as
// long to the next one, until one has lasted.
const (
	firstBeat   = time.Second
	longestBeat = 8 * time.Second
	lasted      = time.Minute
)

// heartbeat is how often the consumer is to say that it is there. One in this process
// goes with its connection, which tells, so whoever waits there for what is new need
// not be woken for less.
func (r *reader) heartbeat() time.Duration {
	if r.near() && !r.ends() {
		return longestBeat
	}
	return r.beat
}

// listen is how long the next consumer is listened to, after one that ended with err.
func (r *reader) listen(err error, lived time.Duration) {
	switch {
	case errors.Is(err, jetstream.ErrNoHeartbeat) && lived < lasted:
		r.beat = min(2*r.beat, longestBeat)
	case lived >= lasted:
		r.beat = firstBeat
	}
}

// errGap: a consumer has sent messages that did not arrive, because the connection
// was lost or the client had no room for them.
var errGap = errors.New("messages were lost on their way")

// consume hands over what one consumer brings.
func (r *reader) consume(ctx context.Context) error {
	c, err := r.consumer(ctx)
	if err != nil {
		return err
	}
	defer r.dismiss(c.CachedInfo().Name)
	if c.CachedInfo().NumPending == 0 {
		if err := r.look(ctx); err != nil || r.next > r.last {
			return err
		}
	}
	ahead := int(min(r.ahead(), r.last-r.next+1))
	it, err := c.Messages(jetstream.PullMaxMessagesWithBytesLimit(ahead, aheadBytes), jetstream.PullHeartbeat(r.heartbeat()))
	if err != nil {
		return err
	}
	defer it.Stop()
	defer context.AfterFunc(ctx, it.Stop)()
	defer r.stopWithConnection(it)()
	return r.iterate(ctx, it)
}

// stopWithConnection ends a consumer when the connection has come back from
// somewhere, where nobody may know of it: missing heartbeats would tell later. The
// func that it returns is called when the consumer is not read any more.
func (r *reader) stopWithConnection(it jetstream.MessagesContext) (end func()) {
	back, ended := r.bus.nc.StatusChanged(nats.CONNECTED), make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-back:
			it.Stop()
		case <-ended:
		}
	})
	return func() {
		r.bus.nc.RemoveStatusListener(back)
		close(ended)
		watching.Wait()
	}
}

// consumer makes a consumer. Each try has a name of its own, so that in a cluster
// another server may be chosen for it.
func (r *reader) consumer(ctx context.Context) (c jetstream.Consumer, err error) {
	err = r.bus.patiently(ctx, func(ctx context.Context) (err error) {
		name := rand.Text()
		if c, err = r.bus.js.CreateConsumer(ctx, r.stream, jetstream.ConsumerConfig{
			Name: name, FilterSubjects: r.subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.next,
			AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
		}); err != nil {
			r.dismiss(name) // it may be made yet
		}
		return err
	})
	return c, err
}

// dismiss removes a consumer and does not wait for it: the server would keep it, with
// three goroutines, until it has been inactive for long enough.
func (r *reader) dismiss(name string) {
	_ = r.bus.nc.Publish(jetstream.DefaultAPIPrefix+"CONSUMER.DELETE."+r.stream+"."+name, nil)
}

// iterate hands over messages until the last one that is wanted. Who waits for no new
// ones asks, where none comes, whether one is left.
func (r *reader) iterate(ctx context.Context, it jetstream.MessagesContext) error {
	wait := jetstream.NextOpt(jetstream.NextContext(ctx))
	if r.ends() {
		wait = jetstream.NextMaxWait(5 * r.beat / 2) // two heartbeats are missed before
	}
	for received := uint64(1); r.next <= r.last; received++ {
		m, err := it.Next(wait)
		for errors.Is(err, nats.ErrTimeout) {
			if err := r.look(ctx); err != nil || r.next > r.last {
				return err
			}
			m, err = it.Next(wait)
		}
		if err == nil {
			err = r.take(ctx, m, received)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take hands over a message, which must be the one behind those that its consumer
// has sent before.
func (r *reader) take(ctx context.Context, m jetstream.Msg, number uint64) error {
	place, err := m.Metadata()
	if err != nil {
		return err
	}
	if place.Sequence.Consumer != number {
		return errGap
	}
	if place.Sequence.Stream <= r.last {
		r.refused = r.handle(Message{
			Subject: m.Subject(), Seq: place.Sequence.Stream, Data: m.Data(), Pending: place.NumPending, header: m.Headers(),
		})
	}
	if r.refused != nil {
		return r.refused
	}
	r.next = place.Sequence.Stream + 1
	if place.NumPending == 0 {
		return r.look(ctx)
	}
	return nil
}

// look asks whether one of the messages that are wanted is left, unless it waits for
// new ones. The consumer does not know: it reads from one replica, which may lack the
// newest messages.
func (r *reader) look(ctx context.Context) error {
	if !r.ends() || r.next > r.last {
		return nil
	}
	subjects := r.subjects
	if len(subjects) == 0 {
		subjects = []string{">"}
	}
	for _, subject := range subjects {
		m, err := r.bus.next(ctx, r.stream, subject, r.next)
		if err == nil && m.Sequence <= r.last {
			return nil
		}
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return err
		}
	}
	r.next = r.last + 1
	return nil
}
