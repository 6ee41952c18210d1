package schemas

// What services answer on weir.ask.<service>.<what>, as JSON.
const (
	AskLedger  = internal + "ask.aggregator.ledger"  // → []AgentLedger
	AskDevices = internal + "ask.aggregator.devices" // agent name → []Device
	AskGateway = internal + "ask.gateway.check"      // → []GatewayCheck
	AskIngest  = internal + "ask.ingest.status"      // → ingest's own counters
)

// AskLink is where the forwarder of a tier answers: → LinkStatus.
func AskLink(t Tier) string { return internal + "ask.forwarder.status." + string(t) }

// AskLedgerOf is where the gateways of a tier answer what the newest commits of
// their producers say: → []AgentLedger.
func AskLedgerOf(t Tier) string { return internal + "ask.gateway.ledger." + string(t) }

// AskGatewayOf is where the gateways of a tier answer AskGateway.
func AskGatewayOf(t Tier) string { return AskGateway + "." + string(t) }

// Device is a row of weir devices.
type Device struct {
	Tenant    string            `json:"tenant"`
	Device    string            `json:"device"`
	Class     string            `json:"class"`
	Agent     string            `json:"agent"`
	FirstSeen string            `json:"first_seen"` // RFC 3339, agent time
	LastSeen  string            `json:"last_seen"`
	Rate      float64           `json:"records_per_second"` // over the last minute of agent time
	Numbered  bool              `json:"numbered"`
	Records   uint64            `json:"records"`
	Rejected  map[Reason]uint64 `json:"rejected"`
}

// GatewayCheck is what one gateway partition knows: how far it is, and whether
// the records in the windows it has applied are those that its producers say.
type GatewayCheck struct {
	Producer    string            `json:"producer"`
	Tier        Tier              `json:"tier"`
	Time        int64             `json:"time"`
	Lag         float64           `json:"lag_seconds"`
	Entries     uint64            `json:"entries"`     // applied
	Repeats     uint64            `json:"repeats"`     // entries that came again
	Debt        uint64            `json:"debt"`        // entries known to be missing
	Differ      uint64            `json:"differ"`      // commits made again after a restart that differed: must stay 0
	Open        int               `json:"open"`        // windows not final yet
	Damaged     uint64            `json:"damaged"`     // messages that could not be read, or are not what their subject says
	Unexplained int64             `json:"unexplained"` // Σ over producers of |emitted as they say − records in applied windows|, and of log records passed through
	Waiting     []string          `json:"waiting"`     // producers whose final_through holds windows back
	Windows     map[string]uint64 `json:"windows"`     // emitted revisions, by "view/timing"
	Passing     []Total           `json:"passing"`     // log records passed through, and those held back on the way here
}
