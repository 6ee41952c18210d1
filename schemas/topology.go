package schemas

// Partitions per region, fixed: agents are placed by hash.
const Partitions = 16

// Center is the name of the top tier among regions; it is reserved.
const Center = "center"

// Tier is a level of the flow.
type Tier string

// The tiers.
const (
	TierAgent  Tier = "agent"
	TierRegion Tier = "region"
	TierCenter Tier = "center"
)

// Discard says what a full stream does with the next message.
type Discard int

// Discard policies: refuse the new message, or drop the oldest.
const (
	DiscardNew Discard = iota
	DiscardOld
)

// Stream is one JetStream stream, as data. Names carry the prefix and the tier.
type Stream struct {
	Name     string   // without the prefix, e.g. AGENT_JOURNAL
	Subjects []string // what it stores
	MaxBytes int64    // cap; never reached by design where Discard is New
	Discard  Discard
	Why      string // one line for people: weir doctor and the docs show it
}

// Sizes are the byte caps of the streams, in bytes.
type Sizes struct {
	Journal, AgentOutbox, Checkpoint, RegionOutbox, CenterOutbox, Parked int64
}

// DefaultSizes are safe on a small disk: 5 GiB in all.
func DefaultSizes() Sizes {
	const gib = 1 << 30
	return Sizes{
		Journal: 2 * gib, AgentOutbox: gib, Checkpoint: gib / 2,
		RegionOutbox: gib, CenterOutbox: gib / 4, Parked: 16 << 20,
	}
}

// Names of the streams, without the prefix.
const (
	StreamJournal      = "AGENT_JOURNAL"
	StreamAgentOutbox  = "AGENT_OUTBOX"
	StreamCheckpoint   = "CHECKPOINT"
	StreamRegionOutbox = "REGION_OUTBOX"
	StreamCenterOutbox = "CENTER_OUTBOX"
	StreamParked       = "AGENT_PARKED"
)

// BucketPolicy is the KV bucket of desired state, without the prefix.
const BucketPolicy = "POLICY"

// DefaultPrefix precedes every stream and bucket name.
const DefaultPrefix = "WEIR_"

// OneProcess is the topology of weir up: the edge, region and center streams
// side by side in one server, nothing captured twice. Gateways read the outbox
// below directly, so there are no inboxes.
func OneProcess(s Sizes, regions []string) []Stream {
	var regionOutbox []string
	for _, r := range regions {
		regionOutbox = append(regionOutbox, internal+"outbox."+r+".*.*")
	}
	return []Stream{
		{StreamJournal, []string{JournalAll}, s.Journal, DiscardNew, "frames of accepted records: the truth that windows are folded from"},
		{StreamAgentOutbox, []string{internal + "outbox.*.*"}, s.AgentOutbox, DiscardNew, "what agents have for their regions"},
		{StreamCheckpoint, []string{StateAll}, s.Checkpoint, DiscardNew, "two whole checkpoints of every fold"},
		{StreamRegionOutbox, regionOutbox, s.RegionOutbox, DiscardNew, "merged windows of the regions"},
		{StreamCenterOutbox, []string{internal + "outbox." + Center + ".*.*"}, s.CenterOutbox, DiscardOld, "merged windows of the fleet"},
		{StreamParked, []string{ParkedAll}, s.Parked, DiscardOld, "samples of refused messages"},
	}
}
