package aggregator

import (
	"sync"

	"weir/schemas"
	"weir/services/internal/fold"
)

// door measures what is on its way to one agent's fold: frames that were read
// from the journal but not applied. It counts what was read by itself, so that
// a frame that the fold loses leaves a gap in the ledger.
type door struct {
	core // the agent's fold

	mu     sync.Mutex
	dec    schemas.FrameDecoder
	read   map[doorKey]uint64 // records that arrived in frames read, cumulative
	queued []queuedFrame      // oldest first
}

// core is the fold as a door sees it.
type core interface {
	fold.Renewer
	// passedBy reports whether the state included the frame applied last already.
	passedBy() bool
}

type doorKey struct {
	tenant string
	signal schemas.Signal
}

type queuedFrame struct {
	seq  uint64
	flow []schemas.Flow
}

// opened starts from what the restored fold has applied.
func (d *door) opened(applied map[flow]uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read = map[doorKey]uint64{}
	for f, n := range applied {
		if f.outcome == "" {
			d.read[doorKey{f.tenant, f.signal}] += n
		}
	}
}

// seen notes a frame before it is queued.
func (d *door) seen(m fold.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h, err := d.dec.Head(m.Data)
	if err != nil {
		return // the fold reports it
	}
	d.book(h.Flow, 1)
	d.queued = append(d.queued, queuedFrame{m.Seq, h.Flow})
}

// Apply applies a frame and takes it off the queue.
func (d *door) Apply(m fold.Message) (*fold.Results, error) {
	r, err := d.core.Apply(m)
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queued) > 0 && d.queued[0].seq <= m.Seq {
		if d.passedBy() {
			d.book(d.queued[0].flow, -1)
		}
		d.queued = d.queued[1:]
	}
	return r, err
}

// book adds what a frame says of arrivals, or takes it off.
func (d *door) book(rows []schemas.Flow, sign int64) {
	for _, w := range rows {
		if w.Outcome == "" {
			d.read[doorKey{w.Tenant, w.Signal}] += uint64(sign) * w.N
		}
	}
}

// flight are the door's rows of the ledger.
func (d *door) flight() []schemas.Total {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []schemas.Total
	for k, n := range d.read {
		out = append(out, schemas.Total{Tenant: k.tenant, Signal: k.signal, N: n})
	}
	for _, q := range d.queued {
		for _, w := range q.flow {
			if w.Outcome == "" {
				out = append(out, schemas.Total{Tenant: w.Tenant, Signal: w.Signal, Outcome: schemas.Queued, N: w.N})
			}
		}
	}
	return out
}
