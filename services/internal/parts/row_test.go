package parts

import (
	"encoding/json"
	"testing"
	"time"

	"weir/schemas"
)

// sample is the sum of two parts of a device.
func sample() *Sum {
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).UnixNano()
	second := int64(time.Second)
	a := holding("a", schemas.Point{Time: at, Value: 1, ID: 0xa})
	b := holding("a", schemas.Point{Time: at + 2_500_000, Value: 3, ID: 0xb})
	a.Start, a.End, a.Dims, a.Key.Values = at, at+10*second, []string{"device", "metric"}, []string{"d", "m"}
	a.ClockError, b.ClockError, a.LateCount = 1_500_000, 1_000_000, 1
	return sumOf(a, b)
}

// exemplars are those of sample.
const exemplars = `"exemplars":[{"time":"2026-11-21T10:00:00.000Z","value":1,"trace_id":"0a000000000000000000000000000000","span_id":"0a00000000000000"},` +
	`{"time":"2026-11-21T10:00:00.002Z","value":3,"trace_id":"0b000000000000000000000000000000","span_id":"0b00000000000000"}]`

// TestRows pins the JSON that other people's tools read.
func TestRows(t *testing.T) {
	row := sample().Row("a001", "r01")
	row.WindowDetail = sample().Detail()
	bare := holding("a", schemas.Point{Value: 1})
	bare.Sketch, bare.Expected, bare.ClockError, bare.Exemplars = nil, 0, 0, nil
	late := sample()
	late.View = schemas.LateView("v")
	for _, c := range []struct {
		row  any
		want string
	}{
		{row, `{"tenant":"t","view":"v","key":{"device":"d","metric":"m"},"start":"2026-11-21T10:00:00.000Z","end":"2026-11-21T10:00:10.000Z",` +
			`"count":2,"sum":4,"min":1,"max":3,"p50":1,"p90":3,"p99":3,"revision":2,"timing":"on_time","completeness":0.5,"clock_error_ms":1.5,"agent":"a001","region":"r01",` + exemplars +
			`,` +
			`"digest":"0000000000000015","late":1,"first":{"time":"2026-11-21T10:00:00.000Z","value":1,"id":"000000000000000a"},"last":{"time":"2026-11-21T10:00:00.002Z","value":3,"id":"000000000000000b"}}`},
		{sumOf(bare).Row("a001", "r01"), `{"tenant":"t","view":"v","key":{"class":"c"},"start":"1970-01-01T00:00:00.000Z","end":"1970-01-01T00:00:00.000Z",` +
			`"count":1,"sum":1,"min":1,"max":1,"p50":null,"p90":null,"p99":null,"revision":1,"timing":"on_time","completeness":null,"clock_error_ms":null}`},
		{late.LateRow(), `{"tenant":"t","view":"v","key":{"device":"d","metric":"m"},"hour":"2026-11-21T10:00:00.000Z","count":2,"sum":4,"min":1,"max":3,"digest":"0000000000000015"}`},
		{schemas.PublishedRow{WindowRow: sumOf(bare).Row("", ""), Gateway: "r01/3", Amendment: true}, `{"tenant":"t","view":"v","key":{"class":"c"},"start":"1970-01-01T00:00:00.000Z","end":"1970-01-01T00:00:00.000Z",` +
			`"count":1,"sum":1,"min":1,"max":1,"p50":null,"p90":null,"p99":null,"revision":1,"timing":"on_time","completeness":null,"clock_error_ms":null,"gateway":"r01/3","amendment":true}`},
	} {
		got, err := json.Marshal(c.row)
		if err != nil || string(got) != c.want {
			t.Errorf("%v\ngot  %s\nwant %s", err, got, c.want)
		}
	}
}
