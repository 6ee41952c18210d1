// Package producttest is a product small enough to be right at a glance: it
// takes readings over MQTT or by call, counts them in windows, and answers the
// HTTP API that the verifier asks. Tests break it on purpose.
//
// In: payloads of simulated devices. Out: windows, late totals and a ledger.
// Promises: it decides by its own watermark and its own decoding, so that a test
// with it also checks what the plan says of each fate. Limits: JSON only, one
// policy, everything in memory.
package producttest

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"weir/schemas"
)

// Product is the product. Its fields are set before it is used.
type Product struct {
	Size, Lateness time.Duration
	Now            func() int64                 // Unix ns, to judge what comes from the future
	Keep           func(device string) int      // nil: once. How often a good reading is counted
	FleetLate      func(device string) bool     // nil: never. Whether the fleet view calls it late
	Timing         func(start int64) string     // nil: final
	Answer         func(path string) (code int) // nil: 200

	mu      sync.Mutex
	tenants map[string]*tenant
}

type tenant struct {
	devices map[string]*device
	fleet   map[int64]*total
	late    map[int64]*total // of the fleet view, by hour
	ledger  map[schemas.Outcome]int64
	reasons map[schemas.Reason]int64
}

type device struct {
	seen    map[uint64]bool
	newest  int64
	windows map[int64]*total
	late    map[int64]*total // by hour
}

type total struct {
	count  int64
	sum    float64
	digest uint64
}

func (t *total) add(value float64, id uint64) {
	t.count++
	t.sum += value
	t.digest += id
}

const (
	disorder = int64(500 * time.Millisecond)
	future   = int64(5 * time.Second)
	year2000 = 946_684_800 * int64(time.Second)
)

// reading is what a device sends.
type reading struct {
	time  int64
	seq   uint64
	boot  string
	name  string
	value float64
}

// Ingest takes a payload. It returns how many records it is, and why they were
// refused, if they were.
func (p *Product) Ingest(tenantName, deviceName string, payload []byte) (records int, reason schemas.Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tenant(tenantName)
	readings, reason := decode(payload)
	if reason != "" {
		t.refuse(reason)
		return 1, reason
	}
	for _, r := range readings {
		if r.time > p.Now()+future {
			t.refuse(schemas.Future)
			reason = schemas.Future
			continue
		}
		for range p.times(deviceName) {
			p.count(t, tenantName, deviceName, r)
		}
	}
	return len(readings), reason
}

func (p *Product) times(device string) int {
	if p.Keep == nil {
		return 1
	}
	return p.Keep(device)
}

func (p *Product) tenant(name string) *tenant {
	if p.tenants == nil {
		p.tenants = map[string]*tenant{}
	}
	t := p.tenants[name]
	if t == nil {
		t = &tenant{map[string]*device{}, map[int64]*total{}, map[int64]*total{}, map[schemas.Outcome]int64{}, map[schemas.Reason]int64{}}
		p.tenants[name] = t
	}
	return t
}

func (t *tenant) refuse(why schemas.Reason) {
	t.ledger[schemas.Rejected]++
	t.reasons[why]++
}

func (t *tenant) device(name string) *device {
	d := t.devices[name]
	if d == nil {
		d = &device{seen: map[uint64]bool{}, newest: math.MinInt64 / 2, windows: map[int64]*total{}, late: map[int64]*total{}}
		t.devices[name] = d
	}
	return d
}

// count judges one reading by the device's own watermark.
func (p *Product) count(t *tenant, tenantName, deviceName string, r reading) {
	d := t.device(deviceName)
	id := schemas.NumberedIdentity(schemas.SeriesIdentity(tenantName, deviceName, r.boot, r.name), r.seq)
	if p.Keep == nil && d.seen[r.seq] {
		t.ledger[schemas.Duplicate]++
		return
	}
	d.seen[r.seq] = true
	size := int64(p.Size)
	start := r.time - r.time%size
	hour := r.time - r.time%int64(time.Hour)
	if start+size+int64(p.Lateness) <= d.newest-disorder {
		t.ledger[schemas.Late]++
		at(d.late, hour).add(r.value, id)
		at(t.late, hour).add(r.value, id)
		return
	}
	d.newest = max(d.newest, r.time)
	t.ledger[schemas.Counted]++
	at(d.windows, start).add(r.value, id)
	if p.FleetLate != nil && p.FleetLate(deviceName) {
		at(t.late, hour).add(r.value, id)
	} else {
		at(t.fleet, start).add(r.value, id)
	}
}

func at(m map[int64]*total, k int64) *total {
	if m[k] == nil {
		m[k] = new(total)
	}
	return m[k]
}

// decode makes readings of a payload, or says why it cannot.
func decode(payload []byte) ([]reading, schemas.Reason) {
	var all []map[string]json.RawMessage
	text := strings.TrimSpace(string(payload))
	if !strings.HasPrefix(text, "[") {
		text = "[" + text + "]"
	}
	if !strings.HasPrefix(text, "[{") || json.Unmarshal([]byte(text), &all) != nil {
		return nil, schemas.Undecodable
	}
	var readings []reading
	for _, fields := range all {
		r, reason := one(fields)
		if reason != "" {
			return nil, reason
		}
		readings = append(readings, r)
	}
	return readings, ""
}

func one(fields map[string]json.RawMessage) (r reading, reason schemas.Reason) {
	var millis float64
	if ts, ok := fields["ts"]; ok && json.Unmarshal(ts, &millis) != nil {
		return r, schemas.BadTime
	} else if ok {
		r.time = int64(millis) * int64(time.Millisecond)
		if r.time < year2000 {
			return r, schemas.BadTime
		}
	}
	err := errors.Join(optional(fields["seq"], &r.seq), optional(fields["boot"], &r.boot))
	if err != nil {
		return r, schemas.Undecodable
	}
	for name, text := range fields {
		switch {
		case name == "ts", name == "seq", name == "boot", len(text) == 0, text[0] == '"', string(text) == "null":
		case !schemas.ValidMetric(name):
			return r, schemas.BadName
		case json.Unmarshal(text, &r.value) != nil:
			return r, schemas.BadValue
		default:
			r.name = name
		}
	}
	if r.name == "" {
		return r, schemas.NoValues
	}
	return r, ""
}

func optional(text json.RawMessage, into any) error {
	if text == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
