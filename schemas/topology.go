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
	Inbox                                                                int64 // of a gateway that runs apart from its producers
	Commands                                                             int64 // far above what they may take in memory
}

// DefaultSizes are safe on a small disk: 5 GiB in all.
func DefaultSizes() Sizes {
	const gib = 1 << 30
	return Sizes{
		Journal: 2 * gib, AgentOutbox: gib, Checkpoint: gib / 2,
		RegionOutbox: gib, CenterOutbox: gib / 4, Parked: 16 << 20,
		Inbox: 2 * gib, Commands: 32 << 20,
	}
}

// EdgeSizes are those of one agent on a small box: 1.5 GiB in all. At one entry
// of 2 KB a second the outbox lasts for three days without a link.
func EdgeSizes() Sizes {
	const mib = 1 << 20
	return Sizes{Journal: 768 * mib, AgentOutbox: 512 * mib, Checkpoint: 256 * mib, Parked: 4 * mib, Commands: 32 * mib}
}

// Names of the streams, without the prefix.
const (
	StreamJournal      = "AGENT_JOURNAL"
	StreamAgentOutbox  = "AGENT_OUTBOX"
	StreamCheckpoint   = "CHECKPOINT"
	StreamRegionOutbox = "REGION_OUTBOX"
	StreamCenterOutbox = "CENTER_OUTBOX"
	StreamParked       = "AGENT_PARKED"
	StreamCommands     = "AGENT_COMMANDS"
	StreamRegionInbox  = "REGION_INBOX"
	StreamCenterInbox  = "CENTER_INBOX"
)

// Names of the KV buckets, without the prefix.
const (
	BucketPolicy = "POLICY" // desired state
	BucketLease  = "LEASE"  // which gateway owns which partition
)

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
	return append(
		Edge(s),
		Stream{StreamRegionOutbox, regionOutbox, s.RegionOutbox, DiscardNew, "merged windows of the regions"},
		centerOutboxOf(s),
	)
}

// Edge is the topology of an agent: the streams of its own server. What must
// reach the region waits in the outbox.
func Edge(s Sizes) []Stream {
	return []Stream{
		{StreamJournal, []string{JournalAll}, s.Journal, DiscardNew, "frames of accepted records: the truth that windows are folded from"},
		{StreamAgentOutbox, []string{internal + "outbox.*.*"}, s.AgentOutbox, DiscardNew, "what agents have for their regions"},
		checkpointsOf(s),
		{StreamParked, []string{ParkedAll}, s.Parked, DiscardOld, "samples of refused messages"},
		{StreamCommands, []string{KeptAll}, s.Commands, DiscardNew, "commands for devices that are away, and who waits for them"},
	}
}

// Region is the topology of a region's own server: what its agents' forwarders
// have brought, and what it has for the center.
func Region(s Sizes, region string) []Stream {
	return []Stream{
		{StreamRegionInbox, []string{InboxAll(region)}, s.Inbox, DiscardNew, "what the agents' forwarders have brought"},
		{StreamRegionOutbox, []string{internal + "outbox." + region + ".*.*"}, s.RegionOutbox, DiscardNew, "merged windows of the region"},
		checkpointsOf(s),
	}
}

// CenterTier is the topology of the center's own server.
func CenterTier(s Sizes) []Stream {
	return []Stream{
		{StreamCenterInbox, []string{InboxAll(Center)}, s.Inbox, DiscardNew, "what the regions' forwarders have brought"},
		centerOutboxOf(s),
		checkpointsOf(s),
	}
}

func checkpointsOf(s Sizes) Stream {
	return Stream{StreamCheckpoint, []string{StateAll}, s.Checkpoint, DiscardNew, "two whole checkpoints of every fold"}
}

func centerOutboxOf(s Sizes) Stream {
	return Stream{StreamCenterOutbox, []string{internal + "outbox." + Center + ".*.*"}, s.CenterOutbox, DiscardOld, "merged windows of the fleet"}
}
