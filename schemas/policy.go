package schemas

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Policy is the effective policy of an agent: complete, every default filled
// in. People write policy documents, which leave out what they do not change;
// [ParsePolicy] makes a Policy of one. docs/policy.md is the reference.
//
// A policy in use is never written to.
type Policy struct {
	Rules

	Disorder       Duration `json:"disorder" jsonschema:"How far the records of one device may be out of order without being late."`
	Idle           Duration `json:"idle" jsonschema:"Agent time without a record after which a device no longer holds up the agent's windows."`
	ReconnectGrace Duration `json:"reconnect_grace" jsonschema:"Agent time that devices get after a restart of the agent before their silence counts."`
	MaxFuture      Duration `json:"max_future" jsonschema:"How far ahead of ingest time an event time may be; records beyond are rejected as future."`
	MaxPast        Duration `json:"max_past" jsonschema:"Records older than this are late, as too_old."`

	DeviceClasses []DeviceClass `json:"device_classes" jsonschema:"Classes of devices by name; the first match wins, and a device without one has the class default."`

	Classes map[string]Override `json:"classes,omitempty" jsonschema:"What is different for devices of a class."`
	Tenants map[string]Override `json:"tenants,omitempty" jsonschema:"What is different for a tenant. It stands above what is different for a class."`

	ItemRules ItemRules `json:"rules,omitempty" jsonschema:"What is dropped or changed of what comes over OTLP, before it is counted. Rules apply in this order."`
	Alerts    Alerts    `json:"alerts,omitzero" jsonschema:"Who is told of findings."`
	Exporters Exporters `json:"exporters,omitempty" jsonschema:"Where final windows go beyond Weir."`

	EffectiveFrom Instant `json:"effective_from,omitzero" jsonschema:"Event time from which views hold, RFC 3339. Left out: as soon as possible."`
}

// Rules are the part of a policy that may differ by tenant and class.
type Rules struct {
	Views         Views         `json:"views" jsonschema:"What is kept of the records. An entry changes the view of its name or adds one."`
	Detect        Detect        `json:"detect" jsonschema:"What is abnormal."`
	Limits        Limits        `json:"limits" jsonschema:"Caps that hold under any input."`
	PayloadFormat PayloadFormat `json:"payload_format" jsonschema:"The payload format taken from devices: auto tells by the first byte."`
}

// Views are the views of a policy, DeviceView and FleetView first.
type Views []View

// Names of the views that always exist.
const (
	DeviceView = "device" // (device, metric): the ledger's classes follow it
	FleetView  = "fleet"  // (class, metric)
)

// View says what is kept of the records that it matches: one window per key and
// interval.
type View struct {
	Name            string   `json:"name" jsonschema:"1 to 64 letters, digits, - or _. The views device and fleet always exist."`
	Match           Match    `json:"match,omitzero" jsonschema:"Which records the view holds. Left out: all."`
	GroupBy         []string `json:"group_by" jsonschema:"The key, besides the tenant: device, class, metric or attrs.KEY."`
	Size            Duration `json:"size" jsonschema:"Length of a window."`
	Hop             Duration `json:"hop" jsonschema:"Distance between the starts of windows, of which size is a multiple. Left out: the size."`
	AllowedLateness Duration `json:"allowed_lateness" jsonschema:"How long past its end a window takes late records."`
	Scale           int      `json:"scale" jsonschema:"Resolution of the sketch: buckets are 2^(2^-scale) wide. 6 is an error of 0.54 %, 5 of 1.08 %."`
	ZeroWidth       float64  `json:"zero_width" jsonschema:"Greatest absolute value that counts as zero in the sketch."`
	Kind            ViewKind `json:"kind" jsonschema:"gauge keeps the values, counter their increase."`
	Uplink          Uplink   `json:"uplink" jsonschema:"How far the view's windows travel."`
	Publish         bool     `json:"publish" jsonschema:"Whether final windows are also published on NATS as JSON lines."`
}

// ViewKind is what a view makes of values.
type ViewKind string

// The kinds of views.
const (
	Gauge   ViewKind = "gauge"
	Counter ViewKind = "counter"
)

// Uplink says how far the windows of a view travel.
type Uplink string

// The uplinks.
const (
	UplinkNone   Uplink = "none"
	UplinkRegion Uplink = "region"
	UplinkCenter Uplink = "center"
)

// Tier is the highest tier that windows with this uplink reach; empty: they stay.
func (u Uplink) Tier() Tier {
	if u == UplinkNone {
		return ""
	}
	return Tier(u)
}

// PayloadFormat is what devices may send.
type PayloadFormat string

// The payload formats.
const (
	FormatAuto    PayloadFormat = "auto"
	FormatJSON    PayloadFormat = "json"
	FormatMsgpack PayloadFormat = "msgpack"
)

// Limits are caps. Those of a tenant or class are marked so; the others hold
// for the whole process and cannot be overridden.
type Limits struct {
	Tenants            int      `json:"tenants" jsonschema:"Tenants that may exist; a record of one more is rejected as tenant_limit."`
	Devices            int      `json:"devices" jsonschema:"Devices of an agent; readings of one more are rejected as too_many."`
	Connections        int      `json:"connections" jsonschema:"MQTT connections of devices; one more is closed."`
	SeriesPerDevice    int      `json:"series_per_device" jsonschema:"Metrics of a device; records of further ones are counted under one overflow metric. May differ by tenant and class."`
	Payload            ByteSize `json:"payload" jsonschema:"Size of a message; a larger one is rejected as too_large. May differ by tenant and class."`
	Depth              int      `json:"depth" jsonschema:"Nesting of objects and arrays in a message; a deeper one is rejected as too_deep. May differ by tenant and class."`
	ReadingsPerMessage int      `json:"readings_per_message" jsonschema:"Readings in a message; more are rejected as too_many. May differ by tenant and class."`
	MetricsPerReading  int      `json:"metrics_per_reading" jsonschema:"Metrics in a reading; more are rejected as too_many. May differ by tenant and class."`
	LogsPerSecond      int      `json:"logs_per_second" jsonschema:"Log records of a device that rules may pass through; further ones are held back as log_rate. May differ by tenant and class."`
	LogsAtOnce         int      `json:"logs_at_once" jsonschema:"Log records of a device that may be passed through at once after a silence. May differ by tenant and class."`
	LogSize            ByteSize `json:"log_size" jsonschema:"Size of a log record that may be passed through, with its resource and scope; a larger one is held back as log_too_large. May differ by tenant and class."`
}

// DeviceClass gives a class to the devices whose name matches.
type DeviceClass struct {
	Match string `json:"match" jsonschema:"Device name with * for any text and ? for one character."`
	Class string `json:"class" jsonschema:"1 to 64 letters, digits, - or _."`
}

// DefaultClass is the class of devices that no entry of device_classes matches.
const DefaultClass = "default"

// Override is what is different for a tenant or a class: a part of a document
// with views, limits and payload_format. See [Policy.For].
type Override struct{ patch map[string]any }

// MarshalJSON returns the override as it was written, with sorted keys.
func (o Override) MarshalJSON() ([]byte, error) { return json.Marshal(o.patch) }

// DefaultPolicy is in force where no document says otherwise.
func DefaultPolicy() *Policy {
	device := newView(DeviceView)
	device.GroupBy = []string{"device", "metric"}
	fleet := newView(FleetView)
	fleet.GroupBy, fleet.Uplink = []string{"class", "metric"}, UplinkCenter
	return &Policy{
		Rules: Rules{
			Views: Views{device, fleet},
			Limits: Limits{
				Tenants: 100, Devices: 50_000, Connections: 20_000,
				SeriesPerDevice: 256, Payload: 64 << 10, Depth: 8, ReadingsPerMessage: 1000, MetricsPerReading: 256,
				LogsPerSecond: 10, LogsAtOnce: 100, LogSize: 16 << 10,
			},
			PayloadFormat: FormatAuto, Detect: defaultDetect(),
		},
		Disorder: 500 * millisecond, Idle: 2 * second, ReconnectGrace: 10 * second, MaxFuture: 5 * second, MaxPast: 7 * day,
		DeviceClasses: []DeviceClass{},
	}
}

// newView is a view with every default; it has no key yet.
func newView(name string) View {
	return View{
		Name: name, GroupBy: []string{}, Size: 10 * second, Hop: 10 * second, AllowedLateness: minute,
		Scale: 6, ZeroWidth: 1e-6, Kind: Gauge, Uplink: UplinkRegion,
	}
}

// Named is the view of a name, or nil.
func (v Views) Named(name string) *View {
	if i := slices.IndexFunc(v, func(w View) bool { return w.Name == name }); i >= 0 {
		return &v[i]
	}
	return nil
}

// clone copies the views so far as binding writes to them.
func (v Views) clone() Views { return slices.Clone(v) }

// For is what holds for a tenant's devices of a class: the document's rules,
// changed by those of the class, then by those of the tenant.
func (p *Policy) For(tenant, class string) *Rules {
	ofClass, ofTenant := p.Classes[class], p.Tenants[tenant]
	if ofClass.patch == nil && ofTenant.patch == nil {
		return &p.Rules
	}
	r := p.Rules
	r.Views = r.Views.clone()
	new(binder).rules(&r, "", ofClass, ofTenant) // checked by ParsePolicy
	return &r
}

// ClassOf is the class of a device.
func (p *Policy) ClassOf(device string) string {
	for i := range p.DeviceClasses {
		if Glob(p.DeviceClasses[i].Match, device) {
			return p.DeviceClasses[i].Class
		}
	}
	return DefaultClass
}

// Lengths are the sizes and hops of all views, those of tenants and classes
// included, in ns, ascending. A change between two policies that is to cut no
// window happens at a common multiple of both.
func (p *Policy) Lengths() []int64 {
	var all []int64
	add := func(views Views) {
		for i := range views {
			all = append(all, int64(views[i].Size), int64(views[i].Hop))
		}
	}
	add(p.Views)
	each := func(_ string, r *Rules) { add(r.Views) }
	p.overridden(each)
	p.overriddenTwice(each)
	slices.Sort(all)
	return slices.Compact(all)
}

// overridden calls f with the rules of each class and each tenant, and where they stand.
func (p *Policy) overridden(f func(path string, r *Rules)) {
	for _, c := range sortedKeys(p.Classes) {
		f("classes."+c, p.For("", c))
	}
	for _, t := range sortedKeys(p.Tenants) {
		f("tenants."+t, p.For(t, ""))
	}
}

// pairing joins the paths of two overrides.
const pairing = " with "

// overriddenTwice calls f with the rules of each tenant and class that both change views.
func (p *Policy) overriddenTwice(f func(path string, r *Rules)) {
	for _, t := range sortedKeys(p.Tenants) {
		for _, c := range sortedKeys(p.Classes) {
			if p.Tenants[t].patch["views"] != nil && p.Classes[c].patch["views"] != nil {
				f("tenants."+t+pairing+"classes."+c, p.For(t, c))
			}
		}
	}
}

// JSON is the whole policy as a document with every default written out.
// Policies that are written alike give equal bytes, whatever the order and
// spelling of the document they came from; only overrides keep the spelling.
func (p *Policy) JSON() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("BUG: encode policy: %v", err))
	}
	return b
}

// Hash is the hash of the policy's JSON, which agents report.
func (p *Policy) Hash() uint64 { return Hash(p.JSON()) }
