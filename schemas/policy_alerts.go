package schemas

import (
	"fmt"
	"reflect"
	"slices"
)

// Alerts say who is told of findings.
type Alerts struct {
	Receivers Receivers `json:"receivers,omitempty" jsonschema:"Who is told."`
}

// Receiver is one who is told of findings, over HTTP.
type Receiver struct {
	Name     string       `json:"name" jsonschema:"1 to 64 letters, digits, - or _. What it has been told is remembered under it."`
	Kind     ReceiverKind `json:"kind" jsonschema:"webhook gets JSON, alertmanager gets alerts as Prometheus sends them."`
	URL      string       `json:"url" jsonschema:"Where to post. For alertmanager the path /api/v2/alerts is added where there is none."`
	At       ReceiverTier `json:"at" jsonschema:"The tier that tells: each agent, each region, or the center."`
	Severity LeastWord    `json:"severity" jsonschema:"The least severity that is told."`
	Tenants  []string     `json:"tenants,omitempty" jsonschema:"Names of tenants, with * and ?. Left out: all."`
	Kinds    []KindWord   `json:"kinds,omitempty" jsonschema:"Kinds of findings. Left out: all."`

	GroupBy       []GroupWord `json:"group_by" jsonschema:"webhook: findings that are equal in these are told in one message."`
	GroupWait     Duration    `json:"group_wait" jsonschema:"webhook: how long a message waits for more."`
	GroupInterval Duration    `json:"group_interval" jsonschema:"webhook: least time between two messages of one group."`
	Repeat        Duration    `json:"repeat" jsonschema:"alertmanager: how often what goes on is sent again."`
	Rate          int         `json:"rate" jsonschema:"Messages a minute at most; what is held back is told later, together."`
	Timeout       Duration    `json:"timeout" jsonschema:"How long a request may take."`

	SecretFile string `json:"secret_file,omitempty" jsonschema:"webhook: name of a file in the folder secrets of the data folder: messages are signed with it."`
	TokenFile  string `json:"token_file,omitempty" jsonschema:"Name of a file in the folder secrets: a bearer token."`
	CAFile     string `json:"ca_file,omitempty" jsonschema:"Name of a file in the folder secrets: certificates (PEM) that the receiver's is checked with. Left out: those of the system."`
}

// ReceiverKind is what a receiver understands.
type ReceiverKind string

// The kinds of receivers.
const (
	Webhook      ReceiverKind = "webhook"
	Alertmanager ReceiverKind = "alertmanager"
)

func (ReceiverKind) choices() []string { return []string{string(Webhook), string(Alertmanager)} }

// ReceiverTier is a tier that tells.
type ReceiverTier string

// The tiers that tell.
const (
	TellAtCenter ReceiverTier = ReceiverTier(TierCenter)
	TellAtRegion ReceiverTier = ReceiverTier(TierRegion)
	TellAtAgent  ReceiverTier = ReceiverTier(TierAgent)
)

func (ReceiverTier) choices() []string {
	return []string{string(TellAtCenter), string(TellAtRegion), string(TellAtAgent)}
}

// LeastWord is a severity in a document.
type LeastWord string

func (LeastWord) choices() []string { return severities[1:] }

// KindWord is a kind of finding in a document.
type KindWord string

func (KindWord) choices() []string { return findingKinds[1:] }

// GroupWord is a field of a finding by which messages are grouped.
type GroupWord string

var groupWords = []string{"tenant", "kind", "severity", "class", "metric", "device", "origin", "region", "detector"}

func (GroupWord) choices() []string { return groupWords }

// BucketNotify is the KV bucket where it is remembered up to where each receiver was
// told: the key is TIER.NAME.
const BucketNotify = "NOTIFY"

// MaxReceivers bounds the receivers of a policy.
const MaxReceivers = 16

// newReceiver is a receiver with every default.
func newReceiver() Receiver {
	return Receiver{
		At: TellAtCenter, Severity: LeastWord(Warning.String()), GroupBy: []GroupWord{"tenant", "kind"},
		GroupWait: second, GroupInterval: 30 * second, Repeat: minute, Rate: 30, Timeout: 10 * second,
	}
}

// Receivers are those of a policy.
type Receivers []Receiver

// receivers binds each entry over the defaults.
func (b *binder) receivers(path string, v any, into *Receivers) {
	list, ok := v.([]any)
	if !ok {
		b.refuse(path, v, "want an array of receivers")
		return
	}
	*into = nil
	for i := range list {
		r := newReceiver()
		b.value(fmt.Sprintf("%s[%d]", path, i), list[i], reflect.ValueOf(&r).Elem())
		*into = append(*into, r)
	}
}

// receivers checks what they mean.
func (c *checker) receivers() {
	all := c.policy.Alerts.Receivers
	c.want(len(all) <= MaxReceivers, "alerts.receivers", len(all), "want at most %d", MaxReceivers)
	for i := range all {
		at := fmt.Sprintf("alerts.receivers[%d].", i)
		c.receiver(at, &all[i])
		same := slices.ContainsFunc(all[:i], func(r Receiver) bool { return r.Name == all[i].Name })
		c.want(!same, at+"name", all[i].Name, "another receiver has that name, and what it was told is remembered under it: choose another name")
	}
}

func (c *checker) receiver(at string, r *Receiver) {
	c.want(ValidName(r.Name), at+"name", r.Name, "use 1 to %d letters, digits, '-' or '_'", MaxNameLen)
	c.want(r.Kind != "", at+"kind", r.Kind, "want %s", oneOf(r.Kind.choices()))
	c.endpoint(at+"url", r.URL)
	for i, t := range r.Tenants {
		c.glob(fmt.Sprintf("%stenants[%d]", at, i), t)
	}
	c.within(at+"group_wait", r.GroupWait, 0, hour)
	c.within(at+"group_interval", r.GroupInterval, 0, day)
	c.within(at+"repeat", r.Repeat, second, day)
	c.within(at+"timeout", r.Timeout, 100*millisecond, 5*minute)
	c.want(r.Rate >= 1 && r.Rate <= 6000, at+"rate", r.Rate, "want 1 to 6000 messages a minute")
	c.want(r.Kind != Alertmanager || r.SecretFile == "", at+"secret_file", r.SecretFile, "an Alertmanager checks no signature: leave it out")
	for _, f := range [...]struct{ name, file string }{{"secret_file", r.SecretFile}, {"token_file", r.TokenFile}, {"ca_file", r.CAFile}} {
		c.want(f.file == "" || plainFile(f.file), at+f.name, f.file, "name a file in the folder secrets of the data folder, without a path")
	}
}
