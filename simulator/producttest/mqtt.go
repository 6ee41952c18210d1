package producttest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"weir/schemas"
)

// ServeMQTT plays an MQTT server on one connection until it ends or stop says
// so, which is asked before each packet. It acknowledges what it has taken.
func (p *Product) ServeMQTT(conn net.Conn, stop func() bool) error {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for !stop() {
		first, body, err := readPacket(in)
		if err != nil {
			return err
		}
		answer, err := p.packet(first, body)
		if err != nil {
			return err
		}
		if _, err := conn.Write(answer); err != nil {
			return err
		}
	}
	return nil
}

func readPacket(in *bufio.Reader) (first byte, body []byte, err error) {
	if first, err = in.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(in) // a remaining length is one
	if err != nil {
		return 0, nil, err
	}
	body = make([]byte, n)
	_, err = io.ReadFull(in, body)
	return first, body, err
}

// packet takes a packet and returns the answer.
func (p *Product) packet(first byte, body []byte) ([]byte, error) {
	switch first >> 4 {
	case 1:
		return []byte{0x20, 2, 0, 0}, nil
	case 12:
		return []byte{0xd0, 0}, nil
	case 14:
		return nil, io.EOF
	case 3:
		return p.publish(first&6 != 0, body)
	}
	return nil, errors.New("a packet that no device sends")
}

func (p *Product) publish(qos1 bool, body []byte) ([]byte, error) {
	n := 2 + int(binary.BigEndian.Uint16(body))
	topic, rest := string(body[2:n]), body[n:]
	var answer []byte
	if qos1 {
		answer, rest = []byte{0x40, 2, rest[0], rest[1]}, rest[2:]
	}
	tenant, device, _, ok := schemas.ParseTopic(topic)
	if !ok {
		return nil, errors.New("a topic that no device may use")
	}
	p.Ingest(tenant, device, rest)
	return answer, nil
}
