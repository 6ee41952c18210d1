package ingest

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"weir/schemas"
	"weir/services/internal/rules"
)

// Config is fixed for the life of a Service. Zero values take the default named
// with the field.
type Config struct {
	// Agents are the logical agents of this process, in the order that
	// schemas.AgentOf places devices on. Fixed for a data folder.
	Agents []string
	// MQTT is the address of the MQTT listener; port 0 takes a free one. Empty: none.
	MQTT string
	// OTLPGRPC and OTLPHTTP are the addresses of the OTLP listeners; port 0 takes a
	// free one. Empty: none.
	OTLPGRPC, OTLPHTTP string
	// OTLPTenant is whom OTLP requests are of where credentials do not say. Default
	// "default".
	OTLPTenant string
	// MaxConnections is how many MQTT connections the process can hold; policy may
	// allow fewer. One more is closed at once. Default 20,000.
	MaxConnections int
	// ConnectWithin is how long an MQTT connection may take to say who it is, with
	// its TLS handshake. Default 5 s.
	ConnectWithin time.Duration
	// TLS is what the MQTT and OTLP listeners speak (ServerTLS reads it from files). nil: none.
	TLS *tls.Config
	// RecheckEvery is how often connections are closed whose user is gone or has
	// other rights. Default 10 s.
	RecheckEvery time.Duration
	// JournalShare is an agent's share of the journal in bytes. At 90 % of it the
	// agent takes no more. 0: no limit.
	JournalShare int64
	// FrameBytes is the size at which a frame is cut. Default 256 KiB; far above
	// it a frame no longer fits the server's largest message.
	FrameBytes int
	// PendingFrames bounds the frames of an agent that wait for the one in flight.
	// Beyond it MQTT connections are not read on. Default 4.
	PendingFrames int
	// Prompt and Patient are how long a frame collects where somebody waits for
	// an answer, and where nobody does. Defaults 20 ms and 100 ms.
	Prompt, Patient time.Duration
	// TickEvery is the least time between ticks while records come; IdleTickEvery
	// while none do. Defaults 250 ms and 1 s.
	TickEvery, IdleTickEvery time.Duration
	// DrainTimeout bounds what is still written after the context ended. Default 5 s.
	DrainTimeout time.Duration
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	c.OTLPTenant = cmp.Or(c.OTLPTenant, "default")
	orDefault(&c.MaxConnections, 20_000)
	orDefault(&c.ConnectWithin, 5*time.Second)
	orDefault(&c.RecheckEvery, 10*time.Second)
	orDefault(&c.FrameBytes, 256<<10)
	orDefault(&c.PendingFrames, 4)
	orDefault(&c.Prompt, 20*time.Millisecond)
	orDefault(&c.Patient, 100*time.Millisecond)
	orDefault(&c.TickEvery, 250*time.Millisecond)
	orDefault(&c.IdleTickEvery, time.Second)
	orDefault(&c.DrainTimeout, 5*time.Second)
	return c
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Validate says everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if len(c.Agents) == 0 {
		errs = append(errs, errors.New("agents: none named"))
	}
	for _, a := range c.Agents {
		errs = append(errs, schemas.CheckName("agent", a))
	}
	errs = append(errs, schemas.CheckName("tenant", cmp.Or(c.OTLPTenant, "default")))
	if c.JournalShare < 0 || c.FrameBytes < 0 || c.FrameBytes > 512<<10 || c.MaxConnections < 0 {
		errs = append(errs, fmt.Errorf("journal share %d, frame bytes %d, connections %d: want no negative number and frames up to 512 KiB", c.JournalShare, c.FrameBytes, c.MaxConnections))
	}
	return errors.Join(errs...)
}

// Rules judge readings. They are what policy may set for a tenant or a class.
type Rules struct {
	Format    Format // the only payload format taken; AnyFormat: all
	MaxFuture int64  // ns that an event time may be ahead of ingest time
	Payload   int    // bytes of a message
	Depth     int    // levels of objects and arrays
	Readings  int    // readings in a message
	Metrics   int    // records in a reading
	Series    int    // metrics of a device; more of them share weir.overflow
	LogRate   int    // log records of a device that are passed through in a second; 0: none
	LogBurst  int    // and at once
	LogSize   int    // bytes of one of them
}

// Owner says whose rules they are: those of a tenant, of a class of devices, or
// of a tenant's devices of a class. An empty name is any that has no rules.
type Owner struct{ Tenant, Class string }

// Settings are what policy may change while running. A Settings in use is never
// written to.
type Settings struct {
	Rules       Rules                      // of devices without their own
	Own         map[Owner]*Rules           // whole rules of single owners
	ClassOf     func(device string) string // nil: all devices are of the class ""
	Wants       func(key string) bool      // whether some view looks at an attribute; nil: none is looked at. Of OTLP, others are left out
	Items       *rules.Program             // what is dropped and changed of what comes over OTLP; nil: nothing
	Devices     int                        // how many devices the agent remembers
	Tenants     int                        // how many tenants may exist in the process
	Connections int                        // how many MQTT connections the process may hold

	revision uint64 // of the policy that they are of; set by SetConfig
}

// DefaultSettings are safe on a small machine.
func DefaultSettings() Settings {
	return Settings{
		Rules: Rules{
			MaxFuture: int64(5 * time.Second), Payload: 64 << 10, Depth: 8,
			Readings: 1000, Metrics: 256, Series: 256, LogRate: 10, LogBurst: 100, LogSize: 16 << 10,
		},
		Devices: 50_000, Tenants: 100, Connections: 20_000,
	}
}

// Validate says everything that is wrong with the settings.
func (s Settings) Validate() error {
	errs := []error{s.Rules.validate("limits")}
	for o, r := range s.Own {
		errs = append(errs, r.validate(fmt.Sprintf("tenant %q class %q", o.Tenant, o.Class)))
	}
	if s.Tenants < 1 || s.Devices < 1 || s.Connections < 1 {
		errs = append(errs, fmt.Errorf("limits: %d tenants, %d devices, %d connections: want at least 1", s.Tenants, s.Devices, s.Connections))
	}
	return errors.Join(errs...)
}

// maxPayload is the largest payload that any tenant may be allowed: what it
// turns into must fit a frame.
const maxPayload = 256 << 10

// maxLogSize is the largest log record that may be passed through.
const maxLogSize = 64 << 10

func (r Rules) validate(whose string) error {
	switch {
	case r.MaxFuture < 0:
		return fmt.Errorf("%s: max_future %v is negative", whose, time.Duration(r.MaxFuture))
	case r.Payload < 1 || r.Payload > maxPayload:
		return fmt.Errorf("%s: payload of %d bytes: want 1 to %d", whose, r.Payload, maxPayload)
	case r.Depth < 2 || r.Depth > 64:
		return fmt.Errorf("%s: depth %d: want 2 to 64", whose, r.Depth)
	case r.Readings < 1 || r.Metrics < 1 || r.Series < 1:
		return fmt.Errorf("%s: %d readings, %d metrics, %d series: want at least 1", whose, r.Readings, r.Metrics, r.Series)
	case r.LogRate < 0 || r.LogBurst < 1 || r.LogSize < 1 || r.LogSize > maxLogSize:
		return fmt.Errorf("%s: %d log records a second, %d at once, of %d bytes: want at least 0, 1 and 1, and at most %d bytes", whose, r.LogRate, r.LogBurst, r.LogSize, maxLogSize)
	case r.Format != AnyFormat && r.Format != JSON && r.Format != Msgpack:
		return fmt.Errorf("%s: format %q: want json or msgpack", whose, r.Format)
	}
	return nil
}

// of is the rules of a device: those of its tenant and class, else of its
// tenant, else of its class, else of everybody.
func (s *Settings) of(tenant, device string) *Rules {
	class := ""
	if s.ClassOf != nil {
		class = s.ClassOf(device)
	}
	for _, o := range [...]Owner{{tenant, class}, {tenant, ""}, {"", class}} {
		if r, ok := s.Own[o]; ok {
			return r
		}
	}
	return &s.Rules
}
