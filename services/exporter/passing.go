package exporter

import "weir/schemas"

// passing is the balance of the log records that a producer has passed on, by its own
// count: told = read + shed.
type passing struct {
	begun bool   // a total is known
	told  uint64 // passed on through the newest end read
	read  uint64 // since then
}

// renew begins the count of a new epoch.
func (p *passing) renew() { *p = passing{begun: true} }

// judge compares what a commit says with what was read of it. gap: entries are missing
// since the end before.
func (p *passing) judge(totals []schemas.Total, gap bool) (shed, off uint64) {
	told := uint64(0)
	for i := range totals {
		if totals[i].Outcome == schemas.Passed {
			told += totals[i].N
		}
	}
	missing := int64(told - p.told - p.read)
	switch {
	case !p.begun:
	case gap && missing > 0:
		shed = uint64(missing)
	default:
		off = uint64(max(missing, -missing))
	}
	*p = passing{begun: true, told: told}
	return shed, off
}
