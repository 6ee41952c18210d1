package main

import (
	"math"
	"time"
)

// chartColumns is how many columns a chart keeps at most. Where more rows come, neighbors are joined.
const chartColumns = 2400

// A chartColumn is some rows next to each other.
type chartColumn struct {
	begin, end  int64 // times, ns
	first, last float64
	low, high   float64
	score       float64 // highest
	flagged     bool
	at          float64 // value of the highest flagged score
	atScore     float64
}

// chart keeps enough of a series to draw it, however long it becomes.
type chart struct {
	columns []chartColumn
	each    int // rows of a whole column
	rows    int // of the last column
}

// add takes in a row; one without a number is not drawn.
func (c *chart) add(t int64, value, score float64, flag bool) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	one := chartColumn{begin: t, end: t, first: value, last: value, low: value, high: value, score: score}
	if flag {
		one.flagged, one.at, one.atScore = true, value, score
	}
	c.each = max(c.each, 1)
	if n := len(c.columns); n > 0 && c.rows < c.each {
		c.columns[n-1] = c.columns[n-1].joined(one)
		c.rows++
		return
	}
	if len(c.columns) == chartColumns {
		c.halve()
	}
	c.columns, c.rows = append(c.columns, one), 1
}

// halve joins neighbors.
func (c *chart) halve() {
	for i := range chartColumns / 2 {
		c.columns[i] = c.columns[2*i].joined(c.columns[2*i+1])
	}
	c.columns = c.columns[:chartColumns/2]
	c.each *= 2
}

// joined is both columns in one; o is the later one.
func (k chartColumn) joined(o chartColumn) chartColumn {
	k.end, k.last = o.end, o.last
	k.low, k.high = min(k.low, o.low), max(k.high, o.high)
	k.score = max(k.score, o.score)
	if o.flagged && (!k.flagged || o.atScore > k.atScore) {
		k.flagged, k.at, k.atScore = true, o.at, o.atScore
	}
	return k
}

// bounds are the times and values between which everything lies.
func (c *chart) bounds() (begin, end int64, low, high, score float64) {
	begin, end = math.MaxInt64, math.MinInt64
	low, high = math.Inf(1), math.Inf(-1)
	for _, k := range c.columns {
		begin, end = min(begin, k.begin), max(end, k.end)
		low, high, score = min(low, k.low), max(high, k.high), max(score, k.score)
	}
	return begin, end, low, high, score
}

// canvas is what a chart is drawn on. Points are pixels from the upper left corner.
type canvas interface {
	line(x0, y0, x1, y1 float64, ink ink)
	dot(x, y float64, ink ink)
	text(x, y float64, s string, anchor anchor)
}

// An ink is one of the colors of a chart.
type ink uint8

const (
	inkAxis ink = iota
	inkValue
	inkScore
	inkThreshold
	inkFlag
)

// An anchor says which point of a text is given.
type anchor uint8

const (
	atStart anchor = iota
	atMiddle
	atEnd
)

// Layout of a chart, pixels.
const (
	chartWidth, chartHeight = 1200, 520
	chartLeft, chartRight   = 90, 20
	valueTop, valueBottom   = 40, 320
	scoreTop, scoreBottom   = 360, 480
)

// draw puts the values with flagged points above, the score with its threshold below.
func (c *chart) draw(on canvas, title string, threshold float64) {
	on.text(chartLeft, 24, title, atStart)
	if len(c.columns) == 0 {
		on.text(chartLeft, valueTop+20, "no rows", atStart)
		return
	}
	begin, end, low, high, score := c.bounds()
	x := scaleOf(float64(begin), float64(end), chartLeft, chartWidth-chartRight)
	y := scaleOf(low, high, valueBottom, valueTop)
	top := score
	if !math.IsInf(threshold, 0) {
		top = max(score, threshold*1.1)
	}
	z := scaleOf(0, top, scoreBottom, scoreTop)
	frame(on, "value", y, low, high, valueTop, valueBottom)
	frame(on, "score", z, 0, top, scoreTop, scoreBottom)
	if !math.IsInf(threshold, 0) {
		on.line(chartLeft, z(threshold), chartWidth-chartRight, z(threshold), inkThreshold)
		on.text(chartLeft+4, z(threshold)-3, "threshold "+short(threshold), atStart)
	}
	c.curves(on, x, y, z)
	times(on, x, begin, end)
}

// curves draws each column, and the flags last, so that they are on top.
func (c *chart) curves(on canvas, x, y, z func(float64) float64) {
	for i, k := range c.columns {
		here := x(float64(k.begin))
		if i > 0 {
			before := c.columns[i-1]
			on.line(x(float64(before.end)), y(before.last), here, y(k.first), inkValue)
		}
		if k.end > k.begin {
			on.line(here, y(k.first), x(float64(k.end)), y(k.last), inkValue)
		}
		if k.high > k.low {
			on.line(here, y(k.low), here, y(k.high), inkValue)
		}
		if k.score > 0 {
			on.line(here, z(0), here, z(k.score), inkScore)
		}
	}
	for _, k := range c.columns {
		if k.flagged {
			on.dot(x(float64(k.begin)), y(k.at), inkFlag)
			on.dot(x(float64(k.begin)), z(k.score), inkFlag)
		}
	}
}

// frame draws the axes of one part with three marks.
func frame(on canvas, name string, scale func(float64) float64, low, high, top, bottom float64) {
	on.line(chartLeft, top, chartLeft, bottom, inkAxis)
	on.line(chartLeft, bottom, chartWidth-chartRight, bottom, inkAxis)
	on.text(8, top-8, name, atStart)
	for _, v := range []float64{low, (low + high) / 2, high} {
		on.line(chartLeft-4, scale(v), chartLeft, scale(v), inkAxis)
		on.text(chartLeft-8, scale(v)+4, axisMark(v), atEnd)
		if low == high {
			break
		}
	}
}

// times writes the beginning, the middle and the end of the time axis.
func times(on canvas, x func(float64) float64, begin, end int64) {
	middle := begin + (end-begin)/2
	for i, t := range []int64{begin, middle, end} {
		on.text(x(float64(t)), scoreBottom+20, time.Unix(0, t).UTC().Format("2006-01-02 15:04:05"), anchor(i))
	}
}

// scaleOf maps low to high linearly to from to to.
func scaleOf(low, high, from, to float64) func(float64) float64 {
	if high <= low {
		return func(float64) float64 { return (from + to) / 2 }
	}
	return func(v float64) float64 { return from + (v/(high-low)-low/(high-low))*(to-from) }
}
