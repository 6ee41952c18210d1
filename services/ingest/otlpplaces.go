package ingest

import (
	"slices"
	"sync"
	"time"
)

// maxInFlight bounds the OTLP requests that are there at the same time, from
// before their body is read until they are answered.
const maxInFlight = 32

// A body that is there after slowBody may be cut off in favor of others, and is
// cut off after bodyWithin.
const (
	slowBody   = 2 * time.Second
	bodyWithin = 30 * time.Second
)

// places are what requests take before their body is read. Senders who hang keep
// others out for a while, not for good: who has been read for longest leaves when
// somebody else comes and there is no place.
type places struct {
	mu      sync.Mutex
	free    int
	reading []*place // whose body is being read, the longest first
}

// place is that of one request.
type place struct {
	of     *places
	since  time.Time
	cut    func() // ends the reading of the body; called once at most, and must not block
	wasCut bool
}

// take is a place, nil if there is none. cut may be called from elsewhere until
// the body is there.
func (p *places) take(now time.Time, cut func()) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == 0 {
		p.hurry(now)
		return nil
	}
	p.free--
	taken := &place{of: p, since: now, cut: cut}
	p.reading = append(p.reading, taken)
	return taken
}

// hurry cuts off who has been read for longest, if that is long. Its place is free
// when somebody comes again.
func (p *places) hurry(now time.Time) {
	if len(p.reading) > 0 && now.Sub(p.reading[0].since) > slowBody {
		p.reading[0].interrupt()
	}
}

// expire cuts off the reading of the body, if it is not there.
func (l *place) expire() {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if slices.Contains(l.of.reading, l) {
		l.interrupt()
	}
}

// interrupt ends the reading of the body.
func (l *place) interrupt() {
	l.wasCut = true
	l.read()
	l.cut()
}

// read notes that the body is no longer being read.
func (l *place) read() {
	if i := slices.Index(l.of.reading, l); i >= 0 {
		l.of.reading = slices.Delete(l.of.reading, i, i+1)
	}
}

// complete says that reading has ended, and reports whether nothing cut it off.
func (l *place) complete() bool {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.read()
	return !l.wasCut
}

// leave gives the place back.
func (l *place) leave() {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.read()
	l.of.free++
}

// taken is how many places are.
func (p *places) taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maxInFlight - p.free
}
