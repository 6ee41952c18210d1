package ingest

import (
	"hash/crc32"
	"sync"
	"sync/atomic"
	"time"

	"weir/schemas"
)

// strain says how much an agent can take.
type strain uint32

const (
	relaxed strain = iota
	stalled        // frames wait for the journal: read no more for now
	full           // the journal is at 90 % of the agent's share
)

// agent collects what arrives for one logical agent into batches, in order of
// arrival. Its writer (writer.go) turns these into frames.
type agent struct {
	name string
	cfg  *Config
	wake chan struct{} // look again at when to cut; size 1

	clock agentClock // set before anything is taken

	settings atomic.Pointer[Settings] // nil before the first SetConfig
	strained atomic.Uint32            // a strain, for a look without the lock

	mu      sync.Mutex
	open    *batch   // collects; never nil
	queue   []*batch // closed, in order, waiting to be written
	spare   []*batch
	room    chan struct{} // closed when strain eases; nil while relaxed
	full    bool          // the journal is at 90 %
	closed  bool          // takes no more
	last    time.Time     // when a record last arrived
	devices deviceTable
	status  AgentStatus
}

func newAgent(name string, cfg *Config) *agent {
	return &agent{
		name: name, cfg: cfg, wake: make(chan struct{}, 1), open: &batch{},
		devices: deviceTable{byKey: map[deviceKey]*device{}},
		status:  AgentStatus{Agent: name, Rejected: map[schemas.Reason]uint64{}, Shed: map[schemas.Reason]uint64{}},
	}
}

// arrival is a message on its way in.
type arrival struct {
	route   *route
	payload []byte
	packet  schemas.Packet // MQTT QoS 1: its identifier and DUP flag
	to      answerer       // who waits; nil: nobody
	text    bool           // the answer is a JSON reply
	fault   schemas.Reason // why it is refused unread, where the way it came says so
	detail  string         // of the fault
	now     time.Time
}

// add takes a decoded message. What the agent has no room for is shed if shed is
// set. It reports false if the agent is closed and took nothing.
func (a *agent) add(in *arrival, m *message, set *Settings, rules *Rules, shed bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.last = in.now
	a.book(in.route, "", "", m.records())
	d := a.device(in, m, set)
	taken := 0
	switch {
	case m.fault != "":
		a.discard(in.route, d, schemas.Rejected, m.fault, 1)
	case shed:
		a.discard(in.route, d, schemas.Shed, schemas.JournalFull, m.good())
		a.refuse(in, d, m)
	default:
		taken = a.accept(in, d, m, rules)
		a.refuse(in, d, m)
	}
	a.status.Ignored += uint64(m.ignored)
	if in.to != nil {
		a.open.due = append(a.open.due, answerOf(in, m, taken))
	}
	if a.open.touch(in.now, in.to != nil) {
		a.nudge()
	}
	if a.open.builder.Size() >= a.cfg.FrameBytes {
		a.shut()
	}
	return true
}

// device is the entry of the sender; nil if it cannot be told or remembered. Of
// a device for which there is no room all readings are refused.
func (a *agent) device(in *arrival, m *message, set *Settings) *device {
	r := in.route
	if r.tenant == noTenant {
		return nil
	}
	now := in.now.UnixNano()
	if r.known == nil || r.known.forgotten {
		r.known = a.devices.find(deviceKey{r.tenant, r.device}, set.Devices, now)
	}
	if r.known == nil {
		m.refuseAll(schemas.TooMany, "more than %d devices on agent %s", set.Devices, a.name)
		return nil
	}
	r.known.last = now
	return r.known
}

// accept puts the good readings into the batch. Where there are any, d is known.
func (a *agent) accept(in *arrival, d *device, m *message, rules *Rules) (records int) {
	if d == nil {
		return 0
	}
	a.pass(in, d, m, rules)
	for i := range m.readings {
		r := &m.readings[i]
		for j := range r.Values {
			name, overflow := d.name(r.Values[j].Metric, rules.Series)
			if overflow {
				r.Values[j].Metric = name
				a.status.Overflow++
			}
		}
		if in.packet.ID != 0 && !r.Numbered && r.Request.Hash == 0 {
			r.Packet = in.packet
			r.Packet.Hash = packetHash(in.payload, m.at[i])
		}
		a.open.builder.Add(in.route.tenant, in.route.device, r)
		records += len(r.Values)
		d.numbered = r.Numbered
	}
	d.records += uint64(records)
	a.status.Taken += uint64(records)
	return records
}

// refuse books what decoding refused and what rules dropped, and notes numbers.
func (a *agent) refuse(in *arrival, d *device, m *message) {
	for _, f := range m.refused {
		a.discard(in.route, d, schemas.Rejected, f.reason, f.n)
	}
	for _, f := range m.dropped {
		a.discard(in.route, d, schemas.Shed, f.reason, f.n)
	}
	if in.route.tenant == noTenant {
		return
	}
	for i := range m.numbers {
		m.numbers[i].Attrs = nil
		a.open.builder.AddRefused(in.route.tenant, in.route.device, &m.numbers[i])
	}
}

// discard books records that go no further.
func (a *agent) discard(r *route, d *device, o schemas.Outcome, why schemas.Reason, n int) {
	a.book(r, o, why, n)
	if d != nil && o == schemas.Rejected {
		d.reject(why, n)
	}
}

// book is the ledger's row at the door: n records arrived (outcome and reason
// empty) or were discarded. Nothing is lost in ingest without a call of it.
func (a *agent) book(r *route, o schemas.Outcome, why schemas.Reason, n int) {
	if n == 0 {
		return
	}
	a.open.builder.AddFlow(r.tenant, r.signal, o, why, uint64(n))
	switch o {
	case "":
		a.status.Arrived += uint64(n)
	case schemas.Rejected:
		a.status.Rejected[why] += uint64(n)
	case schemas.Shed:
		a.status.Shed[why] += uint64(n)
	}
}

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// packetHash tells apart what an MQTT packet identifier was used for: CRC-32C of
// the payload and of the reading's place in it.
func packetHash(payload []byte, at int) uint32 {
	h := crc32.Checksum(payload, castagnoli)
	if at == 0 {
		return h
	}
	return crc32.Update(h, castagnoli, []byte{byte(at), byte(at >> 8)})
}

// configure queues a frame of its own for a document.
func (a *agent) configure(c schemas.Config, to answerer, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.open.empty() {
		a.shut()
	}
	a.open.builder.Frame().Config = &c
	a.open.due = append(a.open.due, answer{to: to})
	a.open.touch(now, true)
	a.shut()
	a.nudge()
}

// shut closes the open batch and begins another.
func (a *agent) shut() {
	a.queue = append(a.queue, a.open)
	a.open = a.fresh()
	a.restrain()
	a.nudge()
}

func (a *agent) fresh() *batch {
	n := len(a.spare)
	if n == 0 {
		return &batch{}
	}
	b := a.spare[n-1]
	a.spare = a.spare[:n-1]
	return b
}

func (a *agent) nudge() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// restrain works out the strain anew and lets those look again who wait for it.
func (a *agent) restrain() {
	s := relaxed
	switch {
	case a.full:
		s = full
	case len(a.queue) >= a.cfg.PendingFrames:
		s = stalled
	}
	before := strain(a.strained.Swap(uint32(s)))
	if s != before && a.room != nil {
		close(a.room)
		a.room = nil
	}
}

// strain is how much the agent can take now.
func (a *agent) strain() strain { return strain(a.strained.Load()) }

// eased is closed when the strain is another than now, or none.
func (a *agent) eased() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.room == nil {
		a.room = make(chan struct{})
	}
	room := a.room
	if a.strain() == relaxed {
		close(room)
		a.room = nil
	}
	return room
}

// setFull notes whether the journal is at 90 %.
func (a *agent) setFull(v bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.full != v {
		a.full = v
		a.restrain()
	}
}

// close ends the taking; what is in the batches is still written.
func (a *agent) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.nudge()
}
