package ingest

import (
	"time"

	"weir/schemas"
)

// take is the way of every message: decode, judge, and into the agent's batch.
// It never blocks. With shed set its good records are shed. It reports false if
// the service takes no more, and then counts nothing.
func (s *Service) take(in *arrival, shed bool) bool {
	in.now = time.Now()
	r := in.route
	set := r.agent.settings.Load()
	d := s.decoders.Get().(*decoder)
	defer s.decoders.Put(d)
	d.ruling.runs = d.ruling.runs[:0]
	var m *message
	rules := r.rules(set)
	switch {
	case in.fault != "":
		m = d.unread(in.fault, "%s", in.detail)
	case r.bad:
		m = d.unread(schemas.BadSubject, "subject %.200q: want tel.<tenant>.<device>.<signal> with the sender's own names", r.subject)
	case r.signal != schemas.Metrics:
		d.lead = r.agent.clock.lead(in.now)
		m = d.request(r, in.payload, set, rules, in.now.UnixNano())
	default:
		d.lead = r.agent.clock.lead(in.now)
		m = d.decode(in.payload, rules, in.now.UnixNano())
	}
	if most := int(s.limits.tenants.Load()); !r.bad && !s.router.admit(r, most) {
		m = s.turnAway(in, d, most)
	}
	if !r.agent.add(in, m, set, rules, shed) {
		return false
	}
	s.ruled(&d.ruling)
	if m.detail != "" {
		s.park.offer(in, m)
	}
	return true
}

// turnAway refuses a message of one tenant too many.
func (s *Service) turnAway(in *arrival, d *decoder, most int) *message {
	m := &d.message
	n := m.records()
	m.clear()
	m.fault, m.detail = "", ""
	m.refuse(schemas.TenantLimit, n, 0, "tenant %s would be one more than %d", in.route.tenant, most)
	in.route = s.router.nowhere(in.route.subject)
	return m
}
