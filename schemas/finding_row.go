package schemas

// FindingRow is a finding as people and tools see it: one line of weir findings
// -o json. Times are as RowTime.
type FindingRow struct {
	ID           string            `json:"id"`       // RowID; the same in every revision
	Revision     uint32            `json:"revision"` // from 1: a higher one replaces a lower one
	State        string            `json:"state"`    // open, update or closed
	Severity     string            `json:"severity"` // notice, warning or critical
	Kind         string            `json:"kind"`     // anomaly, silent, missing, limit, rate or stuck
	Tenant       string            `json:"tenant"`
	Origin       string            `json:"origin"`           // who found it: an agent, a region or center
	Region       string            `json:"region,omitempty"` // of the agent, where it is known
	Class        string            `json:"class,omitempty"`  // absent: several
	Device       string            `json:"device,omitempty"` // absent: a finding of many devices
	Metric       string            `json:"metric,omitempty"` // absent: several, or the whole device
	View         string            `json:"view"`             // early (values of a second) or the view of the window
	Detector     string            `json:"detector"`
	Model        string            `json:"model"` // version of the detector
	Score        float64           `json:"score"` // of the worst value
	Threshold    float64           `json:"threshold"`
	Tail         *float64          `json:"tail"` // probability of such a score on a normal series, per value; null: a fact
	Started      string            `json:"started"`
	Updated      string            `json:"updated"`
	Ended        *string           `json:"ended"` // null: it is not over
	Start        string            `json:"start"` // bounds of what the worst value stands for
	End          string            `json:"end"`
	Completeness float64           `json:"completeness"`   // of that value, 0 to 1
	ClockErrorMS *float64          `json:"clock_error_ms"` // null: unknown
	Says         string            `json:"says"`           // one sentence
	Evidence     []EvidenceRow     `json:"evidence"`       // greatest share first
	Devices      uint32            `json:"devices"`        // how many devices it is of
	Members      []MemberRow       `json:"members"`        // at most MaxMembers
	Shared       map[string]string `json:"shared,omitempty"`
	PartOf       string            `json:"part_of,omitempty"` // id of the finding of many devices that it went into
	Parts        []string          `json:"parts,omitempty"`   // ids that a gateway's finding is of, at most MaxParts
}

// EvidenceRow is the part of one feature in a score.
type EvidenceRow struct {
	Feature  string  `json:"feature"`
	Share    float64 `json:"share"` // 0 to 1
	Observed float64 `json:"observed"`
	Expected float64 `json:"expected"`
}

// MemberRow is a series of a finding, or a device that is silent.
type MemberRow struct {
	Device string  `json:"device"`
	Metric string  `json:"metric,omitempty"`
	Kind   string  `json:"kind"`
	Since  string  `json:"since"`
	Score  float64 `json:"score"`
	Over   bool    `json:"over"` // it is as usual again
}

// Row is the finding as people and tools see it.
func (f *Finding) Row() FindingRow {
	r := FindingRow{
		ID: RowID(f.ID), Revision: f.Revision, State: f.State.String(), Severity: f.Severity.String(), Kind: f.Kind.String(),
		Tenant: f.Tenant, Origin: f.Origin, Region: f.Region, Class: f.Class, Device: f.Device, Metric: f.Metric, View: f.View,
		Detector: f.Detector, Model: f.Model, Score: f.Score, Threshold: f.Threshold,
		Started: RowTime(f.Started), Updated: RowTime(f.Updated), Start: RowTime(f.Start), End: RowTime(f.End),
		Completeness: f.Completeness, Says: f.Says, Devices: f.Devices, Evidence: []EvidenceRow{}, Members: []MemberRow{},
	}
	if f.Kind == Anomaly {
		r.Tail = &f.Tail
	}
	if f.Ended != 0 {
		at := RowTime(f.Ended)
		r.Ended = &at
	}
	if f.ClockError > 0 {
		ms := float64(f.ClockError) / 1e6
		r.ClockErrorMS = &ms
	}
	if f.Part != 0 {
		r.PartOf = RowID(f.Part)
	}
	f.rowLists(&r)
	return r
}

func (f *Finding) rowLists(r *FindingRow) {
	for _, e := range f.Evidence {
		r.Evidence = append(r.Evidence, EvidenceRow(e))
	}
	for _, m := range f.Members {
		r.Members = append(r.Members, MemberRow{m.Device, m.Metric, m.Kind.String(), RowTime(m.Since), m.Score, m.Over})
	}
	for _, a := range f.Shared {
		if r.Shared == nil {
			r.Shared = map[string]string{}
		}
		r.Shared[a.Key] = a.Value
	}
	for _, id := range f.Parts {
		r.Parts = append(r.Parts, RowID(id))
	}
}

// Open reports whether the finding goes on.
func (r *FindingRow) Open() bool { return r.State != FindingClosed.String() }

// Of reports whether the finding is of a device, as far as its members say.
func (r *FindingRow) Of(device string) bool {
	if r.Device == device {
		return true
	}
	for i := range r.Members {
		if r.Members[i].Device == device {
			return true
		}
	}
	return false
}

// AskFindings is where the detectors of an agent, or the gateways of a tier, answer
// what is found: → []FindingReport.
func AskFindings(t Tier) string {
	if t == TierAgent {
		return internal + "ask.detector.findings"
	}
	return internal + "ask.gateway.findings." + string(t)
}

// FindingReport is what one detector, or one gateway partition, knows: what is open
// and what was closed last.
type FindingReport struct {
	Producer string         `json:"producer"`
	Tier     Tier           `json:"tier"`
	Time     int64          `json:"time"` // agent time of the newest commit applied
	Findings []FindingRow   `json:"findings"`
	Counts   []FindingCount `json:"counts"` // opened, since the state began

	Detector *DetectorState `json:"detector,omitempty"` // of a detector
}

// FindingCount is how many findings were opened.
type FindingCount struct {
	Tenant   string `json:"tenant"`
	Detector string `json:"detector"`
	Severity string `json:"severity"` // when it was opened
	N        uint64 `json:"n"`
}

// DetectorState is how a detector stands.
type DetectorState struct {
	Lag      float64 `json:"lag_seconds"` // wall clock − that of the newest commit applied, while there is more to apply
	Series   int     `json:"series"`
	Devices  int     `json:"devices"`
	Config   uint64  `json:"config"`   // policy revision in force; 0: what is built in
	Values   uint64  `json:"values"`   // judged
	Bursts   uint64  `json:"bursts"`   // seconds that were not judged: far more values than usual
	Overflow uint64  `json:"overflow"` // values of series that found no room
	Partial  uint64  `json:"partial"`  // vectors of metrics that are judged together that lacked one: not judged
	Missed   uint64  `json:"missed"`   // entries of the agent that were not there any more
	Damaged  uint64  `json:"damaged"`  // messages that could not be read
	Differ   uint64  `json:"differ"`   // commits made again after a restart that differed: must stay 0
}

// OfMetric reports whether the finding is of a metric, as far as its members say.
func (r *FindingRow) OfMetric(metric string) bool {
	if hasMetric(r.Metric, metric) {
		return true
	}
	for i := range r.Members {
		if hasMetric(r.Members[i].Metric, metric) {
			return true
		}
	}
	return false
}

// SeverityOf is the severity of a name; 0: there is none of that name.
func SeverityOf(name string) Severity {
	for s := Notice; s <= Critical; s++ {
		if s.String() == name {
			return s
		}
	}
	return 0
}

// AskNotify is where the receivers of a tier's findings stand: → []ReceiverStatus.
func AskNotify(t Tier) string { return internal + "ask.notify." + string(t) }

// ReceiverStatus is how a receiver of findings stands. Numbers are since the start.
type ReceiverStatus struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Tier    Tier   `json:"tier"`
	Sent    uint64 `json:"sent"`    // messages taken
	Told    uint64 `json:"told"`    // findings in them, repeats of an Alertmanager's aside
	Failed  uint64 `json:"failed"`  // requests that will be made again
	Refused uint64 `json:"refused"` // findings that the receiver will never take
	Missed  uint64 `json:"missed"`  // entries that the outbox held no more
	Waiting int    `json:"waiting"` // findings to tell
	Failing int    `json:"failing"` // requests that failed in a row; 0: it is well
	Error   string `json:"error,omitempty"`
}
