package schemas

import "fmt"

// GatewayTick is the time of a gateway tier, written into its input stream so
// that what depends on time is in the input: the hold time of windows whose
// contributors are missing, and who is expected.
//
//	byte     1         the version
//	msgpack  [ time, wall ]
type GatewayTick struct {
	Time int64 // tier time: never goes back
	Wall int64
}

// Append appends the tick's bytes to b.
func (t GatewayTick) Append(b []byte) []byte {
	w := newHeadWriter()
	w.reset(TickVersion)
	w.array(2)
	w.int(t.Time)
	w.int(t.Wall)
	return w.appendTo(b)
}

// DecodeGatewayTick decodes a tick.
func DecodeGatewayTick(b []byte) (t GatewayTick, err error) {
	if len(b) == 0 {
		return t, fmt.Errorf("decode tick: %w", errShort)
	}
	if err := checkVersion("tick", int(b[0]), TickVersion); err != nil {
		return t, err
	}
	r := newHeadReader()
	r.reset(b[1:])
	r.fields(2)
	t = GatewayTick{Time: r.int(), Wall: r.int()}
	if r.err == nil && r.rest() > 0 {
		r.fail(fmt.Errorf("%d bytes left over", r.rest()))
	}
	if r.err != nil {
		return GatewayTick{}, fmt.Errorf("decode tick of %d bytes: %w", len(b), r.err)
	}
	return t, nil
}
