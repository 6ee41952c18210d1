package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// linkOf asks the forwarder of a tier that is here how its link is; nil where
// there is none.
func linkOf(ctx context.Context, b *bus.Bus, tiers []schemas.Tier) (*schemas.LinkStatus, error) {
	for _, t := range tiers {
		status, err := ask[*schemas.LinkStatus](ctx, b, schemas.AskLink(t), nil)
		if !errors.Is(err, bus.ErrNone) {
			return status, err
		}
	}
	return nil, nil
}

// linkLine is a link as the end of the live line:
//
//	link up · 3 entries behind
//	link down 12m · 720 entries, 1.4 MB behind
//	link up · 720 entries, 1.4 MB behind · backlog done in 12 s
//	link up · an older copy: 312 entries above are not from here
func linkLine(l *schemas.LinkStatus, wall int64) string {
	line := "link up"
	if !l.Up {
		line = "link down " + time.Duration(max(0, wall-l.Since)).Truncate(time.Second).String()
	}
	if l.Entries > 0 {
		line += fmt.Sprintf(" · %s, %s behind", term(l.Entries, "entries"), megabytes(l.Bytes))
	}
	if l.Up && l.Backfill > 0 && l.ETA >= 0 {
		line += " · backlog done in " + (time.Duration(l.ETA) * time.Second).String()
	}
	if n := aheadOf(l); n > 0 {
		line += fmt.Sprintf(" · an older copy: %s above are not from here", term(n, "entries"))
	}
	return line
}

// aheadOf is how many entries the tier above has that the outbox never had.
func aheadOf(l *schemas.LinkStatus) (n uint64) {
	for _, a := range l.Ahead {
		n += a.To + 1 - a.From
	}
	return n
}

func megabytes(n int64) string {
	if n < 100_000 {
		return fmt.Sprintf("%.1f KB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// link sends how the link to the tier above is.
func (out sink) link(l *schemas.LinkStatus, wall int64) {
	if l == nil {
		return
	}
	up, oldest := 0.0, 0.0
	if l.Up {
		up = 1
	}
	if l.Oldest > 0 {
		oldest = max(0, float64(wall-l.Oldest)/1e9)
	}
	tier := string(l.Tier)
	out.gauge(linkUpDesc, up, tier)
	out.gauge(linkDebtEntriesDesc, float64(l.Entries), tier)
	out.gauge(linkDebtBytesDesc, float64(l.Bytes), tier)
	out.gauge(linkDebtSecondsDesc, oldest, tier)
	out.counter(linkSentDesc, l.Sent, tier)
	out.gauge(linkAheadDesc, float64(aheadOf(l)), tier)
}
