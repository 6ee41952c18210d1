package plan

import "weir/schemas"

// Fate is what the plan does to a message.
type Fate uint8

// The fates, in the order of Faults after Normal.
const (
	Normal Fate = iota
	Late
	TooLate
	Reorder
	Duplicate
	Future
	Malformed
)

const (
	tooLateMargin  = 30 * s
	futureShift    = 3600 * s
	reorderAtMost  = 300 * ms
	saltFate       = 0x6661746573 // the salts keep the draws of one message independent
	saltDelay      = 0x64656c6179
	saltMalformed  = 0x6d616c66
	saltValue      = 0x76616c7565
	saltDeviceBase = 0x62617365
)

// Message is one publish of a device.
type Message struct {
	Device int
	Index  int64  // which of the device's messages, from 0
	Fate   Fate   //
	Seq    uint64 // number of its first reading; the others follow
}

// Counted reports whether the product must count its readings in windows.
func (m Message) Counted() bool {
	return m.Fate != TooLate && m.Fate != Future && m.Fate != Malformed
}

// Numbered reports whether its readings carry numbers.
func (m Message) Numbered() bool { return m.Fate != Malformed }

// Records is how many records it is in the ledger: one where nothing can be read.
func (p *Plan) Records(m Message) int64 {
	if m.Fate == Malformed {
		return 1
	}
	return int64(p.Batch)
}

// Reason is why the product must refuse the message's records, or "".
func (p *Plan) Reason(m Message) schemas.Reason {
	switch m.Fate {
	case Future:
		return schemas.Future
	case Malformed:
		return p.bad(m).reason
	}
	return ""
}

// Delay is how much later than Due the message is sent, ns.
func (p *Plan) Delay(m Message) int64 {
	delay := p.fateDelay(m)
	if p.Trouble {
		return max(delay, p.silence(m.Device, p.Due(m.Device, m.Index)))
	}
	return delay
}

func (p *Plan) fateDelay(m Message) int64 {
	switch m.Fate {
	case Late:
		if p.lateTo == p.lateFrom {
			return p.lateFrom
		}
		return p.lateFrom + int64(p.hash(saltDelay, m.Device, m.Index)%uint64(p.lateTo-p.lateFrom))
	case Reorder:
		return min(p.span*3/2, reorderAtMost/p.speed())
	}
	return 0
}

// EventTime is the event time of reading r of the message, counted from 0, Unix ns.
//
// A too late reading lies the allowed lateness, a window and 30 s before what
// the device sent just before, so that the device's own watermark has passed
// the end of its window by more than the allowed lateness.
func (p *Plan) EventTime(m Message, r int) int64 {
	at := p.stamped(m.Device, p.reading(m, r))
	switch m.Fate {
	case TooLate:
		before := p.speed() * (p.Due(m.Device, m.Index) - p.Due(m.Device, m.Index-1))
		shift := before + p.Lateness + p.Size + tooLateMargin
		return at - (shift + (ms-shift%ms)%ms)
	case Future:
		return at + futureShift
	}
	return at
}

func (p *Plan) reading(m Message, r int) int64 { return m.Index*int64(p.Batch) + int64(r) }

// fate is drawn per message. A too late message must follow a good one at
// once, else nothing says that it is late: where it does not, it is normal. A
// device in trouble sends nothing late: it would not be silent, nor hang.
func (p *Plan) fate(d int, j int64) Fate {
	f := p.drawn(d, j)
	if f == Late && p.inTrouble(d) {
		return Normal
	}
	if f != TooLate {
		return f
	}
	if j > 0 {
		if before := p.drawn(d, j-1); before == Normal || before == Duplicate {
			return TooLate
		}
	}
	return Normal
}

func (p *Plan) drawn(d int, j int64) Fate {
	if p.bound[5] == 0 {
		return Normal
	}
	draw := p.hash(saltFate, d, j) >> 32
	for i, bound := range p.bound {
		if draw < bound {
			return Late + Fate(i)
		}
	}
	return Normal
}

// hash draws 64 bits for number i of device d.
func (p *Plan) hash(salt uint64, d int, i int64) uint64 {
	return mix(mix(p.Seed^salt+uint64(d)*golden) + uint64(i)*golden)
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Cursor walks the messages of a device in the order in which they are due.
type Cursor struct {
	Device int
	Index  int64  // of the next message
	seq    uint64 // numbers given so far
}

// Peek is the message that Next will return.
func (p *Plan) Peek(c Cursor) Message {
	return Message{Device: c.Device, Index: c.Index, Fate: p.fate(c.Device, c.Index), Seq: c.seq + 1}
}

// Next returns the cursor's message and moves on. Numbers are dense over what
// carries one, from 1.
func (p *Plan) Next(c *Cursor) Message {
	m := p.Peek(*c)
	c.Index++
	if m.Numbered() {
		c.seq += uint64(p.Batch)
	}
	return m
}
