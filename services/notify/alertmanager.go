package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weir/schemas"
)

// alert is one as Alertmanager's API, version 2, takes it.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    string            `json:"startsAt"`
	EndsAt      string            `json:"endsAt"`
}

// staleAfter is after how many repeats an Alertmanager that hears nothing more takes an
// alert for resolved.
const staleAfter = 4

// alerts is the body of a message: what is new, what is over, and all that goes on. wall
// is the time as people know it, Unix ns.
func (m *message) alerts(wall, repeat int64) []byte {
	all := []alert{}
	until := schemas.RowTime(wall + staleAfter*repeat)
	for i := range m.items {
		all = append(all, alertOf(&m.items[i].row, until))
	}
	for _, r := range m.rows {
		all = append(all, alertOf(r, until))
	}
	b, err := json.Marshal(all)
	if err != nil {
		panic("BUG: encode alerts: " + err.Error())
	}
	return b
}

func alertOf(r *schemas.FindingRow, until string) alert {
	a := alert{
		Labels: map[string]string{"alertname": "WeirFinding", "finding": r.ID}, StartsAt: r.Started, EndsAt: until,
		Annotations: map[string]string{"summary": r.Says, "description": describe(r)},
	}
	for _, word := range [...]schemas.GroupWord{"tenant", "kind", "class", "metric", "device", "origin", "region", "detector"} {
		if v := field(r, word); v != "" {
			a.Labels[string(word)] = v
		}
	}
	a.Labels["severity"] = r.Severity // part of the name of an alert: a more severe one is another
	if !r.Open() {
		a.EndsAt = r.Updated
		if r.Ended != nil {
			a.EndsAt = *r.Ended
		}
		if a.EndsAt <= a.StartsAt { // Alertmanager wants an end after the start
			a.EndsAt = after(a.StartsAt)
		}
	}
	return a
}

// after is the next millisecond.
func after(t string) string {
	at, err := time.Parse(time.RFC3339Nano, t)
	if err != nil {
		return t
	}
	return schemas.RowTime(at.UnixNano() + 1_000_000)
}

// describe tells the evidence, and who is concerned.
func describe(r *schemas.FindingRow) string {
	var parts []string
	for _, e := range r.Evidence {
		parts = append(parts, fmt.Sprintf("%s: %.4g, usually %.4g (%.0f %%)", e.Feature, e.Observed, e.Expected, 100*e.Share))
	}
	if r.Device == "" {
		var names []string
		for _, m := range r.Members {
			names = append(names, m.Device)
		}
		parts = append(parts, fmt.Sprintf("%d devices: %s", r.Devices, strings.Join(names[:min(len(names), 10)], ", ")))
	}
	return strings.Join(parts, "; ")
}
