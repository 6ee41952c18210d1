package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"weir/schemas"
	"weir/services/internal/bus"
)

// findingQuery says which findings are wanted. Empty fields do not narrow it.
type findingQuery struct {
	tier                   schemas.Tier // empty: the highest that answers
	tenant, device, metric string
	kind, severity         string
	open, follow           bool
	parts                  bool // also findings that are part of one of many devices
	limit                  int  // the newest so many; 0: all
}

var findingParams = []string{"tier", "tenant", "device", "metric", "kind", "severity", "open", "parts", "follow", "limit"}

func parseFindingQuery(v url.Values, here []schemas.Tier) (findingQuery, error) {
	for name := range v {
		if !slices.Contains(findingParams, name) {
			return findingQuery{}, questionError{fmt.Errorf("parameter %q is unknown; use %s", name, strings.Join(findingParams, ", "))}
		}
	}
	p := params{values: v}
	q := findingQuery{
		tier: schemas.Tier(v.Get("tier")), tenant: v.Get("tenant"), device: v.Get("device"), metric: v.Get("metric"),
		kind: v.Get("kind"), severity: v.Get("severity"), open: p.bool("open"), parts: p.bool("parts"), follow: p.bool("follow"), limit: p.count("limit"),
	}
	if known := findingTiers(here); q.tier != "" && !slices.Contains(known, q.tier) {
		p.fail("tier", string(q.tier), oneOf(known)+": other tiers are elsewhere")
	}
	if known := schemas.FindingKinds(); q.kind != "" && !slices.Contains(known, q.kind) {
		p.fail("kind", q.kind, strings.Join(known, ", "))
	}
	if q.severity != "" && severityRank(q.severity) == 0 {
		p.fail("severity", q.severity, "notice, warning or critical")
	}
	return q, p.err
}

// findingTiers are the tiers that may be asked, lowest first: where gateways are, agents may be too.
func findingTiers(here []schemas.Tier) []schemas.Tier {
	if slices.Contains(here, schemas.TierAgent) {
		return here
	}
	return append([]schemas.Tier{schemas.TierAgent}, here...)
}

// severityRank orders severities; 0: there is no such.
func severityRank(s string) int {
	return 1 + slices.Index([]string{schemas.Notice.String(), schemas.Warning.String(), schemas.Critical.String()}, s)
}

func (q *findingQuery) wants(r *schemas.FindingRow) bool {
	return (q.tenant == "" || r.Tenant == q.tenant) && (q.device == "" || r.Of(q.device)) &&
		(q.metric == "" || r.OfMetric(q.metric)) && (q.kind == "" || r.Kind == q.kind) &&
		(q.parts || q.device != "" || r.PartOf == "") && (q.severity == "" || severityRank(r.Severity) >= severityRank(q.severity)) && (!q.open || r.Open())
}

// findingReports asks who knows what is found: the tier of q, or else the highest
// that answers.
func findingReports(ctx context.Context, b *bus.Bus, tier schemas.Tier, here []schemas.Tier) ([]schemas.FindingReport, error) {
	if tier != "" {
		return ask[[]schemas.FindingReport](ctx, b, schemas.AskFindings(tier), nil)
	}
	for _, t := range slices.Backward(findingTiers(here)) {
		reports, err := ask[[]schemas.FindingReport](ctx, b, schemas.AskFindings(t), nil)
		if !errors.Is(err, bus.ErrNone) {
			return reports, err
		}
	}
	return nil, fmt.Errorf("nobody here looks for anything abnormal: %w", bus.ErrNone)
}

// findings are those that answer a question, oldest first.
func (s *Service) findings(ctx context.Context, q *findingQuery) ([]schemas.FindingRow, error) {
	reports, err := findingReports(ctx, s.bus, q.tier, s.cfg.tiers())
	if err != nil {
		return nil, err
	}
	var rows []schemas.FindingRow
	for i := range reports {
		for _, r := range reports[i].Findings {
			if r.Region == "" {
				r.Region = s.cfg.Region
			}
			if q.wants(&r) {
				rows = append(rows, r)
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b schemas.FindingRow) int {
		return cmp.Or(strings.Compare(a.Started, b.Started), strings.Compare(a.ID, b.ID))
	})
	if q.limit > 0 {
		rows = rows[max(0, len(rows)-q.limit):]
	}
	return rows, nil
}

// whole is the question with what is closed in the answer, so that an end is seen.
func (q *findingQuery) whole() *findingQuery {
	w := *q
	w.open, w.limit = false, 0
	return &w
}

// revisionsSeen is the newest revision sent, by finding.
type revisionsSeen map[string]uint32

// news are the rows that were not sent yet, and forgets what is gone.
func (seen revisionsSeen) news(rows []schemas.FindingRow, q *findingQuery) (out []schemas.FindingRow) {
	there := map[string]bool{}
	for i := range rows {
		r := &rows[i]
		there[r.ID] = true
		sent, known := seen[r.ID]
		if known && r.Revision <= sent {
			continue
		}
		seen[r.ID] = r.Revision
		if !q.open || r.Open() || sent > 0 {
			out = append(out, *r)
		}
	}
	for id := range seen {
		if !there[id] {
			delete(seen, id)
		}
	}
	return out
}
