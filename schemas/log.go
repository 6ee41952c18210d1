package schemas

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// PassedLog is a log record that policy passes through, on its way from an agent to exporters.
type PassedLog struct {
	ID       uint64 // see LogID
	Agent    string
	Region   string // empty below the region
	Tenant   string
	Device   string
	Time     int64  // event time
	Ingest   int64  // when ingest accepted it, whole milliseconds
	Severity uint8  // OpenTelemetry's number, 1 to 24; 0: it has none
	Data     []byte // OTLP LogsData that holds this record alone, with its resource and scope
}

// LogID tells a log record from all others: who sent it, in which request, at which place. Who
// sends a request again sends the same record.
func LogID(tenant, device string, q Request) uint64 {
	return mix64(SeriesIdentity(tenant, device, "", LogMetric) ^ mix64(q.Hash+0x9e3779b97f4a7c15) ^ mix64(uint64(q.At)+0xd1b54a32d192ed03))
}

// Hash is of what a commit says of the record.
func (l *PassedLog) Hash() uint64 { return mix64(l.ID ^ Hash(l.Data)) }

// MaxSeverity is the greatest severity number of OpenTelemetry.
const MaxSeverity = 24

// A log record's row in a commit, integers as in encoding/binary, strings as indices of the
// commit's table:
//
//	uint64  id · uvarint agent, region, tenant, device
//	zigzag  time, ingest in ms, each the delta to the row before, first to 0
//	byte    severity · uvarint length, data

// PassedLogSize bounds the bytes that a log record adds to an entry.
func PassedLogSize(l *PassedLog) int {
	const numbers, text = 40, 10 // the row without texts; the index and length of a string
	return numbers + len(l.Agent) + len(l.Region) + len(l.Tenant) + len(l.Device) + 2*4*text + len(l.Data)
}

func (e *CommitEncoder) logs(all []PassedLog) {
	var time, ingest int64
	for i := range all {
		l := &all[i]
		b := binary.LittleEndian.AppendUint64(e.rows, l.ID)
		for _, s := range [...]string{l.Agent, l.Region, l.Tenant, l.Device} {
			b = binary.AppendUvarint(b, e.string(s))
		}
		b = binary.AppendVarint(b, l.Time-time)
		b = binary.AppendVarint(b, l.Ingest/1e6-ingest)
		time, ingest = l.Time, l.Ingest/1e6
		e.rows = appendBytes(append(b, l.Severity), l.Data)
	}
}

func (t *commitTables) logs(b []byte, n int) ([]PassedLog, error) {
	const least = 8 + 4 + 2 + 2 // bytes of a row
	if n > len(b)/least {
		return nil, errLimit
	}
	r := reader{b: b}
	out := slices.Grow([]PassedLog(nil), n)
	var time, ingest int64
	for ; n > 0 && r.err == nil; n-- {
		l := PassedLog{ID: r.uint64(), Agent: t.str(&r), Region: t.str(&r), Tenant: t.str(&r), Device: t.str(&r)}
		time += r.varint()
		ingest += r.varint()
		l.Time, l.Ingest, l.Severity, l.Data = time, ingest*1e6, r.byte(), r.bytes()
		if r.err == nil && (l.Severity > MaxSeverity || len(l.Data) == 0 || l.Ingest/1e6 != ingest) {
			r.fail(fmt.Errorf("log record of severity %d in %d bytes, accepted at %d ms", l.Severity, len(l.Data), ingest))
		}
		out = append(out, l)
	}
	return out, r.rest()
}
