package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// figure has as many decimals as asked for; what is not a number is a dash.
func figure(v float64, decimals int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-")
	}
	return strings.Replace(s, "-", "−", 1)
}

// rate is a count per day: few digits, however large.
func rate(v float64) string {
	switch {
	case v >= 100:
		return figure(v, 0)
	case v >= 10:
		return figure(v, 1)
	}
	return figure(v, 2)
}

// span is a duration for people; negative is a dash.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "–"
	case d < 2*time.Minute:
		return figure(d.Seconds(), 1) + " s"
	case d < 2*time.Hour:
		return figure(d.Minutes(), 0) + " min"
	}
	return figure(d.Hours(), 1) + " h"
}

// percent of nothing is a dash.
func percent(share float64) string {
	if math.IsNaN(share) {
		return "–"
	}
	return figure(100*share, 0) + " %"
}

func between(low, high float64) string {
	return fmt.Sprintf("%s … %s", figure(low, 1), figure(high, 1))
}
