package schemas

// LinkReport is what a forwarder tells the owner of its producer's partition
// above: what is still to be brought. It is JSON, on the subject Link.
type LinkReport struct {
	Producer string `json:"producer"`
	Epoch    string `json:"epoch"`    // of the newest entry; empty: there is none yet
	Newest   uint64 `json:"newest"`   // number of the newest entry
	Entries  uint64 `json:"entries"`  // known not to be applied yet
	Bytes    int64  `json:"bytes"`    // of these
	Backfill int64  `json:"backfill"` // of these, bytes that were made while the link was down
	Oldest   int64  `json:"oldest"`   // when the oldest of these was stored, Unix ns; 0: none
}

// Span is a run of entry numbers, both ends included.
type Span struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// LinkGrant is the answer: what has been applied, so that it may be removed
// below, and how much backfill may come.
type LinkGrant struct {
	Epoch   string `json:"epoch"`   // that the report names
	Applied []Span `json:"applied"` // ascending, disjoint, not touching
	// Credit is how many bytes of backfill may be sent from now on; it replaces
	// what is left of earlier credit, and lapses after Within.
	Credit int64 `json:"credit"`
	Within int64 `json:"within"` // ns until the next report is expected
	// Policy is the revision of the newest layer that concerns the asker.
	Policy uint64 `json:"policy"`

	// Known are the producer's epochs of which entries are applied and that have not
	// ended, as far as is known here.
	Known []LinkEpoch `json:"known,omitempty"`
	Ended bool        `json:"ended,omitempty"` // another epoch continues the one of the report
}

// LinkEpoch is what the tier above has applied of an epoch. Who has the input that
// its newest whole commit quotes can make all entries through N again.
type LinkEpoch struct {
	Epoch   string `json:"epoch"`
	Applied uint64 `json:"applied"` // greatest number
	Missing uint64 `json:"missing"` // least number that is not applied
	N       uint64 `json:"n"`       // of the newest whole commit; 0: there is none
	InLast  uint64 `json:"in_last"` // of that commit
	InHash  uint64 `json:"in_hash"`
	Time    int64  `json:"time"`           // agent time of that commit
	Heir    bool   `json:"heir,omitempty"` // it continues another: the input from its beginning does not make it
}

// DesiredQuestion asks the tier above for the policy layers that concern an agent
// or a region. It is JSON, on the subject Desired.
type DesiredQuestion struct {
	Agent  string `json:"agent,omitempty"` // empty: a region asks for everything it may hand on
	Region string `json:"region"`          // of the asker
	Group  string `json:"group,omitempty"` // of the agent
	Hash   string `json:"hash,omitempty"`  // of the answer that the asker has; equal: the answer has no layers
}

// DesiredAnswer holds layers by their key in the bucket POLICY. A key that is not
// there does not exist above, so it is to be removed below.
type DesiredAnswer struct {
	Hash   string            `json:"hash"`
	Same   bool              `json:"same,omitempty"` // as the question's hash
	Layers map[string]string `json:"layers,omitempty"`
}

// LinkStatus is what a forwarder knows of its link, for screens and metrics.
type LinkStatus struct {
	Tier     Tier    `json:"tier"`        // of the forwarder
	Upstream string  `json:"upstream"`    // region above, or Center
	Up       bool    `json:"up"`          // the tier above answered within the last ten seconds
	Since    int64   `json:"since"`       // of Up's last change, Unix ns
	Entries  uint64  `json:"entries"`     // not applied above yet
	Bytes    int64   `json:"bytes"`       // of these
	Backfill int64   `json:"backfill"`    // of these, bytes that were made while the link was down
	Oldest   int64   `json:"oldest"`      // when the oldest of these was stored, Unix ns; 0: none
	ETA      float64 `json:"eta_seconds"` // until the backfill is brought at the present rate; -1: unknown
	Sent     uint64  `json:"sent_bytes"`  // since the start, after packing
	Folded   uint64  `json:"folded"`      // entries that went into others since the start, because the outbox was nearly full
	Shed     uint64  `json:"shed"`        // records, likewise
	Ahead    []Ahead `json:"ahead,omitempty"`
}

// Ahead are entries of a producer that the tier above has, and its outbox never had: the
// outbox is an older copy. What it makes with these numbers is taken for repeats.
type Ahead struct {
	Producer string `json:"producer"`
	Span
}
