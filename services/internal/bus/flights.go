package bus

import (
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// flight is a message that was sent and has no answer yet.
type flight struct {
	size     int                    // bytes
	question bool                   // it takes no room, and who asks minds the time
	moved    time.Time              // when it started, or something that started before it was last answered
	done     func(*nats.Msg, error) // called exactly once, by whoever took the flight out
}

// flights are what a Sender has in flight, numbered in the order of their start.
// They are not safe for concurrent use.
type flights struct {
	in              map[uint64]*flight
	last            uint64 // number of the newest
	messages, bytes int    // of what is stored, without questions
	mostMessages    int    // caps, at least 1
	mostBytes       int
	answered        uint64        // lowest number answered since late was last called; 0: none
	room            chan struct{} // closed and replaced when there may be room
}

func newFlights(messages, bytes int) flights {
	return flights{in: map[uint64]*flight{}, mostMessages: messages, mostBytes: bytes, room: make(chan struct{})}
}

func (f *flights) limit(messages, bytes int) {
	f.mostMessages, f.mostBytes = messages, bytes
	f.wake()
}

// fit reports whether there is room. What is larger than all room goes alone.
func (f *flights) fit(size int) bool {
	return f.messages == 0 || f.messages < f.mostMessages && f.bytes+size <= f.mostBytes
}

// add numbers a flight.
func (f *flights) add(one *flight, now time.Time) uint64 {
	f.last++
	one.moved = now
	f.in[f.last] = one
	if !one.question {
		f.messages++
		f.bytes += one.size
	}
	return f.last
}

// take takes a flight out; nil: it is not there any more.
func (f *flights) take(n uint64) *flight {
	one := f.in[n]
	if one == nil {
		return nil
	}
	delete(f.in, n)
	if !one.question {
		f.messages--
		f.bytes -= one.size
		f.wake()
	}
	return one
}

// answer takes out a flight that has its answer; nil: it is not there any more.
func (f *flights) answer(n uint64) *flight {
	one := f.take(n)
	if one != nil && !one.question && (f.answered == 0 || n < f.answered) {
		f.answered = n
	}
	return one
}

// clear takes out everything, oldest first.
func (f *flights) clear() []*flight {
	return f.takeAll(func(uint64, *flight) bool { return true })
}

// late takes out what has waited for silence while nothing that was sent before
// it was answered, oldest first. What was answered counts from one call to the
// next, so that the calls' distance is how exact silence is.
func (f *flights) late(now time.Time, silence time.Duration) []*flight {
	answered := f.answered
	f.answered = 0
	return f.takeAll(func(n uint64, one *flight) bool {
		if answered != 0 && answered < n {
			one.moved = now
		}
		return !one.question && now.Sub(one.moved) >= silence
	})
}

func (f *flights) takeAll(which func(uint64, *flight) bool) []*flight {
	var numbers []uint64
	for n, one := range f.in {
		if which(n, one) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	list := make([]*flight, len(numbers))
	for i, n := range numbers {
		list[i] = f.take(n)
	}
	return list
}

// wake lets everybody look who waits for room.
func (f *flights) wake() {
	close(f.room)
	f.room = make(chan struct{})
}
