package ingest

import (
	"maps"
	"sync/atomic"
	"time"

	"weir/schemas"
	"weir/services/internal/commands"
	"weir/services/internal/users"
)

// Status is what ingest did since it started.
type Status struct {
	Ready    bool
	Agents   []AgentStatus
	Tenants  int
	Messages []MessageCount
	MQTT     MQTTStatus
	OTLP     OTLPStatus
	Rules    []RuleStatus
	Commands *commands.Status `json:",omitempty"` // nil: there are none
}

// AgentStatus counts records of one agent.
type AgentStatus struct {
	Agent     string
	N         uint64 // number of the last frame, over all runs
	Frames    uint64 // written in this run
	Bytes     uint64 // of these
	Arrived   uint64 // records, good and bad
	Taken     uint64 // records put into frames
	Journaled uint64 // records in frames that are in the journal
	Ignored   uint64 // fields that are neither metrics nor reserved
	Overflow  uint64 // records counted under OverflowMetric
	Devices   int    // remembered
	Full      bool   // the journal is at 90 % of the agent's share
	Rejected  map[schemas.Reason]uint64
	Shed      map[schemas.Reason]uint64
}

// MessageCount is how many messages came in one way.
type MessageCount struct {
	Protocol string // mqtt, nats or otlp
	QoS      string // "0", "1"; "publish", "request"; the signal
	N        uint64
}

// MQTTStatus counts connections.
type MQTTStatus struct {
	Connections int64  // open now
	Accepted    uint64 // in all
	Refused     uint64 // by limits, credentials or a client id in use
	Handshakes  uint64 // TLS handshakes that failed
	Revoked     uint64 // connections closed because their user is gone or has other rights
	Foreign     uint64 // publishes to what the connection may not speak for
	QoS2        uint64 // publishes with QoS 2, which end their connection
	Oversize    uint64 // packets too large to read, which end their connection
	Dropped     uint64 // connections that did not read their answers

	Unauthorized map[users.Refusal]uint64 // of Refused, why credentials did not let in
}

// DeviceStatus is what ingest remembers of a device.
type DeviceStatus struct {
	Tenant, Device, Agent string
	First, Last           time.Time // ingest time
	Records               uint64
	Numbered              bool // its last reading had a number
	Rejected              map[schemas.Reason]uint64
}

type messageCounts struct{ mqtt0, mqtt1, natsPublish, natsRequest atomic.Uint64 }

func (c *messageCounts) rows() []MessageCount {
	return []MessageCount{
		{"mqtt", "0", c.mqtt0.Load()},
		{"mqtt", "1", c.mqtt1.Load()},
		{"nats", "publish", c.natsPublish.Load()},
		{"nats", "request", c.natsRequest.Load()},
	}
}

// Status is a consistent picture per agent.
func (s *Service) Status() Status {
	st := Status{Tenants: s.router.count(), MQTT: s.mqtt.status(), OTLP: s.otlp.status(), Rules: s.rules.status()}
	st.Messages = append(s.messages.rows(), st.OTLP.rows()...)
	select {
	case <-s.ready:
		st.Ready = true
	default:
	}
	for _, a := range s.agents {
		st.Agents = append(st.Agents, a.snapshot())
	}
	if s.deps.Commands != nil {
		c := s.deps.Commands.Status()
		st.Commands = &c
	}
	return st
}

func (a *agent) snapshot() AgentStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.status
	st.Rejected, st.Shed = maps.Clone(st.Rejected), maps.Clone(st.Shed)
	st.Devices, st.Full = len(a.devices.byKey), a.full
	return st
}

// Devices lists the devices that ingest remembers of an agent, in no order.
func (s *Service) Devices(agent string) []DeviceStatus {
	for _, a := range s.agents {
		if a.name == agent {
			return a.listDevices()
		}
	}
	return nil
}

func (a *agent) listDevices() []DeviceStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]DeviceStatus, 0, len(a.devices.byKey))
	for k, d := range a.devices.byKey {
		list = append(list, DeviceStatus{
			Tenant: k.tenant, Device: k.device, Agent: a.name,
			First: time.Unix(0, d.first).UTC(), Last: time.Unix(0, d.last).UTC(),
			Records: d.records, Numbered: d.numbered, Rejected: maps.Clone(d.rejected),
		})
	}
	return list
}

func (r *router) count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.tenants)
}
