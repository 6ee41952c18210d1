package gateway

import (
	"context"
	"time"

	"weir/schemas"
)

// owns reports whether a partition is this gateway's at this moment. One that was
// stopped for a while must not speak for what is another's by now.
func (s *Service) owns(partition int) bool { return s.share == nil || s.share.Holds(partition) }

// Speaks reports whether this gateway is the one of its region that speaks for all
// of it, where one must: the owner of the first partition.
func (s *Service) Speaks() bool { return s.owns(0) }

// Owners says who has which partition, as far as this gateway knows. One of its own
// that is not open yet, or cannot be opened, nobody has: what it knows is in no answer.
// Where they are not shared, all are its own.
func (s *Service) Owners() schemas.Owners {
	o := schemas.Owners{Tier: s.cfg.Tier, Region: s.cfg.Inbox.Region}
	if s.share == nil {
		return o
	}
	st := s.share.State()
	o.Member, o.Owners, o.Age = s.cfg.Leases.Name, st.Owners, st.Age.Seconds()
	open := s.opened()
	for i, name := range o.Owners {
		if name == o.Member && !open[i] {
			o.Owners[i] = ""
		}
	}
	return o
}

// opened are the partitions whose state is there to be asked.
func (s *Service) opened() map[int]bool {
	open := map[int]bool{}
	for _, p := range s.serving() {
		open[p.only] = len(p.runner.Stages()) > 0
	}
	return open
}

// answerOwners answers who has which partition until stop is called. Every gateway
// of the region answers, and the first answer counts.
func (s *Service) answerOwners(ctx context.Context) (stop func(), err error) {
	return s.bus.Answer(ctx, schemas.AskOwnersOf(s.cfg.Tier), s.log, func(context.Context, []byte) (any, error) {
		return s.Owners(), nil
	})
}

// Current reports whether what Owners says is not older than d: a gateway that
// cannot read the leases takes no part.
func (s *Service) Current(d time.Duration) bool {
	if s.share == nil {
		return true
	}
	age := s.share.State().Age
	return age >= 0 && age <= d
}
