package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/datadir"
)

// serverOptions are the flags of the commands that run a server of their own:
// weir up, agent and gateway.
type serverOptions struct {
	site
	http, nats, mqtt, leaf address
	otlp                   otlpOptions

	data   string
	policy string

	users        string
	tls          bus.TLS
	durability   string
	insecure     bool
	quiet        bool
	upstream     string // URL of the link to the tier above; empty: none
	upstreamCA   string
	creds        string // credentials at the tier above, or at the server that is joined
	upCreds      string // credentials at the tier above
	member       string // of a gateway: its name among those of its region
	uplinkRate   byteRate
	backfillPart int // percent of the uplink's bytes
}

// newServerOptions names the flags of the addresses.
func newServerOptions(role string) serverOptions {
	o := serverOptions{http: address{flag: "http"}, nats: address{flag: "nats"}, mqtt: address{flag: "mqtt"}, leaf: address{flag: "leaf"}, otlp: newOTLPOptions()}
	o.Role = role
	return o
}

// addFlags adds what every such command takes.
func (o *serverOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.data, "data", "", "data folder (default: a new temporary one, removed at the end)")
	f.StringVar(&o.policy, "policy", "", "policy document (JSON) to put in force as default")
	f.StringVar(&o.users, "users", "", "file of users that may connect: devices, and links from below")
	f.StringVar(&o.tls.Cert, "tls-cert", "", "certificate (PEM) for NATS, MQTT, OTLP and links; needs --tls-key")
	f.StringVar(&o.tls.Key, "tls-key", "", "its private key")
	f.StringVar(&o.tls.CA, "tls-ca", "", "authority that clients' certificates must come from")
	f.StringVar(&o.durability, "durability", string(bus.Fast), "what a power cut may take: fast (at most a second, declared) or durable (nothing)")
	f.BoolVar(&o.insecure, "insecure", false, "accept anybody on addresses that other machines reach")
	f.BoolVar(&o.quiet, "quiet", false, "say nothing but warnings and errors")
}

// addLinkFlags adds those of a command that may have a tier above.
func (o *serverOptions) addLinkFlags(f *pflag.FlagSet) {
	f.StringVar(&o.upstream, "upstream", "", "link to the tier above, as nats-leaf://host:7422 or tls://host:7422; empty: it works alone")
	f.StringVar(&o.upCreds, "upstream-creds", "", "credentials at the tier above: a JSON file with user and password, mode 0600")
	f.StringVar(&o.creds, "creds", "", "the same; with a URL at --nats: credentials at that server")
	f.StringVar(&o.upstreamCA, "upstream-ca", "", "authority that the tier above must have its certificate from")
	f.Var(&o.uplinkRate, "uplink-rate", "bytes per second that the link may carry, as 128KB (default: no limit)")
	f.IntVar(&o.backfillPart, "backfill", 50, "percent of them for what was made while the link was down")
}

// addresses are where it listens.
func (o *serverOptions) addresses() []address {
	if o.joins() {
		return []address{o.http}
	}
	return append([]address{o.http, o.nats, o.mqtt, o.leaf}, o.otlp.addresses()...)
}

// check says everything that is wrong with the flags.
func (o *serverOptions) check() error {
	var errs []error
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for _, a := range o.addresses() {
		errs = append(errs, a.check())
	}
	problem(o.http.value == "", "--http is empty: other commands ask there; 127.0.0.1:0 takes any free port")
	problem(!slices.Contains([]string{string(bus.Fast), string(bus.Durable)}, o.durability), "--durability %q: use %s or %s", o.durability, bus.Fast, bus.Durable)
	problem((o.tls.Cert == "") != (o.tls.Key == ""), "--tls-cert and --tls-key go together: name both")
	problem(o.tls.CA != "" && o.tls.Cert == "" && !o.joins(), "--tls-ca checks clients of a TLS listener: name --tls-cert and --tls-key too")
	problem(o.creds != "" && o.upstream == "" && !o.joins(), "--creds are for the tier above: name it with --upstream")
	problem(o.upCreds != "" && o.upstream == "", "--upstream-creds are for the tier above: name it with --upstream")
	problem(o.upCreds != "" && o.creds != "" && !o.joins(), "--creds and --upstream-creds both name the credentials at the tier above: use one")
	problem(o.upstream != "" && o.policy != "", "--policy: policy comes from the tier above: set it at the center")
	problem(o.upstream != "" && o.Role == roleCenter, "--upstream: nothing is above the center")
	problem(o.upstream != "" && (o.backfillPart < 1 || o.backfillPart > 100), "--backfill %d: use 1 to 100 percent", o.backfillPart)
	return errors.Join(append(errs, o.checkOwner(), o.checkUpstream(), o.checkExposed(), o.checkJoin(), o.otlp.check())...)
}

// checkExposed refuses to let strangers in, or passwords be read, by accident.
func (o *serverOptions) checkExposed() error {
	switch {
	case o.insecure:
		return nil
	case o.users == "":
		return exposed("without users anybody is whoever they say: use 127.0.0.1, name users with --users FILE, or", o.addresses()...)
	case o.tls.Cert == "":
		return errors.Join(exposed("the page and the API know no users: use 127.0.0.1, or", o.http),
			exposed("passwords would travel in the clear: use 127.0.0.1, name a certificate with --tls-cert and --tls-key, or", o.nats, o.mqtt, o.leaf, o.otlp.grpc, o.otlp.http))
	}
	return exposed("the page and the API know no users: use 127.0.0.1, or", o.http)
}

func (o *serverOptions) checkOwner() error {
	switch o.Role {
	case roleAgent:
		return errors.Join(neededName("name", o.Name, schemas.CheckName("agent", o.Name)), neededName("region", o.Region, schemas.CheckRegion(o.Region)))
	case roleRegion:
		return neededName("name", o.Name, schemas.CheckRegion(o.Name))
	}
	return nil
}

// neededName turns what is wrong with a name into what is wrong with its flag.
func neededName(flag, value string, err error) error {
	switch {
	case value == "":
		return fmt.Errorf("--%s is needed", flag)
	case err != nil:
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return nil
}

func (o *serverOptions) checkUpstream() error {
	for _, one := range o.upstreams() {
		u, err := url.Parse(one)
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats-leaf", "nats", "tls"}, u.Scheme) {
			return fmt.Errorf("--upstream %q: use a URL like nats-leaf://host:7422 or tls://host:7422", one)
		}
		if u.User != nil {
			return fmt.Errorf("--upstream %s: passwords belong into the file of --creds, not into a command line", u.Redacted())
		}
	}
	return nil
}

func (o *serverOptions) upstreams() []string {
	if o.upstream == "" {
		return nil
	}
	return strings.Split(o.upstream, ",")
}

// server is the configuration of the embedded server.
func (o *serverOptions) server(f *datadir.Folder) (bus.Config, error) {
	c := bus.Config{
		Dir: f.Dir, Listen: o.nats.value, Leaf: o.leaf.value, Prefix: schemas.DefaultPrefix, OperatorPassword: f.Operator.Password,
		Name: cmp.Or(o.Name, "weir"), Durability: bus.Durability(o.durability),
	}
	if o.Role != "" {
		c.Domain = o.Name
	}
	if o.tls.Cert != "" {
		tls := o.tls
		c.TLS = &tls
	}
	if isGateway(o.Role) {
		service, err := f.Service()
		if err != nil {
			return c, err
		}
		c.ServicePassword = service.Password
	}
	if o.upstream == "" {
		return c, nil
	}
	up, err := o.link()
	c.Upstream = &up
	return c, err
}

// link is the link to the tier above.
func (o *serverOptions) link() (bus.Upstream, error) {
	up := bus.Upstream{URL: o.upstream, CA: o.upstreamCA}
	file := o.upCreds
	if file == "" && !o.joins() {
		file = o.creds
	}
	if file == "" {
		return up, nil
	}
	who, err := datadir.ReadOperator(file)
	if err != nil {
		return up, fmt.Errorf("credentials at the tier above: %w", err)
	}
	up.User, up.Password = who.User, who.Password
	return up, nil
}

// exposed refuses the first address that other machines reach, and says why and
// what to do instead of --insecure.
func exposed(why string, addresses ...address) error {
	for _, a := range addresses {
		if a.value != "" && a.check() == nil && !a.loopback() {
			return fmt.Errorf("--%s %s is open to other machines, and %s --insecure on a network that you trust", a.flag, a.value, why)
		}
	}
	return nil
}

// document reads the policy file, if there is one.
func (o *serverOptions) document() ([]byte, error) {
	if o.policy == "" {
		return nil, nil
	}
	data, err := os.ReadFile(o.policy)
	if err != nil {
		return nil, usageError("--policy: %w", err)
	}
	if err := checkDefault(data); err != nil {
		return nil, exitWith(exitInvalid, fmt.Errorf("--policy %s: %w", o.policy, err))
	}
	return data, nil
}
