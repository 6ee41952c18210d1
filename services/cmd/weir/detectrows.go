package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"weir/pkg/detect"
)

// A seriesRow is one line of a series.
type seriesRow struct {
	stamp string  // the timestamp as it was written
	time  int64   // Unix ns
	value float64 // NaN where the line says that there is none
	text  string  // the value as it was written
	line  int

	values []float64 // of all channels, where several are read; valid until the next row
}

// rowCounts says what a reader has skipped.
type rowCounts struct {
	bad     int
	badLine int // of the first
	badErr  error
}

// seriesReader reads timestamp,value lines. A header says which columns they are; without one, or where it has other
// names, they are the first two.
type seriesReader struct {
	in           *bufio.Reader
	skipBad      bool
	line         int
	stamp, value int       // columns
	channels     *channels // columns that are read in place of value; nil: none
	counts       rowCounts
}

// longestLine is how much of a line is read.
const longestLine = 1 << 20

func newSeriesReader(in io.Reader, skipBad bool) *seriesReader {
	return &seriesReader{in: bufio.NewReaderSize(in, longestLine), skipBad: skipBad, value: 1}
}

// buffered reports whether the next line is there without waiting for it.
func (r *seriesReader) buffered() bool { return r.in.Buffered() > 0 }

// next is the next row; io.EOF at the end.
func (r *seriesReader) next() (seriesRow, error) {
	for {
		raw, err := r.in.ReadSlice('\n')
		if len(raw) == 0 && err != nil {
			return seriesRow{}, r.end(err)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return seriesRow{}, fmt.Errorf("line %d: %w", r.line+1, err)
		}
		r.line++
		text := strings.TrimRight(string(raw), "\r\n")
		if r.line == 1 {
			if text = strings.TrimPrefix(text, "\ufeff"); r.header(text) {
				continue
			}
		}
		if text == "" {
			continue
		}
		row, err := r.parse(text)
		if err == nil {
			return row, nil
		}
		if !r.skipBad {
			return seriesRow{}, fmt.Errorf("line %d: %w; --skip-bad skips such rows", r.line, err)
		}
		if r.counts.bad++; r.counts.bad == 1 {
			r.counts.badLine, r.counts.badErr = r.line, err
		}
	}
}

func (r *seriesReader) end(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("read line %d: %w", r.line+1, err)
}

// header takes the columns' names from the first line, if it is one: neither a time nor a number stands where they should.
func (r *seriesReader) header(text string) bool {
	stamp, _ := column(text, r.stamp)
	value, _ := column(text, r.value)
	_, stampErr := parseStamp(stamp)
	_, valueErr := parseValue(value)
	named := stampErr != nil && valueErr != nil
	for i, name := range strings.Split(text, ",") {
		switch strings.ToLower(unquoted(name)) {
		case "timestamp", "time", "ts":
			r.stamp, named = i, true
		case "value":
			r.value, named = i, true
		}
	}
	if r.value == r.stamp { // timestamp is named and stands where the value would
		r.value = 0
	}
	if named && r.channels != nil {
		r.channels.find(text, r.stamp)
	}
	return named
}

func (r *seriesReader) parse(text string) (row seriesRow, err error) {
	stamp, known := column(text, r.stamp)
	value, there := column(text, r.value)
	if !known || !there {
		return row, fmt.Errorf("%.60q: no columns timestamp,value", text)
	}
	row = seriesRow{stamp: stamp, text: value, line: r.line}
	if row.time, err = parseStamp(stamp); err != nil {
		return row, err
	}
	if r.channels != nil {
		row.values, err = r.channels.read(text)
		return row, err
	}
	row.value, err = parseValue(value)
	return row, err
}

// parseValue is a number, or NaN for what stands for none in tables.
func parseValue(text string) (float64, error) {
	switch strings.ToLower(text) {
	case "", "null", "none", "na", "n/a":
		return math.NaN(), nil
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(value, 0) { // what is too large is infinite
		return 0, fmt.Errorf("value %.40q: not a number", text)
	}
	return value, nil
}

// column is the nth field of a line, without white space and quotes around it.
func column(line string, n int) (string, bool) {
	for range n {
		i := strings.IndexByte(line, ',')
		if i < 0 {
			return "", false
		}
		line = line[i+1:]
	}
	if i := strings.IndexByte(line, ','); i >= 0 {
		line = line[:i]
	}
	return unquoted(line), true
}

func unquoted(field string) string {
	field = strings.TrimSpace(field)
	if len(field) >= 2 && field[0] == '"' && field[len(field)-1] == '"' {
		field = field[1 : len(field)-1]
	}
	return field
}

// stampLayouts are tried in turn; without a zone they are UTC. Fractions of a second are read with each.
var stampLayouts = []string{"2006-01-02 15:04:05", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04", "2006-01-02"}

// parseStamp reads a time as Unix nanoseconds. A number is seconds below 1e11, then milliseconds, microseconds and
// nanoseconds by its size.
func parseStamp(text string) (int64, error) {
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		return unixStamp(text, number)
	}
	for _, layout := range stampLayouts {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil && t.Year() > 1700 && t.Year() < 2200 {
			return t.UnixNano(), nil
		}
	}
	return 0, fmt.Errorf("timestamp %.40q: use RFC 3339, 2006-01-02 15:04:05, or Unix s, ms, µs or ns", text)
}

func unixStamp(text string, number float64) (int64, error) {
	unit := int64(time.Second)
	for size := 1e11; math.Abs(number) >= size && unit > 1; size *= 1000 {
		unit /= 1000
	}
	if !(math.Abs(number) < 7e18/float64(unit)) {
		return 0, fmt.Errorf("timestamp %.40q: beyond the year 2190", text)
	}
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		return whole * unit, nil
	}
	whole := math.Floor(number)
	return int64(whole)*unit + int64(math.Round((number-whole)*float64(unit))), nil
}

// verdictWriter prints a row and what was said about it.
type verdictWriter struct {
	out  *bufio.Writer
	json bool
	line []byte
	err  error
}

func newVerdictWriter(out io.Writer, as string) *verdictWriter {
	w := &verdictWriter{out: bufio.NewWriterSize(out, 64<<10), json: as == asJSON}
	if !w.json {
		_, w.err = w.out.WriteString("timestamp,value,score,flag\n")
	}
	return w
}

func (w *verdictWriter) write(row seriesRow, v detect.Verdict) error {
	flag := byte('0')
	if v.Flag {
		flag = '1'
	}
	b := w.line[:0]
	if w.json {
		b = append(b, `{"timestamp":`...)
		b = strconv.AppendQuote(b, row.stamp)
		b = append(b, `,"value":`...)
		b = appendNumber(b, row.value)
		b = append(b, `,"score":`...)
		b = strconv.AppendFloat(b, v.Alert, 'g', -1, 64)
		b = append(b, `,"flag":`...)
		b = append(b, flag, '}', '\n')
	} else {
		b = append(b, row.stamp...)
		b = append(b, ',')
		b = append(b, row.text...)
		b = append(b, ',')
		b = strconv.AppendFloat(b, v.Alert, 'g', -1, 64)
		b = append(b, ',', flag, '\n')
	}
	w.line = b
	if w.err == nil {
		_, w.err = w.out.Write(b)
	}
	return w.err
}

// appendNumber writes a number in JSON, which knows no others than finite ones.
func appendNumber(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

func (w *verdictWriter) flush() error {
	if w.err != nil {
		return w.err
	}
	return w.out.Flush()
}
