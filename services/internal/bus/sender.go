package bus

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"weir/schemas"
)

// upInboxes are where answers from the tier above come, by the name of who
// links: the tier above lets a link hear its own only.
const upInboxes = "_UP."

func upInbox(name string) string { return upInboxes + name + "." }

// What a Sender has in flight, at most, unless told otherwise.
const (
	flightMessages = 256
	flightBytes    = 4 << 20
	mostFlights    = 4 * flightMessages // whatever it is told: there is room for their answers
)

// sendSilence is how long an answer may fail to come while none comes to what was
// sent before it either. A slow link is not a dead one: a message waits in line
// for as long as the line moves.
const sendSilence = 5 * time.Second

// sendCheck is how often a Sender looks at the clock and at its link.
const sendCheck = 250 * time.Millisecond

// Sender brings messages to the streams of the tier above, many in flight, and
// asks it questions. It is safe for concurrent use.
//
// One goroutine settles what is in flight: it takes the answers, and fails
// everything when the link or the connection is lost, and what is silent for too
// long. It ends with Close.
type Sender struct {
	nc      *nats.Conn
	sub     *nats.Subscription
	inbox   string        // prefix of the reply subjects; a flight's number follows
	link    func() uint64 // tells one link from the next, 0: there is none; nil: the connection is all there is
	release func()        // gives up what was opened for this sender only

	answers chan *nats.Msg
	status  chan nats.Status
	stop    chan struct{} // closed by Close
	ended   chan struct{} // closed by the goroutine

	mu      sync.Mutex
	flights flights
	closed  bool
}

// Sender makes a sender for a process that is known above as name, over this
// connection: the server at its other end links upwards, or is the tier above.
func (b *Bus) Sender(name string) (*Sender, error) {
	return newSender(b.nc, name, nil, func() {})
}

// Sender makes a sender for a process that is known above as name, with a
// connection of its own: what goes up does not wait behind what is appended here.
// It is to be closed before the server stops.
func (e *Embedded) Sender(name string) (*Sender, error) {
	nc, err := e.dial("weir-up-" + name)
	if err != nil {
		return nil, err
	}
	link := e.uplink
	if e.cfg.Upstream == nil {
		link = nil
	}
	s, err := newSender(nc, name, link, nc.Close)
	if err != nil {
		nc.Close()
	}
	return s, err
}

func newSender(nc *nats.Conn, name string, link func() uint64, release func()) (*Sender, error) {
	if !schemas.ValidName(name) {
		return nil, fmt.Errorf("make sender: %q is no name of an agent or region", name)
	}
	s := &Sender{
		nc: nc, inbox: upInbox(name) + rand.Text() + ".", link: link, release: release,
		answers: make(chan *nats.Msg, 2*mostFlights), stop: make(chan struct{}), ended: make(chan struct{}),
		flights: newFlights(flightMessages, flightBytes),
	}
	var err error
	if s.sub, err = nc.ChanSubscribe(s.inbox+"*", s.answers); err == nil {
		err = nc.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("make sender %s: %w", name, err)
	}
	s.status = nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	go s.run()
	return s, nil
}

// Limit sets what may be in flight from now on: what is, delays whatever is sent
// next. messages is 1 to 1024, bytes at least 1, and anything else the nearest of
// these; a message larger than bytes goes alone.
func (s *Sender) Limit(messages, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flights.limit(min(max(messages, 1), mostFlights), max(bytes, 1))
}

// Send sends a message to be stored. It blocks while too much is in flight. If it
// returns nil, done is called exactly once: with nil when the message is stored,
// with ErrFull when it is not, with any other error when it may or may not be. If
// it returns an error, nothing was sent and done is never called. done is called
// by the sender's goroutine, one at a time: it must be quick and must not call
// the sender.
func (s *Sender) Send(ctx context.Context, subject string, data []byte, done func(error)) error {
	n, err := s.takeOff(ctx, &flight{size: len(data), done: func(m *nats.Msg, err error) {
		if err == nil {
			err = stored(m)
		}
		if err != nil {
			err = fmt.Errorf("send %d bytes to %s: %w", len(data), subject, err)
		}
		done(err)
	}})
	if err == nil {
		err = s.publish(n, subject, data)
	}
	if err != nil {
		return fmt.Errorf("send %d bytes to %s: %w", len(data), subject, err)
	}
	return nil
}

// Ask sends a question up and waits for one answer. ErrLost, at once: there is no link.
// ErrNone: nobody listens; a region that keeps links apart does not tell, so that it
// shows only in ctx's end.
func (s *Sender) Ask(ctx context.Context, subject string, data []byte) ([]byte, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askTimeout)
		defer cancel()
	}
	type answer struct {
		m   *nats.Msg
		err error
	}
	got := make(chan answer, 1)
	n, err := s.takeOff(ctx, &flight{question: true, done: func(m *nats.Msg, err error) { got <- answer{m, err} }})
	if err == nil {
		err = s.publish(n, subject, data)
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", subject, err)
	}
	var a answer
	select {
	case a = <-got:
	case <-ctx.Done():
		s.land(n)
		a.err = ctx.Err()
	}
	if a.err == nil && nobody(a.m) {
		a.err = ErrNone
	}
	if a.err != nil {
		return nil, fmt.Errorf("ask %s: %w", subject, a.err)
	}
	return a.m.Data, nil
}

// errClosed is what comes of a sender's flights when it is closed.
var errClosed = fmt.Errorf("%w: the sender was closed", ErrLost)

// Close fails what is in flight. It returns when the last done has been called.
func (s *Sender) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.flights.wake()
	s.mu.Unlock()
	if first {
		close(s.stop)
	}
	<-s.ended
}

// takeOff adds a flight when there is room for it.
func (s *Sender) takeOff(ctx context.Context, f *flight) (uint64, error) {
	for {
		s.mu.Lock()
		switch {
		case s.closed:
			s.mu.Unlock()
			return 0, errClosed
		case !s.nc.IsConnected():
			s.mu.Unlock()
			return 0, fmt.Errorf("%w: not connected", ErrLost)
		case f.question && s.link != nil && s.link() == 0:
			s.mu.Unlock()
			return 0, fmt.Errorf("%w: there is no link", ErrLost)
		case f.question || s.flights.fit(f.size):
			defer s.mu.Unlock()
			return s.flights.add(f, time.Now()), nil
		}
		room := s.flights.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// publish sends a flight's message. It returns nil if the flight has come to its
// end meanwhile, so that either done is called or the caller hears of it.
func (s *Sender) publish(n uint64, subject string, data []byte) error {
	err := s.nc.PublishRequest(subject, s.inbox+strconv.FormatUint(n, 36), data)
	if err != nil && s.land(n) == nil {
		return nil
	}
	return err
}

// land takes a flight out of the air; nil: somebody else has.
func (s *Sender) land(n uint64) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flights.take(n)
}

// run settles what is in flight until the sender is closed.
func (s *Sender) run() {
	defer close(s.ended)
	defer s.release()
	defer s.nc.RemoveStatusListener(s.status)
	defer func() { _ = s.sub.Unsubscribe() }()
	tick := time.NewTicker(sendCheck)
	defer tick.Stop()
	var link uint64
	for {
		select {
		case m := <-s.answers:
			s.settle(m)
		case status := <-s.status:
			s.fail(fmt.Errorf("%w: the connection is %v", ErrLost, status))
		case <-tick.C:
			link = s.check(link)
		case <-s.stop:
			s.fail(errClosed)
			return
		}
	}
}

// settle hands an answer to its flight. Answers to flights that have failed are
// dropped.
func (s *Sender) settle(m *nats.Msg) {
	n, err := strconv.ParseUint(m.Subject[len(s.inbox):], 36, 64)
	if err != nil {
		return
	}
	s.mu.Lock()
	f := s.flights.answer(n)
	s.mu.Unlock()
	if f != nil {
		f.done(m, nil)
	}
}

// check fails everything when there is no link, or another than there was, and
// what has been silent for too long. It returns the link as it is; 0 while nothing is
// in flight: then any link will do.
func (s *Sender) check(was uint64) (is uint64) {
	if s.idle() {
		return 0
	}
	if s.link != nil {
		is = s.link()
		if is == 0 || was != 0 && is != was {
			s.fail(fmt.Errorf("%w: the link was lost", ErrLost))
			return is
		}
	}
	s.mu.Lock()
	late := s.flights.late(time.Now(), sendSilence)
	s.mu.Unlock()
	for _, f := range late {
		f.done(nil, fmt.Errorf("%w within %v", ErrLost, sendSilence))
	}
	return is
}

// idle reports whether nothing is in flight.
func (s *Sender) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.flights.in) == 0
}

// fail brings everything in flight to its end.
func (s *Sender) fail(why error) {
	s.mu.Lock()
	all := s.flights.clear()
	s.mu.Unlock()
	for _, f := range all {
		f.done(nil, why)
	}
}
