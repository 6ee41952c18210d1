package main

import (
	"fmt"
	"strconv"
	"strings"
)

// byteRate is a flag: bytes per second, written as 64000, 128KB, 2MB or 1GiB. 0
// is no limit.
type byteRate int64

// units of byteRate, the longest names first.
var units = []struct {
	name  string
	bytes float64
}{
	{"KIB", 1 << 10},
	{"MIB", 1 << 20},
	{"GIB", 1 << 30},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"B", 1},
}

// maxByteRate is far beyond any link.
const maxByteRate = 1e12

// Set reads a rate.
func (r *byteRate) Set(text string) error {
	number, unit := strings.ToUpper(strings.TrimSpace(text)), 1.0
	for _, u := range units {
		if rest, found := strings.CutSuffix(number, u.name); found {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0) || v*unit > maxByteRate {
		return fmt.Errorf("%q is no number of bytes per second: use one like 128KB or 2MB", text)
	}
	*r = byteRate(v * unit)
	return nil
}

func (r *byteRate) String() string {
	if *r == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*r), 10) + "B"
}

// Type is what help calls the value.
func (r *byteRate) Type() string { return "bytes" }
