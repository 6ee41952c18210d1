package console

import (
	"context"
	"errors"

	"weir/schemas"
	"weir/services/internal/bus"
)

// Readiness is the answer of /readyz?verbose. Ready means that devices are
// accepted and acknowledged; what is still being caught up shows as lag.
type Readiness struct {
	Ready  bool          `json:"ready"`
	Checks []CheckResult `json:"checks"`
}

// CheckResult is one reason for being ready or not.
type CheckResult struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
	Why   string `json:"why,omitempty"` // not ready
}

// readiness asks every check.
func (s *Service) readiness(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	r := Readiness{Ready: true}
	checks := s.cfg.Checks
	if !s.cfg.NoDevices {
		checks = append([]Check{{Name: "ingest", Ready: s.ingestReady}}, checks...)
	}
	for _, c := range checks {
		result := CheckResult{Name: c.Name, Ready: true}
		if err := c.Ready(ctx); err != nil {
			r.Ready, result.Ready, result.Why = false, false, err.Error()
		}
		r.Checks = append(r.Checks, result)
	}
	return r
}

func (s *Service) ingestReady(ctx context.Context) error {
	status, err := ask[ingestStatus](ctx, s.bus, schemas.AskIngest, nil)
	switch {
	case errors.Is(err, bus.ErrNone):
		return errors.New("it has not started")
	case err == nil && !status.Ready:
		return errors.New("it does not accept devices yet")
	}
	return err
}
