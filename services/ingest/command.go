package ingest

import (
	"encoding/binary"
	"time"

	"weir/services/internal/commands"
)

// longestTopic is the length of the longest topic of a command: cmd and two names.
const longestTopic = 3 + 2*(1+64)

// publishOverhead is what a PUBLISH packet with a command has beside its payload,
// at most: its head, topic, identifier and MQTT 5 properties.
const publishOverhead = 5 + 2 + longestTopic + 2 + 6

// appendPublish appends a PUBLISH packet with a command.
func appendPublish(b []byte, d *commands.Delivery, v5 bool) []byte {
	const publish, dup, expiry = 0x30, 0x08, 0x02
	head := byte(publish | d.QoS<<1)
	if d.Dup {
		head |= dup
	}
	topic := len("cmd/") + len(d.Tenant) + 1 + len(d.Name)
	seconds := uint32(d.Expires / time.Second)
	b = append(b, head)
	b = appendLength(b, 2+topic+identifierSize(d)+propertiesSize(v5, seconds)+len(d.Payload))
	b = binary.BigEndian.AppendUint16(b, uint16(topic))
	b = append(append(append(append(b, "cmd/"...), d.Tenant...), '/'), d.Name...)
	if d.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, d.ID)
	}
	if v5 {
		b = append(b, byte(propertiesSize(v5, seconds)-1))
	}
	if v5 && seconds > 0 {
		b = binary.BigEndian.AppendUint32(append(b, expiry), seconds)
	}
	return append(b, d.Payload...)
}

func identifierSize(d *commands.Delivery) int {
	if d.QoS == 0 {
		return 0
	}
	return 2
}

// propertiesSize is how long the properties are, their length included.
func propertiesSize(v5 bool, seconds uint32) int {
	switch {
	case !v5:
		return 0
	case seconds == 0:
		return 1
	}
	return 1 + 5
}

// appendLength appends a remaining length (MQTT 5, 1.5.5).
func appendLength(b []byte, n int) []byte {
	for ; n > 127; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// forever is what MQTT 5 says for a session that does not expire, in seconds.
const forever = 1<<32 - 1

// keepOf is how long a client wants its session to outlive the connection, as
// MQTT 5 says it.
func keepOf(seconds uint32) time.Duration {
	if seconds == forever {
		return 1<<63 - 1
	}
	return time.Duration(seconds) * time.Second
}
