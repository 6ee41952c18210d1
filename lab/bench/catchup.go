package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"weir/lab/bench/backlog"
	"weir/schemas"
)

// catchUp is a weir up that starts on a journal which no fold has read.
type catchUp struct {
	Name string `json:"name"`
	backlog.Backlog
	Ready    float64         `json:"ready_seconds"`     // from the start until devices are accepted
	CaughtUp float64         `json:"caught_up_seconds"` // from the start until the ledger has closed
	CPU      float64         `json:"cpu_ns"`            // per record until then, user and system
	Peak     int64           `json:"peak_rss_bytes"`
	Ledger   schemas.Account `json:"ledger"` // totals at the end
	Lag      float64         `json:"lag_seconds"`
}

// The devices whose journal is caught up with: those of the whole run at QoS 0.
const (
	backlogDevices = 10_000
	backlogRate    = 5.0
	quickBacklog   = 16 << 20
)

// Looking at the ledger asks every agent between two frames, so it is done
// seldom. After so long without a closed ledger the row says how it stands.
const (
	lookEvery      = 250 * time.Millisecond
	caughtUpWithin = 3 * time.Minute
)

// measureCatchUp measures once: it takes long, and there is no floor.
func measureCatchUp(ctx context.Context, o options) ([]catchUp, error) {
	size := o.journal
	if o.quick {
		size = min(size, quickBacklog)
	}
	c := catchUp{Name: fmt.Sprintf("catch up with %v of journal", size)}
	if !strings.Contains(c.Name, o.only) {
		return nil, nil
	}
	w, err := startProduct(o, backlogDevices) // makes the folder and its streams
	if err != nil {
		return nil, err
	}
	err = errors.Join(c.measure(ctx, o, w, int64(size)), w.stop())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	fmt.Fprintf(o.notice, "%s: %d records, ready after %.2f s, caught up after %.1f s\n", c.Name, c.Records, c.Ready, c.CaughtUp)
	return []catchUp{c}, nil
}

func (c *catchUp) measure(ctx context.Context, o options, w *product, size int64) (err error) {
	if err := w.interrupt(); err != nil {
		return err
	}
	fmt.Fprintf(o.notice, "%s: writing the journal\n", c.Name)
	load := backlog.Load{Devices: backlogDevices, Agents: agentsOf(backlogDevices), Rate: backlogRate, Bytes: size}
	if c.Backlog, err = backlog.Write(ctx, filepath.Join(w.dir, "data"), load); err != nil {
		return err
	}
	begun := time.Now()
	if err := w.start(); err != nil {
		return err
	}
	c.Ready = time.Since(begun).Seconds()
	return c.follow(ctx, w, begun)
}

// follow looks at the ledger until it has closed.
func (c *catchUp) follow(ctx context.Context, w *product, begun time.Time) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		l, asked := w.ledger(ctx) // agents that are not open yet do not answer
		c.CaughtUp = time.Since(begun).Seconds()
		if asked == nil {
			c.Ledger, c.Lag = l.Totals, l.Lag
		}
		if asked == nil && c.closed() || time.Since(begun) > caughtUpWithin {
			return c.account(w)
		}
		select {
		case <-look.C:
		case <-w.ended:
			return fmt.Errorf("%s ended while it caught up: %s\n%s", w.cmd, w.cmd.ProcessState, w.said.Bytes())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// closed reports whether everything has been read and nothing is on its way.
func (c *catchUp) closed() bool {
	return c.Ledger.Received >= uint64(c.Records) && c.Ledger.InFlight == 0 && c.Lag <= mostLag
}

// account notes what the process has used.
func (c *catchUp) account(w *product) error {
	used, err := cpuOf(w.pid())
	if err != nil {
		return err
	}
	c.CPU = float64(used) / float64(c.Records)
	c.Peak, err = peakOf(w.pid())
	return err
}

// exact reports whether the ledger holds the records that were written, and
// nothing else.
func (c *catchUp) exact() bool {
	n := uint64(c.Records)
	return c.Ledger == schemas.Account{Received: n, Counted: n} && c.Lag <= mostLag
}

var catchUpColumns = []string{
	"what", "records", "journal, MB", "ready, s", "caught up, s", "records per second", "MB per second", "ns of CPU per record", "peak RSS, MB", "ledger",
}

func (c *catchUp) row() []string {
	return []string{
		c.Name, count(float64(c.Records)), count(float64(c.Bytes) / 1e6), significant(c.Ready), significant(c.CaughtUp),
		count(float64(c.Records) / c.CaughtUp), significant(float64(c.Bytes) / 1e6 / c.CaughtUp), count(c.CPU),
		count(float64(c.Peak) / 1e6), c.balanced(),
	}
}

// balanced is the ledger in a word.
func (c *catchUp) balanced() string {
	if c.exact() {
		return "exact"
	}
	return "WRONG"
}

// Wanted of a journal of 1 GB: so long for each GB, and so much memory whatever
// its size.
const (
	wantedPerGB = 30.0  // s
	wantedPeak  = 300e6 // bytes
)

// notes say what is not as wanted, and all of a ledger that is wrong.
func (c *catchUp) notes() (notes []string) {
	say := func(wrong bool, format string, args ...any) {
		if wrong {
			notes = append(notes, c.Name+": "+fmt.Sprintf(format, args...))
		}
	}
	l, most := c.Ledger, max(wantedPerGB*float64(c.Bytes)/1e9, mostLag)
	say(c.CaughtUp > most, "caught up after %.1f s, %.1f s wanted", c.CaughtUp, most)
	say(c.Peak > wantedPeak, "peak RSS %.0f MB, %.0f MB wanted", float64(c.Peak)/1e6, wantedPeak/1e6)
	say(!c.exact(), "of %d records written the ledger says %d received, %d counted, %d late, %d duplicate, %d rejected, %d shed, %d in flight, %d lost, %d unexplained, lag %.1f s",
		c.Records, l.Received, l.Counted, l.Late, l.Duplicate, l.Rejected, l.Shed, l.InFlight, l.LostDeclared, l.Unexplained, c.Lag)
	return notes
}
