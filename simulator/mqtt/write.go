package mqtt

import "encoding/binary"

// Packet types, in the upper half of a packet's first byte.
const (
	connect    = 1
	connack    = 2
	publish    = 3
	puback     = 4
	pingreq    = 12
	pingresp   = 13
	disconnect = 14
)

// AppendConnect appends a CONNECT of a clean session without a will.
// keepAlive is in seconds, 0 turns it off.
//
//	10 len 00 04 'M' 'Q' 'T' 'T' 04 02 keepalive(2) length(2) client id
func AppendConnect(b []byte, client string, keepAlive uint16) []byte {
	b = append(b, connect<<4)
	b = appendLength(b, 10+2+len(client))
	b = append(b, 0, 4, 'M', 'Q', 'T', 'T', 4, 0b10)
	b = binary.BigEndian.AppendUint16(b, keepAlive)
	b = binary.BigEndian.AppendUint16(b, uint16(len(client)))
	return append(b, client...)
}

// Publish is what a PUBLISH says beside its payload. The zero ID is QoS 0, any
// other is the packet identifier of QoS 1. Again sets DUP: the server may have
// seen the packet before.
type Publish struct {
	Topic string
	ID    uint16
	Again bool
}

// AppendPublish appends a PUBLISH packet.
//
//	3x len length(2) topic [packet identifier(2)] payload        x: DUP 8, QoS 1 2
func AppendPublish(b []byte, p Publish, payload []byte) []byte {
	first, n := byte(publish<<4), 2+len(p.Topic)+len(payload)
	if p.ID != 0 {
		first, n = first|2, n+2
	}
	if p.Again && p.ID != 0 {
		first |= 8
	}
	b = append(b, first)
	b = appendLength(b, n)
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Topic)))
	b = append(b, p.Topic...)
	if p.ID != 0 {
		b = binary.BigEndian.AppendUint16(b, p.ID)
	}
	return append(b, payload...)
}

// AppendPing appends a PINGREQ.
func AppendPing(b []byte) []byte { return append(b, pingreq<<4, 0) }

// AppendDisconnect appends a DISCONNECT.
func AppendDisconnect(b []byte) []byte { return append(b, disconnect<<4, 0) }

// appendLength appends a remaining length: seven bits per byte, low first.
func appendLength(b []byte, n int) []byte {
	for ; n > 127; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}
