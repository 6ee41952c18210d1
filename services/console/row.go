package console

import "time"

// Row is a window as people and tools see it: one line of weir windows -o json.
type Row struct {
	Tenant       string            `json:"tenant"`
	View         string            `json:"view"`
	Key          map[string]string `json:"key"` // by the view's group_by
	Start        string            `json:"start"`
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
	*Detail
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
	Digest string            `json:"digest"` // 16 hex digits, as in Detail
}

// Detail is what proves a row equal to another.
type Detail struct {
	Digest string   `json:"digest"` // 16 hex digits: sum of the identities of the records, modulo 2^64
	Late   uint64   `json:"late"`   // of count: records that came after the on-time revision
	First  RowPoint `json:"first"`
	Last   RowPoint `json:"last"`
}

// RowPoint is one record of a row.
type RowPoint struct {
	Time  string  `json:"time"`
	Value float64 `json:"value"`
	ID    string  `json:"id"` // 16 hex digits
}

// timeLayout is RFC 3339 with milliseconds, of times in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

func formatTime(ns int64) string { return time.Unix(0, ns).UTC().Format(timeLayout) }
