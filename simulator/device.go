package simulator

import (
	"math"
	"sync"
	"time"

	"weir/simulator/plan"
	"weir/simulator/truth"
)

const (
	maxFlight = 16                     // messages of a device that wait for an answer; the product remembers as many gaps
	retryFull = 20 * time.Millisecond  // look again while the connection or the flight is full
	retryDown = 100 * time.Millisecond // look again while there is no connection, or an answer is out
	forever   = int64(math.MaxInt64)
)

// A wire carries one device's messages. Its methods are called with the device
// locked, by the device's player.
type wire interface {
	// ready reports whether a message may be sent now without waiting.
	ready() bool
	// send hands one message over. id 0 is QoS 0. An error means that the
	// connection is gone, and that the message may or may not have arrived.
	send(b *buffers, payload []byte, id uint16, again bool) error
	// patience is how long to wait for an answer at QoS 1 before sending again, or
	// forever where only a new connection is a reason.
	patience() int64
	// prove asks the other end to answer once it has read everything before.
	// The answer comes as device.proved. false: the wire does this by itself.
	prove(b *buffers) (bool, error)
	// drop gives the connection up.
	drop()
}

// buffers are one player's scratch memory.
type buffers struct{ payload, packet []byte }

// parcel is a message on its way.
type parcel struct {
	msg  plan.Message
	copy bool  // the second sending of a duplicate message
	due  int64 // when it may be sent, ns since the start
}

// flying is a parcel that was sent at QoS 1 and waits for its answer.
type flying struct {
	parcel
	id    uint16
	first int64 // when it was first sent
	retry int64 // when to send it again, unless answered
}

// device decides what one device sends next and remembers what became of it.
// Times are ns since the start of the schedule.
type device struct {
	mu   sync.Mutex
	plan *plan.Plan
	qos  int

	cursor plan.Cursor
	until  int64    // messages from here on are not sent: the end of the schedule
	due    int64    // of the cursor's message
	flush  bool     // the schedule is over: what is held goes out at once
	held   []parcel // to be sent later: late and reordered ones, copies
	flight []flying // in the order of first sending
	lastID uint16

	wire     wire  // nil: no connection
	lastGood int64 // QoS 0: the last normal message sent over this connection, -1 if none
	proof    proof

	status truth.Status
	tally  tally
	acked  *latency
}

func newDevice(index, qos int, acked *latency) *device {
	return &device{cursor: plan.Cursor{Device: index}, qos: qos, lastGood: -1, acked: acked}
}

// begin makes the plan known, before which nothing is sent.
func (d *device) begin(p *plan.Plan) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plan, d.until = p, forever
	if p.For > 0 {
		d.until = p.Messages(d.cursor.Device, p.For)
	}
	d.due = p.Due(d.cursor.Device, 0)
}

// end says that the schedule is over. What was due is sent, what was held goes
// out at once.
func (d *device) end(now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flush = true
	if d.plan.For == 0 || now < d.plan.For {
		d.until = max(d.cursor.Index, min(d.until, d.plan.Messages(d.cursor.Device, now)))
	}
}

// pump sends what is due. It returns when to call again, or forever when the
// device is settled: nothing is left to send or to wait for.
func (d *device) pump(now int64, b *buffers) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.wire == nil && d.qos == 1:
		return d.unless(d.sent(), now+int64(retryDown))
	case d.wire == nil:
		d.forgo(now)
		return d.unless(d.sent(), d.nextDue())
	case !d.wire.ready() || !d.resend(now, b):
		return now + int64(retryFull)
	}
	for len(d.flight) < maxFlight {
		p, ok := d.take(now)
		if !ok {
			break
		}
		if !d.first(p, now, b) {
			return now + int64(retryFull)
		}
	}
	return d.wait(now, b)
}

func (d *device) unless(settled bool, next int64) int64 {
	if settled {
		return forever
	}
	return next
}

// wait is when to look at the device again after everything due is sent.
func (d *device) wait(now int64, b *buffers) int64 {
	switch {
	case d.qos == 0:
		return d.waitProof(now, b)
	case d.sent():
		return forever
	case len(d.flight) == maxFlight:
		return now + int64(retryFull)
	case len(d.flight) > 0:
		return min(d.nextDue(), d.nextRetry(), now+int64(retryDown))
	}
	return d.nextDue()
}

func (d *device) nextRetry() int64 {
	next := forever
	for _, f := range d.flight {
		next = min(next, f.retry)
	}
	return next
}

// sent reports whether nothing is left to send, or to send again.
func (d *device) sent() bool {
	return d.cursor.Index >= d.until && len(d.held) == 0 && len(d.flight) == 0
}

// nextDue is when the next message is due.
func (d *device) nextDue() int64 {
	next := forever
	if d.cursor.Index < d.until {
		next = d.due
	}
	for _, p := range d.held {
		next = min(next, d.heldUntil(p))
	}
	return next
}

func (d *device) heldUntil(p parcel) int64 {
	if d.flush {
		return 0
	}
	return p.due
}

// take removes the next message to send at this time.
func (d *device) take(now int64) (parcel, bool) {
	if p, ok := d.takeHeld(now); ok {
		return p, true
	}
	for d.cursor.Index < d.until && d.due <= now {
		p := parcel{msg: d.plan.Next(&d.cursor), due: d.due}
		d.due = d.plan.Due(p.msg.Device, d.cursor.Index)
		p.due += d.plan.Delay(p.msg)
		if d.mayGo(p) && d.heldUntil(p) <= now {
			return p, true
		}
		d.held = append(d.held, p)
	}
	return parcel{}, false
}

func (d *device) takeHeld(now int64) (parcel, bool) {
	for i, p := range d.held {
		if d.heldUntil(p) <= now && d.mayGo(p) {
			d.held = append(d.held[:i], d.held[i+1:]...)
			return p, true
		}
	}
	return parcel{}, false
}

// mayGo holds a too late message back at QoS 1 until the good one before it has
// arrived: that one makes it too late.
func (d *device) mayGo(p parcel) bool {
	return d.qos == 0 || p.msg.Fate != plan.TooLate || d.status.Acked.Has(p.msg.Index-1)
}

// first sends a parcel for the first time. It reports whether more may follow.
func (d *device) first(p parcel, now int64, b *buffers) bool {
	if d.qos == 0 && p.msg.Fate == plan.TooLate && d.lastGood != p.msg.Index-1 {
		d.skip(p) // without the message before it, nothing says that it is too late
		return true
	}
	d.count(p, now)
	id := d.remember(p, now)
	if p.msg.Fate == plan.Duplicate && !p.copy {
		d.held = append(d.held, parcel{msg: p.msg, copy: true, due: p.due})
	}
	return d.put(p.msg, id, false, now, b)
}

func (d *device) count(p parcel, now int64) {
	n := d.plan.Records(p.msg)
	if p.copy {
		d.tally.copiesSent += n
		return
	}
	d.tally.records += n
	d.tally.messages++
	d.tally.last = now
	d.tally.behind = max(d.tally.behind, now-p.due)
	d.tally.recent = max(d.tally.recent, now-p.due)
}

// remember notes what is about to be sent, and gives it an id at QoS 1.
func (d *device) remember(p parcel, now int64) uint16 {
	if d.qos == 0 {
		if p.msg.Fate == plan.Normal || p.msg.Fate == plan.Duplicate {
			d.lastGood = p.msg.Index
		}
		d.proof.fresh.Add(p.msg.Index)
		return 0
	}
	d.lastID = d.freeID()
	d.flight = append(d.flight, flying{parcel: p, id: d.lastID, first: now, retry: d.retryAt(now)})
	return d.lastID
}

func (d *device) retryAt(now int64) int64 {
	if patience := d.wire.patience(); patience < forever {
		return now + patience
	}
	return forever
}

// freeID is the next packet identifier that nothing in flight uses.
func (d *device) freeID() uint16 {
	for id := d.lastID + 1; ; id++ {
		if id != 0 && d.flying(id) < 0 {
			return id
		}
	}
}

func (d *device) flying(id uint16) int {
	for i := range d.flight {
		if d.flight[i].id == id {
			return i
		}
	}
	return -1
}

// put hands a message to the wire. It reports whether more may follow.
func (d *device) put(m plan.Message, id uint16, again bool, now int64, b *buffers) bool {
	b.payload = d.plan.AppendPayload(b.payload[:0], m)
	if err := d.wire.send(b, b.payload, id, again); err != nil {
		d.broke(now)
		return false
	}
	return d.wire.ready()
}

// resend sends again what has waited long enough, in the order of first
// sending. It reports whether more may follow.
func (d *device) resend(now int64, b *buffers) bool {
	for i := range d.flight {
		f := &d.flight[i]
		if f.retry > now {
			continue
		}
		f.retry = d.retryAt(now)
		d.tally.resent += d.plan.Records(f.msg)
		if !d.put(f.msg, f.id, true, now, b) {
			return false
		}
	}
	return true
}

// forgo marks what is due at QoS 0 without a connection as never sent.
func (d *device) forgo(now int64) {
	for {
		p, ok := d.take(now)
		if !ok {
			return
		}
		d.skip(p)
	}
}

func (d *device) skip(p parcel) {
	if !p.copy {
		d.status.Never.Add(p.msg.Index)
		d.tally.never += d.plan.Records(p.msg)
	}
}

// connected says that messages may go over w from now on. What waits for an
// answer is sent again first.
func (d *device) connected(w wire) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wire, d.lastGood = w, -1
	for i := range d.flight {
		d.flight[i].retry = 0
	}
}

// broken says that the connection is gone.
func (d *device) broken(now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broke(now)
}

func (d *device) broke(now int64) {
	if d.wire == nil {
		return
	}
	d.wire.drop()
	d.wire = nil
	d.tally.breaks++
	d.proof.broke(now, &d.status)
}

// answered says what the product replied to id: it has the message, and refused
// so many of its records, or everything.
func (d *device) answered(id uint16, refused, now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.flying(id)
	if i < 0 {
		return // the answer to a resend of what was answered before
	}
	f := d.flight[i]
	d.flight = append(d.flight[:i], d.flight[i+1:]...)
	d.acked.add(now - f.first)
	n := d.plan.Records(f.msg)
	if f.copy {
		d.tally.copiesAcked += n
		return
	}
	d.status.Acked.Add(f.msg.Index)
	d.tally.acknowledged += n
	if refused == everything {
		refused = n
	}
	d.tally.refused += refused
}

// later says that the product cannot take id now.
func (d *device) later(id uint16, now int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := d.flying(id); i >= 0 {
		d.flight[i].retry = now + int64(retryDown)
	}
}

// stand is what the truth says of the device so far. It does not mention what is
// under way.
func (d *device) stand() truth.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status.Clone()
}

// settle ends the device's part: what waits for an answer is unknown, and the
// rest of the schedule was never sent.
func (d *device) settle() (truth.Status, tally) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.proof.end(&d.status)
	for _, f := range d.flight {
		if !f.copy {
			d.status.Unknown.Add(f.msg.Index)
		}
	}
	for _, p := range d.held {
		d.skip(p)
	}
	for d.cursor.Index < d.until {
		d.skip(parcel{msg: d.plan.Next(&d.cursor)})
	}
	d.flight, d.held = nil, nil
	return d.status, d.tally
}

// tallied is the tally, and whether the device is connected. It restarts the
// recent part.
func (d *device) tallied() (tally, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tally
	d.tally.recent = 0
	return t, d.wire != nil
}

// recordsIn counts the records of some of the device's messages.
func (d *device) recordsIn(s truth.Set) int64 {
	var n int64
	for _, v := range s {
		for c := (plan.Cursor{Device: d.cursor.Device, Index: v[0]}); c.Index < v[1]; {
			n += d.plan.Records(d.plan.Next(&c))
		}
	}
	return n
}
