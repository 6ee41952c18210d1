package forwarder

import (
	"encoding/json"
	"fmt"
	"slices"

	"weir/schemas"
)

// take takes the answer to a question.
func (s *Service) take(q question, answer []byte) error {
	var g schemas.LinkGrant
	if err := json.Unmarshal(answer, &g); err != nil {
		return fmt.Errorf("answer to the report of %s: %w", q.report.Producer, err)
	}
	o, err := s.granted(q, &g)
	if err != nil {
		return fmt.Errorf("answer to the report of %s: %w", q.report.Producer, err)
	}
	if o.again > 0 {
		s.log.Warn("entries were stored above and lost there; they are sent again", "producer", q.report.Producer, "entries", o.again)
	}
	if o.ahead.To > 0 {
		s.log.Error("entries are applied above that this outbox never had: it was restored, or has lost its end; those above stand",
			"producer", q.report.Producer, "newest", q.report.Newest, "from_n", o.ahead.From, "to_n", o.ahead.To)
	}
	if o.back {
		s.fail(errWentBack)
	}
	s.tellPolicy(g.Policy)
	return nil
}

// granted hands the answer to the core, and wakes those who wait for one.
func (s *Service) granted(q question, g *schemas.LinkGrant) (outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.core.granted(q, g, s.now())
	if err != nil {
		return o, err
	}
	s.answered()
	if o.ahead.To > 0 && s.cfg.Tier == schemas.TierRegion { // an agent's epoch ends there
		s.ahead = append(s.ahead, schemas.Ahead{Producer: q.report.Producer, Span: o.ahead})
	}
	s.strangers(q, g.Known)
	if s.cycle != nil {
		s.cycle.ready.wake()
		if o.again > 0 {
			s.cycle.fetchers(q.source.alert).wake()
		}
	}
	return o, nil
}

// strangers notes what the tier above has of a region that another folder made, where
// this one was empty at the start. A gateway never begins an epoch otherwise. What the other
// folder has brought stands above, and what is brought again of it is left out there.
func (s *Service) strangers(q question, known []schemas.LinkEpoch) {
	producer := q.report.Producer
	if s.cfg.Tier != schemas.TierRegion || q.source != nil && q.source.old {
		return
	}
	for _, k := range known {
		told := slices.ContainsFunc(s.ahead, func(a schemas.Ahead) bool { return a.Producer == producer })
		if told || k.Applied == 0 || k.Epoch == q.report.Epoch {
			continue
		}
		s.ahead = append(s.ahead, schemas.Ahead{Producer: producer, Span: schemas.Span{From: 1, To: k.Applied}})
		s.log.Error("the tier above has entries of this region that another data folder made: what agents bring again of them counts once",
			"producer", producer, "epoch", k.Epoch, "applied", k.Applied)
	}
}

// tellPolicy tells whoever wants to know that the policy above has changed.
func (s *Service) tellPolicy(revision uint64) {
	s.mu.Lock()
	same := s.policy != nil && *s.policy == revision
	s.policy = &revision
	s.mu.Unlock()
	if !same && s.cfg.Policy != nil {
		s.cfg.Policy(revision)
	}
}
