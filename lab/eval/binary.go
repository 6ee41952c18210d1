package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"weir/lab/eval/corpus"
	"weir/pkg/detect"
)

// compareWithBinary runs `weir detect` on every series with every detector and compares what it prints with the
// library's verdicts. A difference is a bug of one of them.
func (r *report) compareWithBinary(o options, kinds []detect.Kind) {
	wrong := make([]error, len(kinds)*len(r.Series))
	rows := 0
	_ = each(len(wrong), func(i int) error {
		wrong[i] = compareOne(o.weir, r.Folder, kinds[i%len(kinds)], r.Series[i/len(kinds)])
		return nil
	})
	for i, err := range wrong {
		rows += len(r.Series[i/len(kinds)].Times)
		if err != nil {
			r.Wrong = append(r.Wrong, err)
		}
	}
	r.Binary = fmt.Sprintf("`weir detect` printed the library's score and flag for %d rows: %d detectors, %d series.", rows, len(kinds), len(r.Series))
	if slices.ContainsFunc(wrong, func(err error) bool { return err != nil }) {
		r.Binary = "`weir detect` and the library disagree, see below."
	}
}

func compareOne(weir, folder string, kind detect.Kind, s corpus.Series) error {
	d, err := newDetector(kind)
	if err != nil {
		return err
	}
	printed, err := runBinary(weir, pathOf(folder, s), kind)
	if err == nil {
		err = compareRows(printed, verdicts(d, s, len(s.Times)))
	}
	if err != nil {
		return fmt.Errorf("weir detect --detector %s on %s: %w", kind.Name, s.Name, err)
	}
	return nil
}

// pathOf is where a series lies within one of the layouts.
func pathOf(folder string, s corpus.Series) string {
	return filepath.Join(folder, filepath.FromSlash(s.Within), filepath.FromSlash(s.Name))
}

// runBinary returns the rows that are printed, the header first.
func runBinary(weir, file string, kind detect.Kind) ([][]string, error) {
	var errs bytes.Buffer
	cmd := exec.Command(weir, "detect", "--detector", kind.Name, "--input", file, "-o", "csv")
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(errs.Bytes()))
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("read the %d rows that it prints: %w", len(rows), err)
	}
	return rows, nil
}

// compareRows wants the flag of each row, and its Alert, which is what is printed as its score.
func compareRows(printed [][]string, want []detect.Verdict) error {
	score, flag := slices.Index(printed[0], "score"), slices.Index(printed[0], "flag")
	if score < 0 || flag < 0 {
		return fmt.Errorf("it prints the columns %v, wanted score and flag among them", printed[0])
	}
	if len(printed)-1 != len(want) {
		return fmt.Errorf("it prints %d rows for %d", len(printed)-1, len(want))
	}
	for i, row := range printed[1:] {
		s, err := strconv.ParseFloat(row[score], 64)
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		f, err := strconv.ParseBool(row[flag])
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		if f != want[i].Flag || math.Abs(s-want[i].Alert) > 1e-6*(1+math.Abs(s)) {
			return fmt.Errorf("row %d: it prints score %v and flag %v, the library says %v and %v", i, s, f, want[i].Alert, want[i].Flag)
		}
	}
	return nil
}
