package schemas

import "fmt"

// Event is a finding as others' tools take it: CloudEvents 1.0 in the JSON format, which is also what its NATS
// binding carries. Source and ID together name it; one that comes twice has the same.
type Event struct {
	SpecVersion     string     `json:"specversion"`
	ID              string     `json:"id"`
	Source          string     `json:"source"`
	Type            string     `json:"type"`
	Subject         string     `json:"subject"`
	Time            string     `json:"time"`
	DataContentType string     `json:"datacontenttype"`
	Data            FindingRow `json:"data"`
}

// FindingEvent is the event that a tier's gateway has taken a revision of a finding. where is its region, or Center.
func FindingEvent(where string, f *Finding) Event {
	row := f.Row()
	subject := f.Tenant
	if f.Device != "" {
		subject += "/" + f.Device
	}
	return Event{
		SpecVersion: "1.0", ID: fmt.Sprintf("%s-%d", row.ID, row.Revision), Source: "/weir/" + where, Type: "weir.finding." + row.State,
		Subject: subject, Time: row.Updated, DataContentType: "application/json", Data: row,
	}
}

// PublishedFindings is where a tier's gateways send Events of a tenant's findings.
func PublishedFindings(t Tier, tenant string) string {
	return internal + "findings." + string(t) + "." + tenant
}
