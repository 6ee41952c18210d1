package ingest

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"weir/schemas"
)

// now is the ingest time of decoding tests.
const now = 1_763_770_000_123 * int64(time.Millisecond)

func testRules() *Rules {
	s := DefaultSettings()
	return &s.Rules
}

// show writes a message as one line: readings with their place, refusals,
// ignored fields; or the fault.
func show(m *message) string {
	if m.fault != "" {
		return string(m.fault) + ": " + m.detail
	}
	var parts []string
	for i := range m.readings {
		parts = append(parts, fmt.Sprintf("%d:%s", m.at[i], showReading(&m.readings[i])))
	}
	for _, r := range m.refused {
		parts = append(parts, fmt.Sprintf("%d:%s×%d", r.at, r.reason, r.n))
	}
	for _, r := range m.numbers {
		parts = append(parts, fmt.Sprintf("refused#%d", r.Seq))
	}
	if m.ignored > 0 {
		parts = append(parts, fmt.Sprintf("ignored×%d", m.ignored))
	}
	return strings.Join(parts, " ")
}

func showReading(r *schemas.Reading) string {
	var b strings.Builder
	for i, v := range r.Values {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s=%v", v.Metric, v.Value)
	}
	if r.Numbered {
		fmt.Fprintf(&b, "#%d", r.Seq)
	}
	if r.Boot != "" {
		fmt.Fprintf(&b, "/%s", r.Boot)
	}
	for _, a := range r.Attrs {
		fmt.Fprintf(&b, "{%s=%s}", a.Key, a.Value)
	}
	if r.EventTime != now {
		fmt.Fprintf(&b, "@%d", r.EventTime)
	}
	return b.String()
}

func decodeText(payload string) string {
	return show(new(decoder).decode([]byte(payload), testRules(), now))
}

func TestDecodeJSON(t *testing.T) {
	f := func(payload, want string) {
		t.Helper()
		if got := decodeText(payload); got != want {
			t.Errorf("%.200s\n got %.300s\nwant %s", payload, got, want)
		}
	}
	// shapes
	f(`{"temp":21.5}`, `0:temp=21.5`)
	f(" \t\r\n{ \"temp\" : 21.5 , \"hum\":4e1 } ", `0:temp=21.5,hum=40`)
	f(`{"temp":21.5,"ts":1763760000123,"seq":17,"boot":"a1","attrs":{"z":1.50,"site":"x","on":true,"no":null}}`,
		`0:temp=21.5#17/a1{on=true}{site=x}{z=1.50}@1763760000123000000`)
	f(`{"a":true,"b":false,"c":null,"d":"text","e":{"x":[1,{}]},"f":[],"g":-0.5}`, `0:a=1,b=0,g=-0.5 ignored×3`)
	f(`{"temp":1,"unit":"C","traceparent":"00-x","tracestate":{"a":1}}`, `0:temp=1`)
	f(`[{"a":1},2,{"b":3}]`, `0:a=1 1:value=2 2:b=3`)
	f(`[{"a":1},"x",[1],null,true]`, `0:a=1 1:bad_value×1 2:bad_value×1 3:bad_value×1 4:bad_value×1`)
	f(`[]`, `0:no_values×1`)
	f(`{}`, `0:no_values×1`)
	f(`{"seq":4}`, `0:no_values×1 refused#4`)
	f(`{"a":"x","seq":4}`, `0:no_values×1 refused#4 ignored×1`)

	// metrics: in there and nowhere else, wherever it stands
	f(`{"metrics":{"a":1,"ts":2,"x":"y","n":null},"b":3,"seq":5}`, `0:a=1,ts=2#5 ignored×2`)
	f(`{"b":3,"2bad":1,"metrics":{"a":1}}`, `0:a=1 ignored×2`)
	f(`{"b":3,"metrics":{}}`, `0:no_values×1 ignored×1`)
	f(`{"b":3,"metrics":null}`, `0:b=3`)
	f(`{"b":3,"metrics":4}`, `0:bad_value×1`)
	f(`{"metrics":{"a":1},"metrics":{"b":2}}`, `0:bad_value×1 ignored×1`)

	// names
	f(`{"_a.b:c/d-9":1}`, `0:_a.b:c/d-9=1`)
	f(`{"9a":1,"":2,"a b":3,"ü":4,"ok":5,"`+strings.Repeat("x", 129)+`":6}`, `0:ok=5 0:bad_name×1 0:bad_name×1 0:bad_name×1 0:bad_name×1 0:bad_name×1`)
	f(`{"te\u006dp":1,"\ud83d\ude00":2}`, `0:temp=1 0:bad_name×1`)
	f(`{"a":1,"a":2}`, `0:a=1 0:bad_name×1`)
	f(`{"9a":1,"seq":3}`, `0:bad_name×1 refused#3`)

	// numbers
	f(`{"a":1e999,"b":-1e999,"c":1e308,"d":1e-999}`, `0:c=1e+308,d=0 0:bad_value×1 0:bad_value×1`)
	f(`{"a":123456789012345678901234567890,"b":0.1234567890123456789012}`, `0:a=1.2345678901234568e+29,b=0.12345678901234568`)

	// seq and boot
	f(`{"a":1,"seq":9223372036854775807}`, `0:a=1#9223372036854775807`)
	f(`{"a":1,"seq":9223372036854775808}`, `0:bad_value×1`)
	f(`{"a":1,"seq":17.0}`, `0:a=1#17`)
	f(`{"a":1,"seq":0}`, `0:a=1#0`)
	f(`{"a":1,"seq":1.5}`, `0:bad_value×1`)
	f(`{"a":1,"seq":-1}`, `0:bad_value×1`)
	f(`{"a":1,"seq":"17"}`, `0:bad_value×1`)
	f(`{"a":1,"seq":null,"boot":null}`, `0:a=1`)
	f(`{"a":1,"seq":1,"seq":1}`, `0:bad_value×1 refused#1`)
	f(`{"a":1,"boot":-17}`, `0:a=1/-17`)
	f(`{"a":1,"boot":18446744073709551615}`, `0:bad_value×1`)
	f(`{"a":1,"boot":1.5}`, `0:bad_value×1`)
	f(`{"a":1,"boot":""}`, `0:bad_value×1`)
	f(`{"a":1,"boot":"a b"}`, `0:bad_value×1`)

	// attributes
	f(`{"a":1,"attrs":{"x":[1]}}`, `0:bad_value×1`)
	f(`{"a":1,"attrs":"x"}`, `0:bad_value×1`)
	f(`{"a":1,"attrs":{"9":1}}`, `0:bad_name×1`)
	f(`{"a":1,"attrs":{"k":1,"k":2}}`, `0:bad_name×1`)
	f(`{"a":1,"attrs":{"k":"`+strings.Repeat("x", 129)+`"}}`, `0:bad_value×1`)

	// a reading refused whole is as many records as it has good metrics
	f(`{"a":1,"b":2,"9":3,"ts":1}`, `0:bad_name×1 0:bad_time×2`)
	f(`{"9":3,"ts":1,"seq":8}`, `0:bad_name×1 refused#8`)

	// form
	f(``, `undecodable: empty payload`)
	f(`  `, `undecodable: empty payload`)
	f(`true`, `undecodable: payload begins with byte 0x74: want a JSON object, array or number, or a msgpack map or array`)
	f(`{"a":1}}`, `undecodable: JSON at byte 7: something follows the value`)
	f(`{"a":1,}`, `undecodable: JSON at byte 7: want a key in quotes`)
	f(`{"a":01}`, `undecodable: JSON at byte 5: not a number`)
	f(`{"a":+1}`, `undecodable: JSON at byte 5: want a value`)
	f(`{"a":1.}`, `undecodable: JSON at byte 5: not a number`)
	f(`{"a":nul}`, `undecodable: JSON at byte 5: want a value`)
	f(`{"a" 1}`, `undecodable: JSON at byte 5: want : behind a key`)
	f(`{"a\x":1}`, `undecodable: JSON at byte 3: bad escape in a string`)
	f("{\"a\n\":1}", `undecodable: JSON at byte 3: control character in a string`)
	f("{\"a\xff\":1}", `undecodable: JSON text is not valid UTF-8`)
	f(`[{"a":1},{"b":2}`, `undecodable: JSON at byte 16: want , or ] behind a reading`)
	f(`{"a":"`, `undecodable: JSON at byte 6: string without end`)

	// limits
	f(`[[[[[[[[[1]]]]]]]]]`, `too_deep: JSON at byte 8: more than 8 levels`)
	f(`[[[[[[[[1]]]]]]]]`, `0:bad_value×1`)
	f(`{"a":1,"x":`+strings.Repeat(`{"y":`, 10)+`1`, `too_deep: JSON at byte 46: more than 8 levels`)
	f(`[`+strings.Repeat("1,", 1000)+`1]`, `too_many: more than 1000 readings in one message`)
	f(`"`+strings.Repeat("x", 70000), `too_large: payload of 70001 bytes: at most 65536`)
}

func TestDecodeBareNumber(t *testing.T) {
	f := func(payload, want string) {
		t.Helper()
		if got := decodeText(payload); got != want {
			t.Errorf("%q: got %s, want %s", payload, got, want)
		}
	}
	const none = `undecodable: payload begins like a number and is none`
	f("21.5", "0:value=21.5")
	f(" +21.5\n", "0:value=21.5")
	f("-0.5e1", "0:value=-5")
	f("007", "0:value=7")
	f("1e999", "0:bad_value×1")
	f("21,5", none)
	f("0x10", none)
	f("1_000", none)
	f("12:30", none)
	f("5.", none)
	f("-", none)
	f("+-5", none)
	f(" +-5", none)
	f("5 6", none)
	f("Infinity", `undecodable: payload begins with byte 0x49: want a JSON object, array or number, or a msgpack map or array`)
}

func TestStamps(t *testing.T) {
	f := func(ts, want string) {
		t.Helper()
		got := decodeText(`{"a":1,"ts":` + ts + `}`)
		if want != "bad_time" && want != "future" {
			at, err := time.Parse(time.RFC3339Nano, want)
			if err != nil {
				t.Fatal(err)
			}
			want = fmt.Sprintf("0:a=1@%d", at.UnixNano())
		} else {
			want = "0:" + want + "×1"
		}
		if got != want {
			t.Errorf("ts %s: got %s, want %s", ts, got, want)
		}
	}
	const at = "2025-11-21T21:20:00Z"
	f(`1763760000`, at)
	f(`1763760000.123`, "2025-11-21T21:20:00.123Z")
	f(`1763760000.123456789`, "2025-11-21T21:20:00.123456789Z")
	f(`1.76376e9`, at)
	f(`1763760000000`, at)
	f(`1763760000123.4`, "2025-11-21T21:20:00.1234Z")
	f(`1763760000000000`, at)
	f(`1763760000000000001`, "2025-11-21T21:20:00.000000001Z")
	f(`"2025-11-21T21:20:00Z"`, at)
	f(`"2025-11-21T22:20:00.5+01:00"`, "2025-11-21T21:20:00.5Z")
	f(`946684800`, "2000-01-01T00:00:00Z")
	f(`946684799.999`, "bad_time")
	f(`0`, "bad_time")
	f(`-1763760000`, "bad_time")
	f(`"2025-11-21"`, "bad_time")
	f(`"1763760000"`, "bad_time")
	f(`"1999-12-31T23:59:59Z"`, "bad_time")
	f(`"2262-01-01T00:00:00Z"`, "bad_time")
	f(`true`, "bad_time")
	f(`[1763760000]`, "bad_time")
	f(`99999999999`, "bad_time")         // seconds: the year 5138
	f(`99999999999999`, "bad_time")      // the same in ms
	f(`9223372036854775807`, "future")   // ns: the year 2262
	f(`9223372036854775808`, "bad_time") // beyond int64
	f(`1e300`, "bad_time")
	f(`1763770005124`, "future")                   // 5.001 s ahead
	f(`1763770005123`, "2025-11-22T00:06:45.123Z") // exactly 5 s
}

// A float64 holds seconds to a quarter of a microsecond: msgpack stamps are
// rounded to the microsecond that the sender meant.
func TestFloatStamp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		us := rapid.Int64Range(year2000/1000, now/1000).Draw(t, "µs")
		v := fromFloat(float64(us) / 1e6)
		if got, ok := stampOf(&v); !ok || got != us*1000 {
			t.Fatalf("%d µs as float seconds: got %d ns", us, got)
		}
	})
}

// Each decimal float64 is read as strconv reads it.
func TestScanNumberIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Float64().Draw(t, "value")
		text := fmt.Sprintf(rapid.SampledFrom([]string{"%v", "%.3f", "%.17g", "%e", "%.25e"}).Draw(t, "form"), want)
		var parsed float64
		if _, err := fmt.Sscan(text, &parsed); err != nil {
			t.Skip(text)
		}
		if got, n := scanNumber([]byte(text), false); n != len(text) || got.float != parsed {
			t.Fatalf("%s: read %d bytes as %v, want %v", text, n, got.float, parsed)
		}
	})
}

func pack(t testing.TB, v any) string {
	t.Helper()
	b, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type object = map[string]any

func TestDecodeMsgpack(t *testing.T) {
	f := func(payload, want string) {
		t.Helper()
		if got := decodeText(payload); got != want {
			t.Errorf("%x\n got %.300s\nwant %s", payload, got, want)
		}
	}
	f(pack(t, object{"temp": 21.5}), `0:temp=21.5`)
	f(" "+pack(t, object{"temp": float32(21.5)}), `0:temp=21.5`)
	f(pack(t, object{"a": -5, "ts": uint64(1763760000123)}), `0:a=-5@1763760000123000000`)
	f(pack(t, []any{object{"a": 1, "seq": uint64(1) << 62}, 7, "x", nil, object{"b": true}}), `0:a=1#4611686018427387904 1:value=7 4:b=1 2:bad_value×1 3:bad_value×1`)
	f(pack(t, object{"metrics": object{"a": 1}, "b": 2}), decodeText(`{"metrics":{"a":1},"b":2}`))
	f(pack(t, object{"a": math.NaN()}), `0:bad_value×1`)
	f(pack(t, object{"a": math.Inf(-1)}), `0:bad_value×1`)
	f(pack(t, object{"a": 1, "t": "text", "n": nil}), `0:a=1 ignored×1`)
	f(pack(t, object{"a": 1, "bin": []byte{1, 2}}), `0:a=1 ignored×1`)
	f(pack(t, object{"a": 1, "when": time.Unix(5, 5)}), `0:a=1 ignored×1`)
	f(pack(t, object{"a": 1, "ts": time.Unix(5, 5)}), `0:bad_time×1`)
	f(pack(t, object{"a": 1, "attrs": object{"k": 1.5}}), `0:a=1{k=1.5}`)
	f(pack(t, object{"a": 1, "attrs": object{"k": uint64(math.MaxUint64)}}), `0:a=1{k=18446744073709551615}`)
	f(pack(t, object{"a": 1, "boot": 1763}), `0:a=1/1763`)
	f(pack(t, map[any]any{5: []any{1, object{"x": 2}}, "a": 1}), `0:a=1 ignored×1`)
	f("\x90", `0:no_values×1`)
	f("\x80", `0:no_values×1`)
	f("\x81\xa1a", `undecodable: msgpack at byte 3: truncated`)
	f("\x81\xa1a\xc1", `undecodable: msgpack at byte 3: byte 0xc1, which is never used`)
	f("\x80\x80", `undecodable: msgpack at byte 1: something follows the value`)
	f(strings.Repeat("\x91", 9)+"\x01", `too_deep: msgpack at byte 8: more than 8 levels`)
	f("\xdc\x03\xe9"+strings.Repeat("\x01", 1001), `too_many: 1001 readings in one message: at most 1000`)
}

// Short inputs that claim gigabytes, and deep ones, end soon and allocate little
// (reference: attack S12).
func TestMsgpackBombs(t *testing.T) {
	bombs := []string{
		"\xdd\x03\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\x81\xa1a\xc6\xff\xff\xff\xff", "\x81\xdb\xff\xff\xff\xff", "\x91\xc9\xff\xff\xff\xff\x01",
		strings.Repeat("\x91", 65536), strings.Repeat("\x81", 65536), strings.Repeat("\xdf\x00\x00\x00\x01", 13000),
		"\xdd\xff\xff\xff\xff" + strings.Repeat("\x90", 60000),
	}
	full := pack(t, object{"a": 1, "metrics": object{"x": 1.5, "y": []any{"z"}}, "attrs": object{"k": "v"}})
	for i := range full {
		bombs = append(bombs, full[:i])
	}
	rules := testRules()
	for _, b := range bombs {
		m := new(decoder)
		bytes, took := cost(func() { m.decode([]byte(b), rules, now) })
		if m.fault != schemas.Undecodable && m.fault != schemas.TooDeep {
			t.Errorf("%.20x: fault %q", b, m.fault)
		}
		if bytes > 64<<10+4*uint64(len(b)) || took > 2*time.Second {
			t.Errorf("%.20x: %d bytes allocated, %v", b, bytes, took)
		}
	}
}

// cost is the memory that f allocates and the time it takes, at the least of
// three runs.
func cost(f func()) (bytes uint64, took time.Duration) {
	bytes, took = math.MaxUint64, math.MaxInt64
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		f()
		took = min(took, time.Since(begin))
		runtime.ReadMemStats(&after)
		bytes = min(bytes, after.TotalAlloc-before.TotalAlloc)
	}
	return bytes, took
}

// A tenant may be held to one format.
func TestFormatRule(t *testing.T) {
	rules := testRules()
	rules.Format = Msgpack
	d := new(decoder)
	if m := d.decode([]byte(`{"a":1}`), rules, now); m.fault != schemas.Undecodable {
		t.Errorf("JSON where msgpack is wanted: %s", show(m))
	}
	if m := d.decode([]byte(pack(t, object{"a": 1})), rules, now); m.fault != "" {
		t.Errorf("msgpack where it is wanted: %s", show(m))
	}
}

func TestTooManyMetrics(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"seq":3`)
	for i := range 257 {
		fmt.Fprintf(&b, `,"m%d":1`, i)
	}
	if got := decodeText(b.String() + "}"); got != "0:too_many×257 refused#3" {
		t.Error(got)
	}
}
