package aggregator

import (
	"encoding/binary"

	"weir/schemas"
	"weir/services/internal/fold"
)

// maxPackets is how many MQTT packets of a device without numbers are
// remembered: at least what a client may have in flight.
const maxPackets = 32

// packets remembers the last QoS 1 packets of a device that numbers nothing, so
// that one sent again with DUP set is known as a repeat.
type packets struct {
	last [maxPackets]uint64 // packet id << 32 | hash; 0: none
	next int
}

// repeat reports whether a packet repeats one of the last, and remembers it.
func (p *packets) repeat(k schemas.Packet) bool {
	v := uint64(k.ID)<<32 | uint64(k.Hash)
	if k.Dup {
		for _, w := range p.last {
			if w == v {
				return true
			}
		}
	}
	p.last[p.next] = v
	p.next = (p.next + 1) % maxPackets
	return false
}

func (p *packets) append(b []byte) []byte {
	n := 0
	for _, v := range p.last {
		if v != 0 {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	for i := range p.last { // oldest first
		if v := p.last[(p.next+i)%maxPackets]; v != 0 {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	return b
}

func (p *packets) read(r *fold.StateReader) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		p.last[p.next] = r.Fixed()
		p.next = (p.next + 1) % maxPackets
	}
}
