package corpus

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"weir/lab/eval/nab"
)

// A Series is the rows of one file.
type Series struct {
	Name    string    // path within its layout, such as realTraffic/speed_6005.csv
	Within  string    // folder of the layout: "data", or empty
	Times   []int64   // Unix nanoseconds
	Values  []float64 // NaN where the cell is empty or says so
	Labeled bool      // whether anybody has looked for what is abnormal
	Windows []nab.Window
}

// Category is the folder of the file within its layout, empty for files at the top.
func (s Series) Category() string {
	category, _, below := strings.Cut(s.Name, "/")
	if !below {
		return ""
	}
	return category
}

// File is what scoring needs to know.
func (s Series) File() nab.File { return nab.File{Rows: len(s.Times), Windows: s.Windows} }

// Days is the time from the first to the last row.
func (s Series) Days() float64 {
	if len(s.Times) == 0 {
		return 0
	}
	return float64(s.Times[len(s.Times)-1]-s.Times[0]) / float64(24*time.Hour)
}

// parse reads the rows timestamp,value[,label] behind an optional header.
func parse(name string, text []byte) (Series, error) {
	s := Series{Name: name}
	var labels []bool
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.ReuseRecord = 0, true
	for line := 1; ; line++ {
		cells, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return s, fmt.Errorf("read %s: %w", name, err)
		}
		if len(cells) < 2 {
			return s, fmt.Errorf("read %s, row %d: %d columns, wanted timestamp,value[,label]", name, line, len(cells))
		}
		if line == 1 && isHeader(cells) {
			continue
		}
		label, err := s.add(cells)
		if err != nil {
			return s, fmt.Errorf("read %s, row %d: %w", name, line, err)
		}
		labels, s.Labeled = append(labels, label), len(cells) > 2
	}
	s.Windows = runs(labels)
	return s, nil
}

// isHeader reports whether the first row names columns: neither of its first cells can be read.
func isHeader(cells []string) bool {
	_, timeErr := parseTime(cells[0])
	_, valueErr := parseValue(cells[1])
	return timeErr != nil && valueErr != nil
}

// add appends a row and returns its label.
func (s *Series) add(cells []string) (label bool, err error) {
	t, err := parseTime(cells[0])
	if err != nil {
		return false, err
	}
	v, err := parseValue(cells[1])
	if err != nil {
		return false, err
	}
	s.Times, s.Values = append(s.Times, t), append(s.Values, v)
	if len(cells) < 3 {
		return false, nil
	}
	l, err := parseValue(cells[2])
	return l != 0 && !math.IsNaN(l), err
}

// parseValue reads a decimal number; an empty cell is NaN.
func parseValue(cell string) (float64, error) {
	cell = strings.TrimSpace(cell)
	if cell == "" {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		return 0, fmt.Errorf("value %q: use a decimal number", cell)
	}
	return v, nil
}

// parseTime reads a time of day and date, with or without a zone, or a Unix time in s, ms, µs or ns by its size.
func parseTime(cell string) (int64, error) {
	cell = strings.TrimSpace(cell)
	for _, layout := range []string{"2006-01-02 15:04:05", time.RFC3339} { // both take fractions of a second
		if t, err := time.Parse(layout, cell); err == nil {
			return t.UnixNano(), nil
		}
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > 1e19 {
		return 0, fmt.Errorf("timestamp %q: use 2006-01-02 15:04:05, RFC 3339 or a Unix time", cell)
	}
	unit := 1e9
	for size := 1e11; math.Abs(v) >= size && unit > 1; size *= 1e3 {
		unit /= 1e3
	}
	return int64(math.Round(v * unit)), nil
}

// runs are the rows with labels in a row, as windows.
func runs(labels []bool) (windows []nab.Window) {
	for i, label := range labels {
		switch {
		case !label:
		case i > 0 && labels[i-1]:
			windows[len(windows)-1].Right = i
		default:
			windows = append(windows, nab.Window{Left: i, Right: i})
		}
	}
	return windows
}
