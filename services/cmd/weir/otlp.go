package main

import (
	"fmt"
	"net"

	"github.com/spf13/pflag"

	"weir/schemas"
	"weir/services/ingest"
	"weir/services/internal/datadir"
)

// otlpOptions are where a process takes OTLP, and of whom.
type otlpOptions struct {
	grpc, http address
	tenant     string
}

func newOTLPOptions() otlpOptions {
	return otlpOptions{grpc: address{flag: "otlp-grpc"}, http: address{flag: "otlp-http"}}
}

// addFlags adds the flags of a command that takes telemetry.
func (o *otlpOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.grpc.value, "otlp-grpc", "127.0.0.1:4317", "OpenTelemetry over gRPC; empty: none")
	f.StringVar(&o.http.value, "otlp-http", "127.0.0.1:4318", "OpenTelemetry over HTTP; empty: none")
	f.StringVar(&o.tenant, "otlp-tenant", "default", "tenant of OpenTelemetry whose credentials name none")
}

func (o *otlpOptions) addresses() []address { return []address{o.grpc, o.http} }

// check says what is wrong with the tenant; the addresses are checked with all others.
func (o *otlpOptions) check() error {
	if o.tenant == "" || schemas.ValidName(o.tenant) {
		return nil
	}
	return fmt.Errorf("--otlp-tenant %.80q: use 1 to %d letters, digits, '-' or '_'", o.tenant, schemas.MaxNameLen)
}

// configure tells ingest.
func (o *otlpOptions) configure(c *ingest.Config) {
	c.OTLPGRPC, c.OTLPHTTP, c.OTLPTenant = o.grpc.value, o.http.value, o.tenant
}

// otlpAddrs are where OTLP is taken; empty: nowhere.
func (p *plant) otlpAddrs() (overGRPC, overHTTP string) {
	if p.ingest == nil {
		return "", ""
	}
	g, h := p.ingest.OTLPAddrs()
	return addrText(g), addrText(h)
}

func addrText(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// otlpLine is where OTLP is taken, for the banner.
func otlpLine(i datadir.Instance) string {
	switch {
	case i.OTLPGRPC == "":
		return "http://" + i.OTLPHTTP
	case i.OTLPHTTP == "":
		return i.OTLPGRPC
	}
	return i.OTLPGRPC + " (gRPC), http://" + i.OTLPHTTP
}

// attributesOf reports whether some view of a policy looks at an attribute.
func attributesOf(p *schemas.Policy) func(key string) bool {
	looked := map[string]bool{}
	for _, s := range scopesOf(p) {
		for i := range s.views {
			v := aggregatorView(p, &s.views[i])
			for _, key := range v.Keys() {
				looked[key] = true
			}
		}
	}
	return func(key string) bool { return looked[key] }
}
