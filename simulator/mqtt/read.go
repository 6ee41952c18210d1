package mqtt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Kind is a packet that a device understands.
type Kind uint8

// The kinds. Other is a packet that was passed over.
const (
	Other Kind = iota
	Connack
	Puback
	Pingresp
)

// Packet is what a server sent.
type Packet struct {
	Kind Kind
	ID   uint16 // of the PUBLISH that a Puback answers
	Code byte   // of a Connack: 0 is accepted
}

// Reader takes packets off a stream. One goroutine uses it.
type Reader struct{ in *bufio.Reader }

// NewReader reads packets from r, with a buffer that suits thousands of
// connections.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 64)} }

// Next blocks for the next packet. At a clean end of the stream it returns io.EOF.
func (r *Reader) Next() (Packet, error) {
	first, err := r.in.ReadByte()
	if err != nil {
		return Packet{}, err
	}
	n, err := r.length()
	if err != nil {
		return Packet{}, unexpected(err)
	}
	switch first >> 4 {
	case connack:
		body, err := r.two(n, "CONNACK")
		return Packet{Kind: Connack, Code: body[1]}, err
	case puback:
		body, err := r.two(n, "PUBACK")
		return Packet{Kind: Puback, ID: uint16(body[0])<<8 | uint16(body[1])}, err
	case pingresp:
		return Packet{Kind: Pingresp}, r.skip(n)
	}
	return Packet{}, r.skip(n)
}

// two reads the body of a packet that must have two bytes.
func (r *Reader) two(n int, name string) (body [2]byte, err error) {
	if n != 2 {
		return body, fmt.Errorf("read %s: its length is %d, want 2", name, n)
	}
	for i := range body {
		if body[i], err = r.in.ReadByte(); err != nil {
			return [2]byte{}, unexpected(err)
		}
	}
	return body, nil
}

func (r *Reader) skip(n int) error {
	_, err := r.in.Discard(n)
	return unexpected(err)
}

// length reads a remaining length: at most four bytes.
func (r *Reader) length() (int, error) {
	n := 0
	for shift := 0; shift < 28; shift += 7 {
		b, err := r.in.ReadByte()
		if err != nil {
			return 0, err
		}
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, errors.New("read packet: its length has more than four bytes")
}

// unexpected is err, where an end of the stream is in the middle of a packet.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ConnackError says why a server refused a connection.
type ConnackError struct{ Code byte }

func (e *ConnackError) Error() string {
	reasons := [...]string{
		1: "unacceptable protocol version", 2: "client identifier rejected", 3: "server unavailable",
		4: "bad user name or password", 5: "not authorized",
	}
	if int(e.Code) < len(reasons) && e.Code > 0 {
		return fmt.Sprintf("MQTT connection refused: %s (code %d)", reasons[e.Code], e.Code)
	}
	return fmt.Sprintf("MQTT connection refused: code %d", e.Code)
}
