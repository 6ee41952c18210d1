package policy

import (
	"log/slog"
	"maps"
)

// Status answers schemas.Ask("policy", "status"), as JSON.
type Status struct {
	Invalid uint64              `json:"invalid"` // documents refused since the start
	Agents  map[string]Reported `json:"agents"`  // of this process
	// Refused are the keys whose newest document is not valid.
	Refused map[string]Refusal `json:"refused,omitempty"`
	// Behind are the agents, at a hub the keys, whose layers are valid but do not
	// go together, and why: they stay at what they had.
	Behind map[string]string `json:"behind,omitempty"`
}

// status is what is known of the layers themselves.
func (l *layers) status(invalid uint64) *Status {
	return &Status{Invalid: invalid, Agents: map[string]Reported{}, Refused: maps.Clone(l.refused), Behind: map[string]string{}}
}

// logRefusal says aloud what is refused, if it is news.
func logRefusal(log *slog.Logger, err error, live bool) {
	if !live {
		log.Info("policy document refused earlier", "err", err)
		return
	}
	log.Error("policy document refused, the last good one stays", "err", err)
}
