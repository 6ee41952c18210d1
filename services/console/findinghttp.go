package console

import (
	"fmt"
	"net/http"
	"time"
)

func (s *Service) getFindings(w http.ResponseWriter, r *http.Request) {
	q, err := parseFindingQuery(r.URL.Query(), s.cfg.tiers())
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	if q.follow {
		s.followFindings(w, r, &q)
		return
	}
	rows, err := s.findings(r.Context(), &q)
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	out := newLines(w)
	for i := range rows {
		if err = out.enc.Encode(&rows[i]); err != nil {
			break
		}
	}
	s.finish(out, err)
}

// lookEvery is the time between two looks for who follows findings.
const lookEvery = 250 * time.Millisecond

// followFindings sends what answers the question, then every revision that is new,
// until the client leaves. A finding that is closed is sent once more, also where only
// open ones are asked for.
func (s *Service) followFindings(w http.ResponseWriter, r *http.Request, q *findingQuery) {
	select {
	case s.followers <- struct{}{}:
		defer func() { <-s.followers }()
	default:
		fail(w, http.StatusServiceUnavailable, fmt.Errorf("%d clients follow already", maxFollowers))
		return
	}
	out, seen := newLines(w), revisionsSeen{}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		rows, err := s.findings(r.Context(), q.whole())
		if err == nil {
			for _, row := range seen.news(rows, q) {
				_ = out.enc.Encode(&row)
			}
			err = out.flush()
		} else if statusOf(err) == http.StatusServiceUnavailable && out.begun() {
			err = nil // who knows is starting again
		}
		if err != nil && r.Context().Err() == nil {
			s.finish(out, err)
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
