package simulator

import (
	"time"

	"weir/simulator/truth"
)

const (
	proveEvery  = 20 * time.Second // while messages flow
	proveWithin = time.Minute      // then the connection is dead
	settleFor   = 2 * time.Second  // what was read so long ago is in the product's journal
)

// proof tells at QoS 0, where nothing is acknowledged, which messages arrived. A
// ping that is answered proves that everything sent before it was read. The
// sets hold message numbers and do not overlap.
type proof struct {
	fresh    truth.Set // sent since the last ping
	asked    truth.Set // sent before the ping that is out
	read     truth.Set // sent before the last answered ping
	pending  bool      // a ping is out
	askedAt  int64
	answered int64 // when the last ping was answered
}

// wanted reports whether it is time to ask.
func (p *proof) wanted(now int64, hurry bool) bool {
	return !p.pending && len(p.fresh) > 0 && (hurry || now-p.askedAt >= int64(proveEvery))
}

// ask says that a ping goes out.
func (p *proof) ask(now int64) {
	p.asked.Union(p.fresh)
	p.fresh, p.pending, p.askedAt = p.fresh[:0], true, now
}

// answer says that the ping was answered. What an earlier one proved has had
// time to reach the journal.
func (p *proof) answer(now int64, s *truth.Status) {
	s.Acked.Union(p.read)
	p.read, p.asked = p.asked, p.read[:0]
	p.pending, p.answered = false, now
}

// broke says that the connection broke: what was not read, or was read by a
// process that may have died with it in memory, is unknown.
func (p *proof) broke(now int64, s *truth.Status) {
	s.Unknown.Union(p.fresh)
	s.Unknown.Union(p.asked)
	if now-p.answered < int64(settleFor) {
		s.Unknown.Union(p.read)
	} else {
		s.Acked.Union(p.read)
	}
	*p = proof{askedAt: now}
}

// end is the end of the run.
func (p *proof) end(s *truth.Status) {
	s.Unknown.Union(p.fresh)
	s.Unknown.Union(p.asked)
	s.Acked.Union(p.read)
	*p = proof{}
}

// idle reports whether nothing waits for proof.
func (p *proof) idle() bool { return len(p.fresh) == 0 && len(p.asked) == 0 }

// waitProof asks for proof when it is time, and returns when to look again.
func (d *device) waitProof(now int64, b *buffers) int64 {
	over := d.sent()
	if over && d.proof.idle() {
		return forever
	}
	if d.proof.pending && now-d.proof.askedAt > int64(proveWithin) {
		d.broke(now)
		return now
	}
	if d.proof.wanted(now, over) {
		asked, err := d.wire.prove(b)
		if err != nil {
			d.broke(now)
			return now
		}
		if asked {
			d.proof.ask(now)
		}
	}
	if over {
		return now + int64(retryFull)
	}
	return d.nextDue()
}

// askProof says that a question goes out now that covers every device of a link.
func (d *device) askProof(now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.proof.wanted(now, true) {
		d.proof.ask(now)
	}
}

// proved says that the other end answered the ping.
func (d *device) proved(now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.proof.pending {
		d.proof.answer(now, &d.status)
	}
}
