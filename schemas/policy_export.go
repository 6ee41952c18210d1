package schemas

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Exporter says where final windows go beyond Weir.
type Exporter struct {
	Name        string       `json:"name" jsonschema:"1 to 64 letters, digits, - or _. What has been sent is remembered under it."`
	Kind        ExporterKind `json:"kind" jsonschema:"otlp sends OpenTelemetry metrics, remote_write writes to Prometheus."`
	Protocol    Protocol     `json:"protocol,omitempty" jsonschema:"otlp: http or grpc. remote_write: 1.0 or 2.0. Left out: http, 1.0."`
	Endpoint    string       `json:"endpoint" jsonschema:"URL of the receiver. For otlp over http the path /v1/metrics is added where there is none."`
	At          ExporterTier `json:"at" jsonschema:"The tier whose windows it sends: each region sends its own."`
	Views       []string     `json:"views,omitempty" jsonschema:"Names of views, with * and ?. Left out: all that end at the tier."`
	Temporality Temporality  `json:"temporality" jsonschema:"cumulative: each point is the sum since the start. delta: each point is one window; not for remote_write."`
	Resource    Granularity  `json:"resource" jsonschema:"What an OTLP resource stands for; the rest are attributes of points."`
	SignedSum   bool         `json:"signed_sum" jsonschema:"Whether OTLP histograms with values below zero have a sum, which the specification would leave out."`
	HeadersFile string       `json:"headers_file,omitempty" jsonschema:"Name of a file in the folder secrets of the data folder: lines of Header: value."`
	TokenFile   string       `json:"token_file,omitempty" jsonschema:"Name of a file in the folder secrets: a bearer token."`
	CAFile      string       `json:"ca_file,omitempty" jsonschema:"Name of a file in the folder secrets: certificates (PEM) that the receiver's is checked with. Left out: those of the system."`
	Timeout     Duration     `json:"timeout" jsonschema:"How long a request may take."`
	Findings    bool         `json:"findings,omitempty" jsonschema:"Whether findings are sent too, as log records; only for otlp."`
	Logs        bool         `json:"logs,omitempty" jsonschema:"Whether log records that rules pass through are sent too; only for otlp."`
}

// ExporterKind is what an exporter speaks.
type ExporterKind string

// The kinds of exporters.
const (
	ExportOTLP        ExporterKind = "otlp"
	ExportRemoteWrite ExporterKind = "remote_write"
)

func (ExporterKind) choices() []string {
	return []string{string(ExportOTLP), string(ExportRemoteWrite)}
}

// Protocol is how an exporter's requests travel.
type Protocol string

// The protocols.
const (
	ProtocolHTTP         Protocol = "http"
	ProtocolGRPC         Protocol = "grpc"
	ProtocolRemoteWrite1 Protocol = "1.0"
	ProtocolRemoteWrite2 Protocol = "2.0"
)

func (Protocol) choices() []string {
	return []string{string(ProtocolHTTP), string(ProtocolGRPC), string(ProtocolRemoteWrite1), string(ProtocolRemoteWrite2)}
}

// ExporterTier is a tier that exports.
type ExporterTier string

// The tiers that export.
const (
	ExportAtCenter ExporterTier = ExporterTier(TierCenter)
	ExportAtRegion ExporterTier = ExporterTier(TierRegion)
)

func (ExporterTier) choices() []string {
	return []string{string(ExportAtCenter), string(ExportAtRegion)}
}

// Temporality says what a point stands for.
type Temporality string

// The temporalities.
const (
	Cumulative Temporality = "cumulative"
	Delta      Temporality = "delta"
)

func (Temporality) choices() []string { return []string{string(Cumulative), string(Delta)} }

// Granularity is what an OTLP resource stands for.
type Granularity string

// The granularities.
const (
	ResourceGateway Granularity = "gateway"
	ResourceTenant  Granularity = "tenant"
	ResourceDevice  Granularity = "device"
)

func (Granularity) choices() []string {
	return []string{string(ResourceGateway), string(ResourceTenant), string(ResourceDevice)}
}

// MaxExporters bounds the exporters of a policy.
const MaxExporters = 16

// newExporter is an exporter with every default.
func newExporter() Exporter {
	return Exporter{At: ExportAtCenter, Temporality: Cumulative, Resource: ResourceGateway, Timeout: 10 * second}
}

// Exporters are those of a policy.
type Exporters []Exporter

// exporters binds each entry over the defaults.
func (b *binder) exporters(path string, v any, into *Exporters) {
	list, ok := v.([]any)
	if !ok {
		b.refuse(path, v, "want an array of exporters")
		return
	}
	*into = nil
	for i := range list {
		e := newExporter()
		b.value(fmt.Sprintf("%s[%d]", path, i), list[i], reflect.ValueOf(&e).Elem())
		if e.Protocol == "" {
			e.Protocol = map[ExporterKind]Protocol{ExportOTLP: ProtocolHTTP, ExportRemoteWrite: ProtocolRemoteWrite1}[e.Kind]
		}
		*into = append(*into, e)
	}
}

// exporters checks what they mean.
func (c *checker) exporters() {
	all := c.policy.Exporters
	c.want(len(all) <= MaxExporters, "exporters", len(all), "want at most %d", MaxExporters)
	for i := range all {
		at := fmt.Sprintf("exporters[%d].", i)
		c.exporter(at, &all[i])
		same := slices.ContainsFunc(all[:i], func(e Exporter) bool { return e.Name == all[i].Name })
		c.want(!same, at+"name", all[i].Name, "another exporter has that name, and what was sent is remembered under it: choose another name")
	}
}

func (c *checker) exporter(at string, e *Exporter) {
	c.want(ValidName(e.Name), at+"name", e.Name, "use 1 to %d letters, digits, '-' or '_'", MaxNameLen)
	if e.Kind == "" {
		c.want(false, at+"kind", e.Kind, "want %s", oneOf(e.Kind.choices()))
		return
	}
	speaks := map[ExporterKind][]Protocol{
		ExportOTLP: {ProtocolHTTP, ProtocolGRPC}, ExportRemoteWrite: {ProtocolRemoteWrite1, ProtocolRemoteWrite2},
	}[e.Kind]
	c.want(slices.Contains(speaks, e.Protocol), at+"protocol", e.Protocol, "%s speaks %s or %s", e.Kind, speaks[0], speaks[1])
	c.want(e.Kind == ExportOTLP || e.Temporality == Cumulative, at+"temporality", e.Temporality, "remote_write takes cumulative only: leave it out")
	c.want(e.Kind == ExportOTLP || !e.Findings, at+"findings", e.Findings, "only otlp carries them: leave it out")
	c.want(e.Kind == ExportOTLP || !e.Logs, at+"logs", e.Logs, "only otlp carries them: leave it out")
	c.within(at+"timeout", e.Timeout, 100*millisecond, 5*minute)
	c.endpoint(at+"endpoint", e.Endpoint)
	for i, v := range e.Views {
		c.glob(fmt.Sprintf("%sviews[%d]", at, i), v)
	}
	for _, f := range [...]struct{ field, name string }{{"headers_file", e.HeadersFile}, {"token_file", e.TokenFile}, {"ca_file", e.CAFile}} {
		c.want(f.name == "" || plainFile(f.name), at+f.field, f.name, "name a file in the folder secrets of the data folder, without a path")
	}
}

// endpoint refuses what is no URL of a receiver, and passwords in it: policy is
// shown to everybody who may look.
func (c *checker) endpoint(path, endpoint string) {
	u, err := url.Parse(endpoint)
	ok := err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.Fragment == ""
	c.want(ok, path, shown(u, endpoint), "want a URL such as http://127.0.0.1:4318 or https://otlp.example.com")
	c.want(!ok || u.User == nil, path, shown(u, endpoint), "a password belongs into the file of headers_file or token_file")
}

func shown(u *url.URL, endpoint string) string {
	if u == nil {
		return endpoint
	}
	return u.Redacted()
}

// plainFile reports whether name is that of a file and nothing else.
func plainFile(name string) bool {
	return len(name) <= 255 && !strings.ContainsAny(name, "/\\\x00") && name != "." && name != ".."
}

// Exports reports whether an exporter sends the windows of a view. ends says that
// they do not travel beyond the exporter's tier.
func (e *Exporter) Exports(view string, ends bool) bool {
	if len(e.Views) == 0 {
		return ends
	}
	return slices.ContainsFunc(e.Views, func(pattern string) bool { return Glob(pattern, view) })
}
