package main

import (
	"context"
	"fmt"

	"weir/simulator"
)

// server is a process that devices are played at.
type server interface {
	mqtt() string // host:port
	pid() int
	// counters is what it says of itself so far.
	counters(ctx context.Context) (counters, error)
	// judge waits until everything sent has gone where it goes, and says what is
	// missing.
	judge(ctx context.Context, sent simulator.Summary) (verdict, error)
	// stop ends it and removes its data.
	stop() error
}

// counters only rise, but for Lag. Weir has windows and bytes out; the floor
// has messages and bytes in.
type counters struct {
	RegionWindows float64 `json:"region_windows"` // revisions
	CenterWindows float64 `json:"center_windows"`
	RegionBytes   float64 `json:"region_bytes"` // stored in the outbox
	CenterBytes   float64 `json:"center_bytes"`
	Messages      float64 `json:"messages"`
	PayloadBytes  float64 `json:"payload_bytes"`
	Lag           float64 `json:"lag_seconds"` // the greatest of any stage
}

// since is what happened after an earlier moment.
func (c counters) since(e counters) counters {
	return counters{
		RegionWindows: c.RegionWindows - e.RegionWindows, CenterWindows: c.CenterWindows - e.CenterWindows,
		RegionBytes: c.RegionBytes - e.RegionBytes, CenterBytes: c.CenterBytes - e.CenterBytes,
		Messages: c.Messages - e.Messages, PayloadBytes: c.PayloadBytes - e.PayloadBytes, Lag: c.Lag,
	}
}

// verdict is what became of the records of a run.
type verdict struct {
	Missing     int64 `json:"missing"`     // records sent that were not counted
	Differences int64 `json:"differences"` // that weir verify found
	Unexplained int64 `json:"unexplained"` // in the ledger
}

func (v verdict) text() string {
	if v == (verdict{}) {
		return "0, verified"
	}
	return fmt.Sprintf("%d, %d differences, %d unexplained", v.Missing, v.Differences, v.Unexplained)
}
