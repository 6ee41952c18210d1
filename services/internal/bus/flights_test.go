package bus

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"
)

// TestFlights plays starts, answers and losses: what is in flight is always
// counted right, and each flight comes out once.
func TestFlights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFlights(rapid.IntRange(1, 5).Draw(t, "messages"), rapid.IntRange(1, 100).Draw(t, "bytes"))
		now := time.Unix(0, 0)
		in := map[uint64]*flight{}
		out := func(list ...*flight) {
			for _, one := range list {
				one.done(nil, nil)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				one := &flight{size: rapid.IntRange(0, 120).Draw(t, "size"), question: rapid.Bool().Draw(t, "question")}
				if !one.question && !f.fit(one.size) {
					t.Skip("no room")
				}
				n := f.add(one, now)
				one.done = func(*nats.Msg, error) {
					if in[n] != one {
						t.Fatalf("flight %d came out twice", n)
					}
					delete(in, n)
				}
				in[n] = one
			},
			"answer": func(t *rapid.T) {
				n := rapid.Uint64Range(0, f.last+1).Draw(t, "n")
				one := f.answer(n)
				if (one != nil) != (in[n] != nil) {
					t.Fatalf("flight %d: %v in flight", n, in[n] != nil)
				}
				if one != nil {
					out(one)
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "seconds")) * time.Second)
				out(f.late(now, sendSilence)...)
			},
			"lose": func(*rapid.T) { out(f.clear()...) },
			"": func(t *rapid.T) {
				messages, bytes := 0, 0
				for _, one := range in {
					if !one.question {
						messages, bytes = messages+1, bytes+one.size
					}
				}
				if len(f.in) != len(in) || f.messages != messages || f.bytes != bytes {
					t.Fatalf("%d in flight, %d messages, %d bytes; want %d, %d, %d", len(f.in), f.messages, f.bytes, len(in), messages, bytes)
				}
				if messages > f.mostMessages || messages > 1 && bytes > f.mostBytes {
					t.Fatalf("%d messages of %d bytes in flight, caps %d and %d", messages, bytes, f.mostMessages, f.mostBytes)
				}
			},
		})
	})
}

// TestLate: a message is not late for as long as those before it are answered.
func TestLate(t *testing.T) {
	f := newFlights(10, 100)
	now := time.Unix(0, 0)
	sizes := func(list []*flight) (out []int) {
		for _, one := range list {
			out = append(out, one.size)
		}
		return out
	}
	after := func(d time.Duration, want ...int) {
		t.Helper()
		now = now.Add(d)
		if got := sizes(f.late(now, sendSilence)); !slices.Equal(got, want) {
			t.Errorf("late: %v, want %v", got, want)
		}
	}
	for size := range 4 {
		f.add(&flight{size: size + 1}, now)
	}
	f.add(&flight{question: true}, now)
	after(4 * time.Second)
	f.answer(1) // all others stand behind it
	after(4 * time.Second)
	f.answer(3) // 2 was before it, so only 4 moves
	after(time.Second)
	after(4*time.Second, 2)
	after(time.Second, 4)
	after(time.Hour) // who asks minds the time
	if got := f.clear(); len(got) != 1 || !got[0].question {
		t.Errorf("%d are left", len(got))
	}
}
