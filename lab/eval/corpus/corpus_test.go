package corpus

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"weir/lab/eval/nab"
)

func folder(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

const (
	rough  = "timestamp,value\r\n2014-04-01 00:00:00,1\r\n2014-04-01 00:05:00,-2.5\r\n2014-04-01 00:05:00,3e2" // as NAB's are
	labels = `{"a/x.csv": [["2014-04-01 00:05:00.000000", "2014-04-01 00:05:00.000000"]], "b/absent.csv": []}`
)

// TestLayouts reads both layouts, and NAB's with and without a folder data.
func TestLayouts(t *testing.T) {
	plain := "timestamp,value,label\n100,1,0\n101,,1\n102,NaN,1\n103,4,0\n104,5,1.0\n"
	cases := []struct {
		name, within string
		files        map[string]string
		windows      []nab.Window
		labeled      bool
	}{
		{"NAB", "", map[string]string{"a/x.csv": rough, windowsFile: labels}, []nab.Window{{Left: 1, Right: 1}}, true},
		{"NAB with data", "data", map[string]string{"data/a/x.csv": rough, windowsFile: labels}, []nab.Window{{Left: 1, Right: 1}}, true},
		{"plain without labels", "", map[string]string{"a/x.csv": rough}, nil, false},
		{"plain with labels", "", map[string]string{"a/x.csv": plain}, []nab.Window{{Left: 1, Right: 2}, {Left: 4, Right: 4}}, true},
	}
	for _, c := range cases {
		all, err := Read(folder(c.files))
		if err != nil || len(all) != 1 {
			t.Errorf("%s: %d series, %v", c.name, len(all), err)
			continue
		}
		s := all[0]
		if s.Name != "a/x.csv" || s.Category() != "a" || s.Within != c.within || s.Labeled != c.labeled || !slices.Equal(s.Windows, c.windows) {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

func TestRoughRows(t *testing.T) {
	s, err := parse("x.csv", []byte(rough))
	if err != nil || !slices.Equal(s.Values, []float64{1, -2.5, 300}) || s.Times[0] != 1396310400_000000000 || s.Times[1] != s.Times[2] {
		t.Errorf("%+v, %v", s, err)
	}
	if days := s.Days(); math.Abs(days-5./60/24) > 1e-12 {
		t.Errorf("%v days", days)
	}
	if s, err := parse("x.csv", nil); err != nil || s.Days() != 0 || s.Category() != "" {
		t.Errorf("an empty file: %+v, %v", s, err)
	}
}

func TestTimes(t *testing.T) {
	const want = 1767571200_500000000
	for _, cell := range []string{"2026-01-05 00:00:00.5", "2026-01-05T00:00:00.5Z", "2026-01-05T02:00:00.500+02:00", "1767571200.5", "1767571200500", "1767571200500000", " 1767571200500000000"} {
		if got, err := parseTime(cell); got != want || err != nil {
			t.Errorf("%q: %d, %v", cell, got, err)
		}
	}
	for _, cell := range []string{"", "yesterday", "NaN", "1e30", "2026-13-01 00:00:00"} {
		if got, err := parseTime(cell); err == nil {
			t.Errorf("%q: %d, wanted an error", cell, got)
		}
	}
}

// TestErrorsNameTheirPlace: file and row, or file and label.
func TestErrorsNameTheirPlace(t *testing.T) {
	cases := []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"readme.txt": "x"}, "no .csv file"},
		{map[string]string{"x.csv": "timestamp,value\n1,one\n"}, `x.csv, row 2: value "one"`},
		{map[string]string{"x.csv": "timestamp,value\nnever,1\n"}, `x.csv, row 2: timestamp "never"`},
		{map[string]string{"x.csv": "1,1,maybe\n"}, `x.csv, row 1: value "maybe"`},
		{map[string]string{"x.csv": "1\n"}, "x.csv, row 1: 1 columns"},
		{map[string]string{"x.csv": "1,2\n1,2,3\n"}, "x.csv"},
		{map[string]string{"a/y.csv": rough, windowsFile: labels}, "a/y.csv"},
		{map[string]string{"a/x.csv": rough, windowsFile: "{"}, windowsFile},
		{map[string]string{"a/x.csv": rough, windowsFile: `{"a/x.csv": [["soon", "later"]]}`}, "soon"},
		{map[string]string{"a/x.csv": rough, windowsFile: `{"a/x.csv": [["2014-04-01 00:01:00", "2014-04-01 00:05:00"]]}`}, "a/x.csv: window 0"},
	}
	for _, c := range cases {
		if _, err := Read(folder(c.files)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, wanted %q", c.files, err, c.want)
		}
	}
}

// FuzzParse: whatever a file holds, there is an error or a series whose parts agree.
func FuzzParse(f *testing.F) {
	for _, text := range []string{rough, "1,2,1\n2,3,0\n", "timestamp,value,label\n", "\"", "1,NaN\n", ",\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parse("x.csv", text)
		if err != nil {
			return
		}
		if len(s.Times) != len(s.Values) {
			t.Fatalf("%d times, %d values", len(s.Times), len(s.Values))
		}
		before := -1
		for _, w := range s.Windows {
			if w.Left <= before || w.Right < w.Left || w.Right >= len(s.Times) {
				t.Fatalf("windows %v of %d rows", s.Windows, len(s.Times))
			}
			before = w.Right
		}
	})
}
