package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"weir/lab/page"
)

// columns of the table. What a row does not have is left empty.
var columns = []string{
	"what", "per second", "ns of CPU", "floor, ns", "ratio", "allocations", "bytes", "records per window", "bytes in per byte out",
	"peak RSS, MB", "PUBACK p99, ms", "missing",
}

// markdown is the report for people: the machine, one table, and what went
// wrong.
func (r report) markdown() string {
	text := fmt.Sprintf("`%s`, %s\n%s\n", r.Command, r.Began.Format("2006-01-02 15:04 UTC"), r.Machine)
	for _, t := range r.tables() {
		if len(t) > 1 {
			text += "\n" + page.Table(t)
		}
	}
	if notes := r.notes(); len(notes) > 0 {
		text += "\n- " + strings.Join(notes, "\n- ") + "\n"
	}
	return text
}

// tables are rows by kind, each under its columns.
func (r report) tables() [][][]string {
	costs, delays, findings := [][]string{columns}, [][]string{delayColumns}, [][]string{noticedColumns}
	catchUps, exports := [][]string{catchUpColumns}, [][]string{exportColumns}
	for _, s := range r.Stages {
		costs = append(costs, s.row())
	}
	for _, run := range r.Runs {
		costs = append(costs, run.row())
	}
	for _, d := range r.Delays {
		delays = append(delays, d.row())
	}
	for _, n := range r.Findings {
		findings = append(findings, n.row())
	}
	for _, c := range r.CatchUps {
		catchUps = append(catchUps, c.row())
	}
	for _, e := range r.Exports {
		exports = append(exports, e.row())
	}
	return [][][]string{costs, delays, findings, catchUps, exports}
}

func (s stage) row() []string {
	row := make([]string, len(columns))
	row[0], row[1], row[2] = s.Name+", per "+s.Unit, count(1e9/s.NS), significant(s.NS)
	row[5] = significant(s.Allocs)
	if s.Bytes > 0 {
		row[6] = significant(s.Bytes)
	}
	return row
}

// row is the medians over the pairs. Bytes of payload are counted at the floor,
// which the devices send the same.
func (r result) row() []string {
	m := func(of func(pair) float64) float64 { return median(r.Pairs, of) }
	payload := m(func(p pair) float64 { return p.Floor.In.PayloadBytes / p.Floor.In.Messages / float64(r.Batch) })
	row := make([]string, len(columns))
	row[0] = r.Name + ", per record"
	row[1] = count(m(func(p pair) float64 { return p.Weir.rate() }))
	row[2] = count(m(func(p pair) float64 { return p.Weir.CPU }))
	row[3] = count(m(func(p pair) float64 { return p.Floor.CPU }))
	row[4] = r.spread()
	row[6] = significant(payload)
	row[7] = both(m(func(p pair) float64 { return p.Weir.Records / p.Weir.In.RegionWindows }),
		m(func(p pair) float64 { return p.Weir.Records / p.Weir.In.CenterWindows }))
	row[8] = both(m(func(p pair) float64 { return p.Weir.Records * payload / p.Weir.In.RegionBytes }),
		m(func(p pair) float64 { return p.Weir.Records * payload / p.Weir.In.CenterBytes }))
	row[9] = count(float64(r.peak()) / 1e6)
	if r.QoS == 1 {
		row[10] = significant(m(func(p pair) float64 { return p.Weir.AckP99 }))
	}
	row[11] = r.missing()
	return row
}

// spread is the median ratio and, of several, the least and the greatest.
func (r result) spread() string {
	s := fmt.Sprintf("%.2f", r.Ratio)
	if len(r.Pairs) == 1 {
		return s
	}
	byRatio := func(a, b pair) int { return int(math.Copysign(1, a.ratio()-b.ratio())) }
	return fmt.Sprintf("%s (%.2f–%.2f)", s, slices.MinFunc(r.Pairs, byRatio).ratio(), slices.MaxFunc(r.Pairs, byRatio).ratio())
}

func (r result) peak() (most int64) {
	for _, p := range r.Pairs {
		most = max(most, p.Weir.Peak)
	}
	return most
}

// missing adds up what is wrong over all runs of weir.
func (r result) missing() string {
	var v verdict
	for _, p := range r.Pairs {
		v.Missing += p.Weir.Missing
		v.Differences += p.Weir.Differences
		v.Unexplained += max(p.Weir.Unexplained, -p.Weir.Unexplained)
	}
	return v.text()
}

// Beyond these, a run is not what its row says.
const (
	mostBehind = 1.0 // s
	mostLag    = 2.0 // s
	leastShare = 0.97
)

// notes say which rows are not what they seem.
func (r report) notes() (notes []string) {
	for _, run := range r.Runs {
		for i, p := range run.Pairs {
			say := func(wrong bool, format string, args ...any) {
				if wrong {
					notes = append(notes, fmt.Sprintf("%s, pair %d: ", run.Name, i+1)+fmt.Sprintf(format, args...))
				}
			}
			say(p.Weir.Behind > mostBehind, "the devices were up to %.1f s behind their schedule at weir", p.Weir.Behind)
			say(p.Floor.Behind > mostBehind, "the devices were up to %.1f s behind their schedule at the floor", p.Floor.Behind)
			say(p.Weir.In.Lag > mostLag, "weir lagged %.1f s at the end of the span, so that work is missing in its CPU time", p.Weir.In.Lag)
			share := p.Floor.In.Messages * float64(run.Batch) / p.Floor.Records
			say(share < leastShare, "the floor lagged: it took in %.0f %% of the span's records, so that work is missing in its CPU time", 100*share)
			say(p.Floor.Missing > 0, "the floor lost %d records", p.Floor.Missing)
		}
	}
	for _, d := range r.Delays {
		notes = append(notes, d.notes()...)
	}
	for _, n := range r.Findings {
		notes = append(notes, n.notes()...)
	}
	for _, c := range r.CatchUps {
		notes = append(notes, c.notes()...)
	}
	for _, e := range r.Exports {
		if e.CPU > e.Wanted {
			notes = append(notes, fmt.Sprintf("%s: %.2f s of CPU per 100,000, wanted at most %.2f", e.Name, e.CPU, e.Wanted))
		}
	}
	return notes
}

// both are a figure of the regions and one of the center; empty: nothing came
// out in the span.
func both(region, center float64) string {
	if count(region) == "" {
		return ""
	}
	return count(region) + " · " + count(center)
}

// count is a whole number with commas; what cannot be counted is empty.
func count(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	digits := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// significant is a small figure with a decimal or two, a large one as a count.
func significant(v float64) string {
	switch {
	case v == 0 || v >= 100:
		return count(v)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
