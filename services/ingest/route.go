package ingest

import (
	"strings"
	"sync"
	"sync/atomic"

	"weir/schemas"
)

// noTenant stands in ledger and park for messages whose tenant cannot be told
// or may not exist.
const noTenant = "_"

// maxRoutes bounds the cache of routes; beyond it they are made each time.
const maxRoutes = 200_000

// route is what a subject or topic says about a sender.
type route struct {
	subject        string // as it came, for the park
	tenant, device string
	signal         schemas.Signal
	agent          *agent
	bad            bool                   // names no device: identity comes from nowhere else
	foreign        bool                   // bad because it names one that its sender may not speak for
	admitted       atomic.Bool            // the tenant exists
	judged         atomic.Pointer[judged] // what it was last judged by
	known          *device                // guarded by agent.mu
}

// router finds the agent of a subject. Safe for concurrent use.
type router struct {
	agents []*agent
	mu     sync.RWMutex
	routes map[string]*route

	tenants map[string]struct{} // those that exist
}

func newRouter(agents []*agent) *router {
	return &router{agents: agents, routes: map[string]*route{}, tenants: map[string]struct{}{}}
}

// parser splits a NATS subject (schemas.ParseTelemetry) or an MQTT topic
// (schemas.ParseTopic).
type parser func(path string) (tenant, device string, s schemas.Signal, ok bool)

// find is the route of a subject or topic.
func (r *router) find(subject string, parse parser) *route {
	r.mu.RLock()
	known, ok := r.routes[subject]
	r.mu.RUnlock()
	if ok {
		return known
	}
	made := r.make(strings.Clone(subject), parse)
	if made.bad {
		return made
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.routes[subject]; ok {
		return known
	}
	if len(r.routes) < maxRoutes {
		r.routes[made.subject] = made
	}
	return made
}

func (r *router) make(subject string, parse parser) *route {
	tenant, device, signal, ok := parse(subject)
	if !ok {
		return r.nowhere(subject)
	}
	at := schemas.AgentOf(tenant, device, len(r.agents))
	return &route{subject: subject, tenant: tenant, device: device, signal: signal, agent: r.agents[at]}
}

// nowhere is the route of a message that names no device which its sender may
// speak for. The first agent keeps the count.
func (r *router) nowhere(subject string) *route {
	return &route{subject: subject, tenant: noTenant, signal: schemas.Metrics, agent: r.agents[0], bad: true}
}

// admit reports whether the route's tenant exists, making it so while there are
// fewer than limit.
func (r *router) admit(t *route, limit int) bool {
	if t.admitted.Load() {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.tenants[t.tenant]; !ok {
		if len(r.tenants) >= limit {
			return false
		}
		r.tenants[t.tenant] = struct{}{}
	}
	t.admitted.Store(true)
	return true
}

// commandTopic splits the MQTT topic cmd/<tenant>/<device>.
func commandTopic(topic string) (tenant, device string, ok bool) {
	root, rest, _ := strings.Cut(topic, "/")
	tenant, device, _ = strings.Cut(rest, "/")
	return tenant, device, root == "cmd" && schemas.ValidName(tenant) && schemas.ValidName(device)
}
