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

// Connect is what a CONNECT says. No User: the client does not sign in.
type Connect struct {
	Client         string
	KeepAlive      uint16 // s; 0 turns it off
	User, Password string // up to 65,535 bytes each
}

// AppendConnect appends a CONNECT of a clean session without a will.
//
//	10 len 00 04 'M' 'Q' 'T' 'T' 04 flags keepalive(2) length(2) client id [length(2) user length(2) password]
//	                                02, with a user c2
func AppendConnect(b []byte, c Connect) []byte {
	flags, n := byte(0b10), 10+2+len(c.Client)
	if c.User != "" {
		flags, n = flags|0b1100_0000, n+2+len(c.User)+2+len(c.Password)
	}
	b = append(b, connect<<4)
	b = appendLength(b, n)
	b = append(b, 0, 4, 'M', 'Q', 'T', 'T', 4, flags)
	b = binary.BigEndian.AppendUint16(b, c.KeepAlive)
	b = appendText(b, c.Client)
	if c.User != "" {
		b = appendText(appendText(b, c.User), c.Password)
	}
	return b
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
	b = appendText(b, p.Topic)
	if p.ID != 0 {
		b = binary.BigEndian.AppendUint16(b, p.ID)
	}
	return append(b, payload...)
}

// AppendPing appends a PINGREQ.
func AppendPing(b []byte) []byte { return append(b, pingreq<<4, 0) }

// AppendDisconnect appends a DISCONNECT.
func AppendDisconnect(b []byte) []byte { return append(b, disconnect<<4, 0) }

// appendText appends a text and its length before it.
func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// appendLength appends a remaining length: seven bits per byte, low first.
func appendLength(b []byte, n int) []byte {
	for ; n > 127; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}
