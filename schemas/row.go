package schemas

import (
	"fmt"
	"strconv"
	"time"
)

// WindowRow is a window as people and tools see it: one line of weir windows -o json.
type WindowRow struct {
	Tenant       string            `json:"tenant"`
	View         string            `json:"view"`
	Key          map[string]string `json:"key"`   // by the view's group_by
	Start        string            `json:"start"` // as RowTime
	End          string            `json:"end"`
	Count        uint64            `json:"count"`
	Sum          float64           `json:"sum"`
	Min          float64           `json:"min"`
	Max          float64           `json:"max"`
	P50          *float64          `json:"p50"` // null: the window carries no sketch
	P90          *float64          `json:"p90"`
	P99          *float64          `json:"p99"`
	Revision     uint64            `json:"revision"` // sum over parts: never decreases
	Timing       string            `json:"timing"`
	Completeness *float64          `json:"completeness"`   // seen / expected, 0 to 1; null: unknown
	ClockErrorMS *float64          `json:"clock_error_ms"` // null: unknown
	Agent        string            `json:"agent,omitempty"`
	Region       string            `json:"region,omitempty"`
	Exemplars    []RowExemplar     `json:"exemplars,omitempty"` // some of its records that belong to traces, by time
	*WindowDetail
}

// WindowDetail is what proves a row equal to another.
type WindowDetail struct {
	Digest string   `json:"digest"` // RowID of the sum of the identities of the records, modulo 2^64
	Late   uint64   `json:"late"`   // of count: records that came after the on-time revision
	First  RowPoint `json:"first"`
	Last   RowPoint `json:"last"`
}

// RowPoint is one record of a row.
type RowPoint struct {
	Time  string  `json:"time"`
	Value float64 `json:"value"`
	ID    string  `json:"id"`
}

// RowExemplar is one record with the span that it belongs to.
type RowExemplar struct {
	Time    string  `json:"time"`
	Value   float64 `json:"value"`
	TraceID string  `json:"trace_id"` // hex
	SpanID  string  `json:"span_id"`  // hex; empty: none
}

// LateRow is what came too late for a view, by key and event hour.
type LateRow struct {
	Tenant string            `json:"tenant"`
	View   string            `json:"view"`
	Key    map[string]string `json:"key"`
	Hour   string            `json:"hour"` // its start
	Count  uint64            `json:"count"`
	Sum    float64           `json:"sum"`
	Min    float64           `json:"min"`
	Max    float64           `json:"max"`
	Digest string            `json:"digest"` // as in WindowDetail
}

// PublishedRow is a message on PublishedWindows: what one gateway has in a
// window that is final. The rows of a window add up to it: one per gateway where
// its view ends, and its amendments.
type PublishedRow struct {
	WindowRow
	Gateway   string `json:"gateway"`             // region/partition
	Amendment bool   `json:"amendment,omitempty"` // only what came after the gateway had passed the window by
}

// RowTime writes a time as rows do: RFC 3339 in UTC with milliseconds.
func RowTime(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000Z") }

// RowID writes an identity or a digest as rows do: 16 hex digits.
func RowID(id uint64) string { return fmt.Sprintf("%016x", id) }

// ParseRowID is the inverse of RowID.
func ParseRowID(id string) (uint64, error) {
	n, err := strconv.ParseUint(id, 16, 64)
	if err != nil || len(id) != 16 {
		return 0, fmt.Errorf("id %.40q: want 16 hex digits", id)
	}
	return n, nil
}
