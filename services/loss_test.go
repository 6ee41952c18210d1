package services_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/bus"
)

// wrong says what cannot be: a reading counted twice, one that is missing and not
// declared, or a balance that does not close.
func (w *world) wrong(loss loss) string {
	v := w.verdict()
	t := v.ledger.Totals
	missing := v.made - v.counted - v.late + v.twice
	switch {
	case w.failed != nil:
		return w.failed.Error()
	case v.twice > 0:
		return fmt.Sprintf("%d readings are counted twice", v.twice)
	case t.Unexplained != 0 || v.check.Unexplained != 0 || v.check.Debt != 0:
		return fmt.Sprintf("unexplained %d and %d, debt %d: %+v", t.Unexplained, v.check.Unexplained, v.check.Debt, t)
	case t.InFlight != 0 || t.Counted != v.counted:
		return fmt.Sprintf("the ledger has %d counted and %d in flight, windows have %d", t.Counted, t.InFlight, v.counted)
	case v.again > 0 || v.passed != v.said:
		return fmt.Sprintf("%d log records are passed on, %d of them again; the region says %d", v.passed, v.again, v.said)
	case v.silent > v.held:
		return fmt.Sprintf("%d log records of readings that count are not passed on, and %d are held back", v.silent, v.held)
	case v.passed+v.held+t.LostDeclared+t.Shed < v.made && loss < memory:
		return fmt.Sprintf("of %d log records %d are passed on and %d held back; declared %+v", v.made, v.passed, v.held, t)
	case loss == none && (v.held > 0 || v.passed != v.made):
		return fmt.Sprintf("nothing was lost, but of %d log records %d are passed on and %d held back", v.made, v.passed, v.held)
	case loss == none && (missing != 0 || t.LostDeclared != 0 || t.Shed != 0):
		return fmt.Sprintf("nothing was lost, but of %d readings %d are counted and %d late; declared %+v", v.made, v.counted, v.late, t)
	case loss < memory && missing > t.LostDeclared+t.Shed:
		return fmt.Sprintf("of %d readings %d are missing; declared are %d lost and %d shed", v.made, missing, t.LostDeclared, t.Shed)
	case loss < memory && t.Received-t.Duplicate+t.LostDeclared != v.made:
		return fmt.Sprintf("of %d readings %d are received, %d of them repeats, and %d declared lost: off by %+d; %+v %+v",
			v.made, t.Received, t.Duplicate, t.LostDeclared, int64(t.Received-t.Duplicate+t.LostDeclared-v.made), t, v.ledger.Reasons)
	}
	return ""
}

// loss is what a history has lost.
type loss int

const (
	none   loss = iota
	some        // parts of stores
	memory      // what the agent knew of devices' numbers: what was acknowledged and not yet committed leaves no trace
)

// scene plays a scripted history in a bubble and wants everything right at its end.
func scene(t *testing.T, name string, loss loss, play func(w *world)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.start()
			w.steps(50)
			play(w)
			w.settle()
			w.crash()
			v := w.verdict()
			t.Logf("%d readings: %d counted, %d late; ledger %+v; reasons %+v", v.made, v.counted, v.late, v.ledger.Totals, v.ledger.Reasons)
			if wrong := w.wrong(loss); wrong != "" {
				t.Errorf("%s\n%s", wrong, w.log.String())
			}
		})
	})
}

// birth plays the beginning of an agent that has no link at its end, and wants it to fold
// at its next start, and everything to be right when the link is back.
func birth(t *testing.T, name string, play func(w *world)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			play(w)
			if n := len(w.box.all(agentBox)); n > 0 {
				t.Fatalf("it has made %d commits before it died", n)
			}
			w.start()
			w.steps(20)
			if n := len(w.box.all(agentBox)); n == 0 {
				t.Errorf("it folds nothing without a link\n%s", w.log.String())
			}
			w.settle()
			w.crash()
			if wrong := w.wrong(none); wrong != "" {
				t.Errorf("%s\n%s", wrong, w.log.String())
			}
		})
	})
}

// pass, in a bubble, lets a second pass, and what was due be done.
func pass() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func (w *world) steps(n int) {
	for range n {
		w.step(false)
	}
}

// down ends the process, changes its folder, and starts it again.
func (w *world) down(change func(b *box)) {
	w.crash()
	if change != nil {
		change(w.box)
	}
	w.start()
}

func TestLossScenes(t *testing.T) {
	journal, outbox, state := schemas.StreamJournal, schemas.StreamAgentOutbox, schemas.StreamCheckpoint
	scene(t, "nothing", none, func(w *world) {})
	scene(t, "a crash", none, func(w *world) { w.down(nil) })
	scene(t, "a crash without a link", none, func(w *world) {
		w.reach(false)
		w.steps(7)
		w.down(nil)
		w.steps(11)
		w.down(nil)
		w.steps(5)
	})
	scene(t, "an outbox without its end", none, func(w *world) { w.down(func(b *box) { b.loseEnd(outbox, 3) }) })
	scene(t, "an older copy", some, func(w *world) {
		old := w.box.copied()
		w.steps(40)
		w.down(nil)
		w.steps(13)
		w.crash()
		w.box = old
		w.start()
	})
	scene(t, "an older copy without a link", some, func(w *world) {
		old := w.box.copied()
		w.steps(40)
		w.crash()
		w.box = old
		w.reach(false)
		w.start()
		w.steps(20)
		w.down(nil)
		w.steps(3)
	})
	birth(t, "an agent that dies before its first commit, and has no link then", func(w *world) {
		w.start()
		w.frame(false)
		w.crash()
		w.reach(false)
	})
	birth(t, "an agent that never had a link, and dies before its first commit", func(w *world) {
		w.reach(false)
		w.start()
		w.frame(false)
		w.crash()
	})
	for _, lost := range [][]string{{outbox}, {state}, {journal}, {outbox, state}, {outbox, journal}, {journal, state}, {outbox, state, journal}} {
		for _, link := range []bool{true, false} {
			scene(t, fmt.Sprintf("%v is lost, link %v", lost, link), some, func(w *world) {
				w.crash()
				w.reach(link)
				for _, s := range lost {
					w.box.loseAll(s)
				}
				w.start()
				w.steps(10)
			})
		}
	}
	scene(t, "all is lost without a link, and what was not answered comes again", memory, func(w *world) {
		w.crash()
		w.steps(6) // whole windows wait at the devices
		w.start()
		w.step(true)
		w.reach(false)
		w.down(func(b *box) {
			for _, s := range []string{journal, outbox, state} {
				b.loseAll(s)
			}
		})
		w.steps(2)
	})
	scene(t, "journal and checkpoints of a second epoch are lost without a link, and what was not answered comes again", memory, func(w *world) {
		w.reach(false)
		w.down(nil)
		w.devs[0].quiet = true
		w.steps(20)
		w.devs[0].quiet = false
		w.step(true) // whole windows of one device
		w.step(true)
		w.down(func(b *box) {
			b.loseAll(journal)
			b.loseAll(state)
		})
	})
	scene(t, "an older copy without a link, whose journal and outbox end too early", some, func(w *world) {
		w.reach(false)
		w.step(false)
		old := w.box.copied()
		w.steps(17)
		w.crash()
		w.box = old
		old.loseEnd(journal, 4)
		old.loseEnd(outbox, 4)
		w.start()
		w.steps(11)
	})
	for n := 1; n < 4; n++ {
		scene(t, fmt.Sprintf("a journal without its last %d", n), some, func(w *world) { w.down(func(b *box) { b.loseEnd(journal, n) }) })
		scene(t, fmt.Sprintf("journal and outbox without their last %d", n), some, func(w *world) {
			w.down(func(b *box) {
				b.loseEnd(journal, n)
				b.loseEnd(outbox, n)
			})
		})
	}
}

// TestLossHistories: whatever is lost or put back, and whenever, no reading counts
// twice, what is missing is declared, and balances close.
func TestLossHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := histories().Draw(rt, "history")
		var wrong string
		synctest.Test(t, func(*testing.T) { wrong = h.play() })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// history is what happens to an agent.
type history []act

type act struct {
	what string
	n    int
}

func histories() *rapid.Generator[history] {
	acts := []string{
		"steps", "steps", "steps", "deaf", "crash", "down", "link", "away", "copy", "restore",
		"lose outbox", "lose state", "lose journal", "cut journal", "cut outbox", "cut both",
	}
	return rapid.Custom(func(t *rapid.T) (h history) {
		for range rapid.IntRange(1, 14).Draw(t, "acts") {
			h = append(h, act{rapid.SampledFrom(acts).Draw(t, "act"), rapid.IntRange(1, 45).Draw(t, "n")})
		}
		return h
	})
}

// harmless are the acts that lose nothing.
var harmless = []string{"steps", "deaf", "crash", "down", "link", "away", "copy", "cut outbox"}

// play plays the history and says what is wrong at its end.
func (h history) play() string {
	w := newWorld()
	w.start()
	var old *box
	w.steps(15)
	loss := none
	for _, a := range h {
		switch {
		case a.what == "lose state":
			loss = memory
		case !slices.Contains(harmless, a.what):
			loss = max(loss, some)
		}
		w.act(a, &old)
		if a.what == "cut outbox" && w.box.cutShort() {
			loss = max(loss, some) // what the checkpoint includes is not made again
		}
		if loss == some && w.box.state() == nil {
			loss = memory // before the first checkpoint the journal is all there is
		}
		if w.stop == nil && a.what != "down" {
			w.start()
		}
	}
	w.settle()
	w.crash()
	if wrong := w.wrong(loss); wrong != "" {
		return wrong + "\n" + w.log.String()
	}
	return ""
}

// cutShort reports whether the outbox ends before what the newest checkpoint includes.
func (b *box) cutShort() bool {
	state, entries := b.state(), b.all(agentBox)
	if state == nil || len(entries) == 0 {
		return len(entries) == 0
	}
	newest, err := new(schemas.CommitDecoder).Decode(entries[len(entries)-1].Data, 0)
	if err != nil {
		return true
	}
	if newest.Epoch == state.Epoch {
		return newest.N < state.N
	}
	return !slices.ContainsFunc(newest.Continues, func(k schemas.Continuation) bool { return k.Epoch == state.Epoch })
}

// state is the newest checkpoint; nil: there is none, or it is of an agent that had folded nothing.
func (b *box) state() *schemas.Checkpoint {
	states := b.all(schemas.State(agent))
	if len(states) == 0 {
		return nil
	}
	state, err := schemas.DecodeCheckpoint(states[len(states)-1].Data)
	if err != nil {
		panic(err)
	}
	if state.InLast == 0 && state.N == 0 {
		return nil
	}
	return state
}

// sent reports whether the region has all entries of a folder.
func (w *world) sent(b *box) bool {
	var d schemas.CommitDecoder
	return !slices.ContainsFunc(b.all(agentBox), func(m bus.Message) bool {
		c, err := d.Decode(m.Data, 0)
		return err != nil || !w.has(c)
	})
}

func (w *world) act(a act, old **box) {
	lost := map[string][]string{
		"outbox": {schemas.StreamAgentOutbox}, "state": {schemas.StreamCheckpoint}, "journal": {schemas.StreamJournal},
		"both": {schemas.StreamJournal, schemas.StreamAgentOutbox},
	}
	verb, what, _ := strings.Cut(a.what, " ")
	switch verb {
	case "steps":
		w.steps(a.n)
	case "deaf":
		for range a.n % 5 {
			w.step(true)
		}
	case "crash", "lose", "cut":
		w.crash()
		if verb != "crash" && *old != nil && !w.sent(*old) {
			*old = nil // it has entries of which other ones will take the numbers, and nobody can tell
		}
		for _, s := range lost[what] {
			if verb == "lose" {
				w.box.loseAll(s)
			} else {
				w.box.loseEnd(s, a.n%6)
			}
		}
	case "down":
		w.crash()
		w.steps(a.n)
	case "link":
		w.reach(!w.link)
	case "away":
		w.devs[a.n%devices].quiet = !w.devs[a.n%devices].quiet
	case "copy":
		*old = w.box.copied()
	case "restore":
		w.crash()
		if *old != nil {
			w.box = (*old).copied()
		}
	}
}
