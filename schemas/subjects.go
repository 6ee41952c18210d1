package schemas

import (
	"strconv"
	"strings"
)

// Subjects. Devices own tel and listen on cmd; everything else lives under
// weir, where nobody outside the services may publish.
const (
	TelemetryAll = "tel.>"
	CommandAll   = "cmd.>"
	internal     = "weir."

	JournalAll = internal + "journal.*"
	OutboxAll  = internal + "outbox.>"
	StateAll   = internal + "state.*"
	ParkedAll  = internal + "parked.>"
	KeptAll    = internal + "command.>"
	WindowsAll = internal + "windows.>"
)

// Kind is the last token of an outbox subject.
type Kind string

// The kinds.
const (
	KindCommit  Kind = "commit"  // what aggregators and gateways write
	KindFinding Kind = "finding" // what detectors write: commits of findings
	KindFolded  Kind = "folded"  // entries that a forwarder has put in the place of several, because the outbox was full
	KindMark    Kind = "mark"    // where in the outbox a forwarder's link came and went; it stays
)

// Telemetry is where a device publishes.
func Telemetry(tenant, device string, s Signal) string {
	return "tel." + tenant + "." + device + "." + string(s)
}

// Command is where a device's commands come.
func Command(tenant, device string) string { return "cmd." + tenant + "." + device }

// ParseTelemetry splits a device's subject. ok is false unless it has the form
// tel.<tenant>.<device>.<signal> with valid names and a known signal.
func ParseTelemetry(subject string) (tenant, device string, s Signal, ok bool) {
	return splitTelemetry(subject, ".")
}

// ParseTopic is ParseTelemetry for an MQTT topic.
func ParseTopic(topic string) (tenant, device string, s Signal, ok bool) {
	return splitTelemetry(topic, "/")
}

func splitTelemetry(path, sep string) (tenant, device string, s Signal, ok bool) {
	root, rest, _ := strings.Cut(path, sep)
	tenant, rest, _ = strings.Cut(rest, sep)
	device, signal, _ := strings.Cut(rest, sep)
	s = Signal(signal)
	known := s == Metrics || s == Traces || s == Logs
	return tenant, device, s, root == "tel" && known && ValidName(tenant) && ValidName(device)
}

// Journal is the subject of an agent's frames.
func Journal(agent string) string { return internal + "journal." + agent }

// State is the subject of a fold's checkpoints.
func State(producer string) string { return internal + "state." + token(producer) }

// token makes one subject token of a producer. No name holds a colon, so that
// partition 3 of region r and an agent named r_3 stay apart.
func token(producer string) string { return strings.ReplaceAll(producer, "/", ":") }

// untoken is the inverse of token.
func untoken(token string) string { return strings.ReplaceAll(token, ":", "/") }

// AgentOutbox is what an agent has for its region.
func AgentOutbox(agent string, k Kind) string { return internal + "outbox." + agent + "." + string(k) }

// GatewayOutbox is what a gateway partition has for the tier above, or for
// readers of its own tier.
func GatewayOutbox(region string, partition int, k Kind) string {
	return internal + "outbox." + region + "." + strconv.Itoa(partition) + "." + string(k)
}

// Producer names the writer of a commit: an agent's name, or region/partition.
func Producer(region string, partition int) string { return region + "/" + strconv.Itoa(partition) }

// SplitProducer is the inverse of Producer. A name without a partition is an
// agent: its partition is 0.
func SplitProducer(producer string) (region string, partition int) {
	region, p, _ := strings.Cut(producer, "/")
	partition, _ = strconv.Atoi(p)
	return region, partition
}

// Detector names an agent's detector as the writer of commits of its own.
func Detector(agent string) string { return agent + "/" + string(KindFinding) }

// CutDetector is the inverse of Detector; ok is false for any other producer.
func CutDetector(producer string) (agent string, ok bool) {
	return strings.CutSuffix(producer, "/"+string(KindFinding))
}

// Kept begins the subjects of the commands and sessions that an owner keeps, a
// process with listeners of its own; it ends in a dot.
func Kept(owner string) string { return internal + "command." + owner + "." }

// Lane is how an entry travels up a link: it shapes the uplink and means nothing
// to whoever applies the entry.
type Lane string

// The lanes, in the order in which they go first.
const (
	LaneAlert    Lane = "alert"
	LaneLive     Lane = "live"
	LaneBackfill Lane = "backfill" // what was made while the link was down
)

// Inbox is where a forwarder puts an entry of a producer for a partition of the
// region above; region is Center for the center.
func Inbox(region string, partition int, producer string, l Lane) string {
	return internal + "inbox." + region + "." + strconv.Itoa(partition) + "." + token(producer) + "." + string(l)
}

// InboxAll is everything that comes up to a region.
func InboxAll(region string) string { return internal + "inbox." + region + ".>" }

// InboxPartition is what comes up for one partition.
func InboxPartition(region string, partition int) string {
	return internal + "inbox." + region + "." + strconv.Itoa(partition) + ".>"
}

// Link is where the owner of a partition answers a forwarder: LinkReport →
// LinkGrant.
func Link(region string, partition int, producer string) string {
	return internal + "link." + region + "." + strconv.Itoa(partition) + "." + token(producer)
}

// LinkPartition is every producer's Link of one partition.
func LinkPartition(region string, partition int) string {
	return internal + "link." + region + "." + strconv.Itoa(partition) + ".*"
}

// Desired is where the tier above answers what it wants of an agent or a region:
// DesiredQuestion → DesiredAnswer. who is the name of either.
func Desired(region, who string) string { return internal + "desired." + region + "." + who }

// DesiredAll is every name's Desired at a region.
func DesiredAll(region string) string { return internal + "desired." + region + ".*" }

// Parked is where samples of refused messages of a tenant are kept. The tenant
// is "_" where none could be told.
func Parked(agent, tenant string) string { return internal + "parked." + agent + "." + tenant }

// PublishedWindows is where final windows of views with publish go, as JSON lines.
func PublishedWindows(tenant, view string) string { return internal + "windows." + tenant + "." + view }

// Ask is where the process that owns an agent or partition answers a question.
func Ask(what, producer string) string {
	return internal + "ask." + what + "." + token(producer)
}

// SourceOf tells the producer from a subject of an outbox, an inbox or the
// journal. Gateways come as region/partition, detectors as Detector names them.
// ok is false for anything else.
func SourceOf(subject string) (producer string, k Kind, ok bool) {
	rest, found := strings.CutPrefix(subject, internal)
	if !found {
		return "", "", false
	}
	tok := strings.Split(rest, ".")
	switch {
	case len(tok) == 3 && tok[0] == "outbox" && Kind(tok[2]) == KindFinding:
		return Detector(tok[1]), KindFinding, true
	case len(tok) == 3 && tok[0] == "outbox":
		return tok[1], Kind(tok[2]), true
	case len(tok) == 4 && tok[0] == "outbox":
		return tok[1] + "/" + tok[2], Kind(tok[3]), true
	case len(tok) == 5 && tok[0] == "inbox":
		producer = untoken(tok[3])
		if _, detector := CutDetector(producer); detector {
			return producer, KindFinding, true
		}
		return producer, KindCommit, true
	case len(tok) == 2 && tok[0] == "journal":
		return tok[1], "", true
	}
	return "", "", false
}
