package forwarder

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"weir/schemas"
)

// plan is a history of an outbox, a link and the processes between them.
type plan struct {
	tiers  schemas.Tier
	budget int64
	credit int64
	delay  time.Duration
	lag    time.Duration
	twice  bool
	steps  []step
}

// step is something that happens, and how long nothing happens after it.
type step struct {
	what        event
	who, run, n int
	size        int
	wait        time.Duration
}

type event int

const (
	writes    event = iota // n commits of run entries
	cuts                   // the link goes, with all that is on its way
	heals                  // the link comes back
	darkens                // nothing comes through, and nobody is told
	fills                  // no room above
	empties                // room again
	dies                   // the process ends and another starts
	loses                  // the tier above loses what it has not applied
	restarts               // the outbox begins a new epoch
	turnsLate              // answers and confirmations take longer
	events
)

func plans() *rapid.Generator[plan] {
	steps := rapid.Custom(func(t *rapid.T) step {
		what := writes
		if rapid.IntRange(0, 2).Draw(t, "odds") > 0 {
			what = event(rapid.IntRange(0, int(events)-1).Draw(t, "what"))
		}
		return step{
			what: what, who: rapid.IntRange(0, 2).Draw(t, "who"), run: rapid.IntRange(1, 3).Draw(t, "run"), n: rapid.IntRange(1, 20).Draw(t, "n"),
			size: rapid.SampledFrom([]int{0, 300, 3000}).Draw(t, "size"),
			wait: rapid.SampledFrom([]time.Duration{0, 3 * time.Millisecond, 700 * time.Millisecond, 4 * time.Second, 15 * time.Second}).Draw(t, "wait"),
		}
	})
	return rapid.Custom(func(t *rapid.T) plan {
		return plan{
			tiers:  rapid.SampledFrom([]schemas.Tier{schemas.TierAgent, schemas.TierRegion}).Draw(t, "tier"),
			budget: rapid.SampledFrom([]int64{0, 30_000}).Draw(t, "budget"),
			credit: rapid.SampledFrom([]int64{2500, 20_000, 1 << 30}).Draw(t, "credit"),
			delay:  rapid.SampledFrom([]time.Duration{0, time.Millisecond, 400 * time.Millisecond}).Draw(t, "delay"),
			lag:    rapid.SampledFrom([]time.Duration{0, time.Second, 10 * time.Second}).Draw(t, "lag"),
			twice:  rapid.Bool().Draw(t, "twice"), steps: rapid.SliceOfN(steps, 1, 25).Draw(t, "steps"),
		}
	})
}

// rig is what the plan begins with: three writers, of which an agent's are of
// different kinds and a region's different partitions.
func (p plan) rig() *rig {
	cfg := agentConfig
	if p.tiers == schemas.TierRegion {
		cfg = Config{Tier: schemas.TierRegion, Name: "r01", Upstream: schemas.Center, Stream: schemas.StreamRegionOutbox}
	}
	cfg.Budget.BytesPerSecond = p.budget
	r := newRig(cfg)
	r.region.credit, r.region.delay, r.region.lag, r.region.twice = p.credit, p.delay, p.lag, p.twice
	for i := range 3 {
		producer, subject := schemas.Producer("r01", i), schemas.GatewayOutbox("r01", i, schemas.KindCommit)
		if p.tiers == schemas.TierAgent {
			subject = schemas.AgentOutbox("a001", []schemas.Kind{schemas.KindCommit, schemas.KindFinding, "decision"}[i])
			producer, _, _ = schemas.SourceOf(subject)
		}
		r.writer(producer, subject, byte(i+1))
	}
	return r
}

// play plays a plan and says what is wrong with its end.
func (p plan) play() (wrong string) {
	r := p.rig()
	r.start()
	epoch := byte(len(r.writers))
	writers := append([]*writer(nil), r.writers...)
	for _, st := range p.steps {
		switch st.what {
		case writes:
			for range st.n {
				writers[st.who].write(st.run, st.size)
			}
		case restarts:
			epoch++
			writers[st.who] = r.writer(writers[st.who].producer, writers[st.who].subject, epoch)
		default:
			if err := r.happen(st); err != nil {
				return err.Error()
			}
		}
		later(st.wait)
	}
	r.region.do(func() { r.region.dark, r.region.full, r.region.delay = false, false, p.delay })
	r.region.heal()
	later(time.Minute) // what was stored by now is known to be
	for _, w := range writers {
		w.write(1, 0) // what comes afterwards shows what was lost
	}
	later(10 * time.Minute)
	return p.judge(r)
}

func (r *rig) happen(st step) error {
	switch st.what {
	case cuts:
		r.region.cut()
	case heals:
		r.region.do(func() { r.region.dark = false })
		r.region.heal()
	case darkens:
		r.region.do(func() { r.region.dark = true })
	case fills, empties:
		r.region.do(func() { r.region.full = st.what == fills })
	case loses:
		r.region.lose()
	case turnsLate:
		r.region.do(func() { r.region.delay = time.Duration(st.n) * 100 * time.Millisecond })
	case dies:
		err := r.stop()
		r.start()
		return err
	}
	return nil
}

// judge says what is wrong with the end of a history.
func (p plan) judge(r *rig) string {
	st := r.status()
	if err := r.stop(); err != nil {
		return fmt.Sprintf("the last process: %v", err)
	}
	later(time.Minute)
	if why := r.wrong(); why != "" {
		return why
	}
	if why := r.missing(); why != "" {
		return why
	}
	if st.Entries != 0 || st.Bytes != 0 || st.Backfill != 0 || st.Oldest != 0 || !st.Up {
		return fmt.Sprintf("everything is applied, and the status is %+v", st)
	}
	if n := r.kept(); n > len(r.writers) {
		return fmt.Sprintf("the outbox keeps %d messages", n)
	}
	return p.credited(r.region)
}

// credited says where more backfill was sent than was granted.
func (p plan) credited(r *region) string {
	largest, bytes := 0, make([]int, len(r.grants)+1) // of backfill sent after a grant and before the next
	k := 0
	for i, a := range r.sent {
		for k < len(r.grants) && r.grants[k].before <= i {
			k++
		}
		if a.lane != schemas.LaneBackfill {
			continue
		}
		largest = max(largest, a.bytes)
		bytes[k] += a.bytes
		if k == 0 || a.at.Sub(r.grants[k-1].at) > r.within {
			return fmt.Sprintf("entry %d was sent without credit", a.c.N)
		}
	}
	for i := range bytes {
		sum := 0
		for j := i; j < len(bytes); j++ {
			sum += bytes[j]
			grants := j - i + 3 // with what was left to each of three producers before
			if most := int64(grants)*p.credit + int64(3*largest); int64(sum) > most {
				return fmt.Sprintf("%d bytes of backfill were sent on %d grants of %d bytes", sum, grants, p.credit)
			}
		}
	}
	return ""
}

// TestHistories: whatever is cut, lost, late, twice or full, and wherever processes
// die, in the end each entry is applied, nothing was removed that is needed, and
// no more was sent than was granted.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := plans().Draw(rt, "plan")
		var wrong string
		synctest.Test(t, func(*testing.T) { wrong = p.play() })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}
