package torture

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"weir/schemas"
)

// A message is what some device sends, and what must become of it: all its
// records are good, or it is one record that is refused for the reason.
type message struct {
	tenant, device, signal string
	payload                []byte
	good                   int
	reason                 schemas.Reason // "" where it is good
}

// mixer makes messages of which it knows what must become. It is a function of
// its seed, but for times, which must be near those of the product.
type mixer struct {
	*rand.Rand
	name string // part of the names of its devices
}

// Tenants and devices of one mixer.
const (
	mixTenants = 3
	mixDevices = 3
)

func (m *mixer) message(good bool) message {
	x := message{
		tenant: "mix-" + strconv.Itoa(m.IntN(mixTenants)), device: m.name + "-" + strconv.Itoa(m.IntN(mixDevices)),
		signal: string(schemas.Metrics),
	}
	if good {
		x.payload, x.good = m.goodPayload()
		return x
	}
	m.spoil(&x)
	return x
}

// goodPayload is a payload and the number of its records.
func (m *mixer) goodPayload() (payload []byte, records int) {
	switch m.IntN(6) {
	case 0:
		return []byte(m.number()), 1
	case 1:
		return m.msgpackReading()
	case 2:
		return m.array()
	}
	text, records := m.reading()
	return []byte(text), records
}

// number is a finite JSON number.
func (m *mixer) number() string {
	switch m.IntN(4) {
	case 0:
		return strconv.Itoa(m.IntN(2000) - 1000)
	case 1:
		return strconv.FormatFloat(m.NormFloat64()*1e6, 'e', -1, 64)
	case 2:
		return "0." + strings.Repeat("0", m.IntN(30)) + "1"
	}
	return strconv.FormatFloat(float64(m.IntN(1<<20))/1024, 'f', -1, 64)
}

// reading is a JSON object of one reading, with things in it that are ignored.
func (m *mixer) reading() (text string, records int) {
	fields := []string{}
	records = 1 + m.IntN(4)
	for i := range records {
		fields = append(fields, fmt.Sprintf(`"m%d":%s`, i, m.number()))
	}
	if m.IntN(4) == 0 {
		fields = append(fields, `"on":true`)
		records++
	}
	for _, extra := range []string{
		`"note":"\u00e4 \"quoted\" \\ text"`, `"gone":null`, `"inner":{"a":[1,{"b":2}]}`, `"unit":"C"`,
		`"attrs":{"site":"x","floor":3}`, `"boot":"b1"`,
		fmt.Sprintf(`"ts":%d`, time.Now().UnixMilli()), fmt.Sprintf(`"ts":"%s"`, time.Now().UTC().Format(time.RFC3339Nano)),
	} {
		if m.IntN(5) == 0 && !(strings.HasPrefix(extra, `"ts"`) && strings.Contains(strings.Join(fields, ""), `"ts"`)) {
			fields = append(fields, extra)
		}
	}
	m.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return strings.Repeat(" ", m.IntN(3)) + "{" + strings.Join(fields, ", ") + "}", records
}

func (m *mixer) array() (payload []byte, records int) {
	n := 1 + m.IntN(10)
	readings := make([]string, n)
	for i := range readings {
		var good int
		if readings[i], good = m.reading(); m.IntN(5) == 0 {
			readings[i], good = m.number(), 1
		}
		records += good
	}
	return []byte("[" + strings.Join(readings, ",") + "]"), records
}

func (m *mixer) msgpackReading() (payload []byte, records int) {
	records = 1 + m.IntN(5)
	b := []byte{0x80 | byte(records)}
	for i := range records {
		b = append(b, 0xa2, 'p', byte('0'+i), 0xcb)
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(m.NormFloat64()))
	}
	return b, records
}

// spoil makes the message one that must be refused as one record.
func (m *mixer) spoil(x *message) {
	kinds := []struct {
		reason schemas.Reason
		make   func(x *message) []byte
	}{
		{schemas.Undecodable, m.garbage},
		{schemas.Undecodable, m.cutOff},
		{schemas.Undecodable, m.cutOffMsgpack},
		{schemas.Undecodable, m.trailing},
		{schemas.Undecodable, m.notUTF8},
		{schemas.Undecodable, m.bomb},
		{schemas.TooDeep, m.deep},
		{schemas.TooMany, m.many},
		{schemas.TooLarge, m.large},
		{schemas.BadName, m.badName},
		{schemas.BadValue, m.badValue},
		{schemas.BadTime, m.badTime},
		{schemas.NoValues, m.noValues},
		{schemas.Future, m.future},
		{schemas.BadSubject, m.elsewhere},
		{schemas.Undecodable, m.otherSignal},
	}
	k := kinds[m.IntN(len(kinds))]
	if k.reason == schemas.TooLarge && m.IntN(50) > 0 { // they are large
		k = kinds[0]
	}
	x.payload, x.reason = k.make(x), k.reason
}

func (m *mixer) pick(texts ...string) []byte { return []byte(texts[m.IntN(len(texts))]) }

// garbage begins with a byte that begins no format.
func (m *mixer) garbage(*message) []byte {
	b := make([]byte, 1+m.IntN(200))
	for i := range b {
		b[i] = byte(m.Uint32())
	}
	b[0] = m.pick("\x00\x01\x7f!\"#abcxyz}])\xa0\xbf\xc0\xc1\xd9\xe0\xff")[m.IntN(15)]
	return b
}

func (m *mixer) cutOff(*message) []byte {
	text, _ := m.reading()
	text = strings.TrimLeft(text, " ")
	return []byte(text[:1+m.IntN(len(text)-1)])
}

func (m *mixer) cutOffMsgpack(*message) []byte {
	b, _ := m.msgpackReading()
	return b[:1+m.IntN(len(b)-1)]
}

func (m *mixer) trailing(*message) []byte {
	text, _ := m.reading()
	return append([]byte(text), m.pick("x", "}", "{}", ",1", "\x00", "]")...)
}

func (m *mixer) notUTF8(*message) []byte {
	return m.pick("{\"m\":1,\"note\":\"\xff\"}", "{\"\xc3\x28\":1}", "[{\"m\":1,\"n\":\"\xed\xa0\x80\"}]")
}

// bomb claims to hold more than any memory.
func (m *mixer) bomb(*message) []byte {
	return m.pick("\xdd\x03\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\x81\xa1a\xc6\xff\xff\xff\xff", "\xdc\xff\xff", "\x81\xa1a\xdb\x7f\xff\xff\xff")
}

func (m *mixer) deep(*message) []byte {
	n := 20 + m.IntN(2000)
	return m.pick(`{"m":`+strings.Repeat("[", n), strings.Repeat(`{"a":`, n), strings.Repeat("[", n), strings.Repeat("\x91", n))
}

func (m *mixer) many(*message) []byte {
	n := 1001 + m.IntN(500)
	if m.IntN(2) == 0 {
		return []byte("[" + strings.Repeat("1,", n-1) + "1]")
	}
	return append(binary.BigEndian.AppendUint16([]byte{0xdc}, uint16(n)), make([]byte, n)...)
}

func (m *mixer) large(*message) []byte {
	return []byte(`{"m":1,"note":"` + strings.Repeat("x", 65<<10+m.IntN(1<<14)) + `"}`)
}

func (m *mixer) badName(*message) []byte {
	return m.pick(`{"9":1}`, `{"":1}`, `{"a b":1}`, `{"ü":1}`, `{"a*":1}`, `{"`+strings.Repeat("n", 129)+`":1}`, `{"m":1,"attrs":{"9":"x"}}`, "\x81\xa19\x01")
}

func (m *mixer) badValue(*message) []byte {
	return m.pick(`{"m":1e999}`, `{"m":1,"seq":-1}`, `{"m":1,"seq":1.5}`, `{"m":1,"boot":"a b"}`, `{"m":1,"attrs":7}`, `{"metrics":3}`, `["x"]`, `[null]`, "\x81\xa1m\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00")
}

func (m *mixer) badTime(*message) []byte {
	return m.pick(`{"m":1,"ts":86400}`, `{"m":1,"ts":"yesterday"}`, `{"m":1,"ts":-1}`, `{"m":1,"ts":true}`, `{"m":1,"ts":"1999-12-31T23:59:59Z"}`, `{"m":1,"ts":1e30}`)
}

func (m *mixer) noValues(*message) []byte {
	return m.pick(`{}`, `[]`, `{"note":"x"}`, `{"m":null}`, `{"m":1,"metrics":{}}`, `{"ts":1763760000123,"seq":1}`, "\x80", "\x90", "\x81\xa1m\xc0")
}

func (m *mixer) future(*message) []byte {
	return fmt.Appendf(nil, `{"m":%s,"ts":%d}`, m.number(), time.Now().Add(time.Minute+time.Duration(m.IntN(1e6))*time.Second).UnixMilli())
}

// elsewhere sends to a place that is no device's.
func (m *mixer) elsewhere(x *message) []byte {
	switch m.IntN(4) {
	case 0:
		x.tenant = "no!name"
	case 1:
		x.device = strings.Repeat("d", 65)
	case 2:
		x.signal = "metric"
	case 3:
		x.device = "d\u00e4"
	}
	text, _ := m.reading()
	return []byte(text)
}

func (m *mixer) otherSignal(x *message) []byte {
	x.signal = string(m.pick(string(schemas.Traces), string(schemas.Logs)))
	return []byte("no request")
}

// tally is what must become of messages.
type tally struct {
	good     uint64 // records
	rejected map[schemas.Reason]uint64
}

func newTally() tally { return tally{rejected: map[schemas.Reason]uint64{}} }

func (t *tally) note(x message) {
	if x.reason == "" {
		t.good += uint64(x.good)
	} else {
		t.rejected[x.reason]++
	}
}

func (t *tally) add(o tally) {
	t.good += o.good
	for reason, n := range o.rejected {
		t.rejected[reason] += n
	}
}

// bad is the number of all that is rejected.
func (t *tally) bad() (n uint64) {
	for _, k := range t.rejected {
		n += k
	}
	return n
}
