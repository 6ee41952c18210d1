package fold

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/bus"
)

// plan is a history of processes over one server.
type plan struct {
	setup
	lives []lifePlan
	rest  []uint64 // fed to the last process, which meets no faults
}

type lifePlan struct {
	faults []fault
	steps  []step
	clean  bool // it stops in order, if it lives that long
}

type step struct {
	feed  []uint64
	sleep time.Duration
	purge bool // of the input that two checkpoints cover
}

func plans() *rapid.Generator[plan] {
	numbers := rapid.SliceOfN(rapid.Uint64Max(300), 0, 12)
	steps := rapid.Custom(func(t *rapid.T) step {
		return step{
			feed: numbers.Draw(t, "feed"), purge: rapid.Bool().Draw(t, "purge"),
			sleep: rapid.SampledFrom([]time.Duration{0, time.Second, saveEvery}).Draw(t, "sleep"),
		}
	})
	lives := rapid.Custom(func(t *rapid.T) lifePlan {
		mishaps := rapid.Custom(func(t *rapid.T) fault {
			if rapid.IntRange(0, 3).Draw(t, "odds") > 0 {
				return fine
			}
			return fault(rapid.IntRange(int(fine), int(faults)-1).Draw(t, "fault"))
		})
		return lifePlan{
			faults: rapid.SliceOfN(mishaps, 0, 40).Draw(t, "faults"),
			steps:  rapid.SliceOfN(steps, 0, 4).Draw(t, "steps"), clean: rapid.Bool().Draw(t, "clean"),
		}
	})
	return rapid.Custom(func(t *rapid.T) plan {
		return plan{
			setup: setup{
				kind: &adder{
					every: rapid.IntRange(1, 4).Draw(t, "every"), keys: rapid.IntRange(0, 5).Draw(t, "keys"),
					sketch: rapid.SampledFrom([]int{0, 100}).Draw(t, "sketch"), early: rapid.IntRange(0, 6).Draw(t, "early"),
					padding: rapid.SampledFrom([]int{0, 1500}).Draw(t, "padding"),
				},
				size:    rapid.SampledFrom([]int{400, 900, 1 << 20}).Draw(t, "size"),
				onSight: rapid.Bool().Draw(t, "on sight"),
			},
			lives: rapid.SliceOfN(lives, 0, 6).Draw(t, "lives"), rest: numbers.Draw(t, "rest"),
		}
	})
}

// play plays a plan and says what is wrong with the outbox at its end.
func (p plan) play() (wrong string) {
	srv := newServer()
	var fed []uint64
	for _, lp := range p.lives {
		l := p.start(srv, lp.faults...)
		for _, st := range lp.steps {
			srv.feed(st.feed...)
			fed = append(fed, st.feed...)
			later(st.sleep)
			if s := l.stage(); st.purge && s != nil {
				srv.remove(schemas.StreamJournal, func(m bus.Message) bool { return m.Seq < s.SafeBefore() })
			}
		}
		if lp.clean {
			_ = l.stop()
		} else {
			l.crash()
		}
		if s := l.stage(); s != nil && s.Mismatches() > 0 {
			return l.log.String()
		}
	}
	l := p.start(srv)
	srv.feed(p.rest...)
	fed = append(fed, p.rest...)
	later(time.Minute)
	if err := l.stop(); err != nil {
		return fmt.Sprintf("the last process: %v", err)
	}
	if s := l.stage(); s != nil && s.Mismatches() > 0 {
		return l.log.String()
	}
	return fromUndisturbed(srv, p.setup, fed)
}

// TestRestarts: whatever fails and wherever processes die, the outbox holds
// exactly what an undisturbed stage writes, byte for byte.
func TestRestarts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := plans().Draw(rt, "plan")
		var wrong string
		synctest.Test(t, func(*testing.T) { wrong = p.play() })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// TestStopBehindFullQueue stops processes that are far behind, in order: what one
// of them had read and not folded, the next one folds, and none is passed over.
func TestStopBehindFullQueue(t *testing.T) {
	numbers := upTo(20 * queueLen)
	bubble(t, "", func(t *testing.T, srv *server) {
		s := setup{kind: &adder{every: 7, keys: 1, takes: time.Millisecond}}
		for range 2 * len(numbers) / queueLen {
			l := s.start(srv)
			if len(srv.all(journal)) == 0 {
				srv.feed(numbers...)
			}
			later(queueLen / 2 * time.Millisecond)
			if err := l.stop(); err != nil {
				t.Fatal(err)
			}
		}
		l := s.start(srv)
		later(time.Minute)
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		wantUndisturbed(t, srv, s, numbers)
	})
}
