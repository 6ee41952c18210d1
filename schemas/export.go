package schemas

import (
	"slices"
	"strconv"
	"strings"
)

// BucketExport is the KV bucket where exporters remember what they have sent,
// without the prefix. Its keys are a tier and an exporter's name, with a dot between.
const BucketExport = "EXPORT"

// Exporting names an exporter as the owner of a state.
func Exporting(t Tier, exporter string) string { return string(t) + "/" + exporter + "/export" }

// ExportStatus is how an exporter stands: the answer to Ask("export", tier) is a
// list of them. Numbers go on over restarts.
type ExportStatus struct {
	Name string
	Tier Tier
	Kind ExporterKind

	Lag     float64 // age in seconds of the oldest commit that is not sent; 0: all is
	Breaker string  // closed, half-open or open
	Trouble string  // why the last try failed; empty: it did not
	Open    int     // parts that may still be revised
	Series  int     // cumulative series

	Points, Rejected, Repeated uint64 // points: accepted, refused for good, sent again though they may have been stored
	Requests, Failed           uint64 // tries since the start, and those that failed
	Resets                     uint64 // times that sums began anew because what they held was lost

	Logs, LogsRejected, LogsRepeated uint64 // log records, findings among them: likewise
	LogsShed                         uint64 // log records that fell out of a full outbox

	// In records of the views chosen.
	Shown, Unreadable, Overlapping, Shed, Off uint64
}

// AttributeLabels are the labels in Prometheus of a view's dimensions that are
// attributes: attr_KEY, with what a label cannot say as an underscore. Where that
// makes two equal, the later one has its number behind it. Others are empty.
func AttributeLabels(dims []string) []string {
	labels := make([]string, len(dims))
	for i, d := range dims {
		key, ok := strings.CutPrefix(d, AttributeDim)
		if !ok {
			continue
		}
		label := "attr_" + strings.Map(labelByte, key)
		for n := 2; slices.Contains(labels[:i], label); n++ {
			label = "attr_" + strings.Map(labelByte, key) + "_" + strconv.Itoa(n)
		}
		labels[i] = label
	}
	return labels
}

// AttributeDim begins the dimensions that are attributes of readings.
const AttributeDim = "attrs."

func labelByte(r rune) rune {
	if r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
		return r
	}
	return '_'
}
