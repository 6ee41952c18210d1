package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// Output formats.
const (
	asTable = "table"
	asJSON  = "json"
	asCSV   = "csv"
)

// format is the flag -o.
type format struct {
	name    string
	allowed []string
}

func (f *format) addFlag(cmd *cobra.Command, allowed ...string) {
	f.allowed = allowed
	cmd.Flags().StringVarP(&f.name, "output", "o", allowed[0], "format: "+strings.Join(allowed, ", "))
}

func (f *format) check() error {
	if slices.Contains(f.allowed, f.name) {
		return nil
	}
	return usageError("--output %q: use %s", f.name, strings.Join(f.allowed, ", "))
}

// table writes rows for people or as CSV.
type table struct {
	tab *tabwriter.Writer
	csv *csv.Writer
}

// newTable begins a table with the names of its columns.
func newTable(out io.Writer, f format, columns ...string) *table {
	t := &table{}
	if f.name == asCSV {
		t.csv = csv.NewWriter(out)
	} else {
		t.tab = tabwriter.NewWriter(out, 8, 0, 2, ' ', 0)
		for i := range columns {
			columns[i] = strings.ToUpper(strings.ReplaceAll(columns[i], "_", " "))
		}
	}
	t.row(columns...)
	return t
}

// row adds a row. What a device has written cannot break the table or steer the
// terminal. The error shows when the table is flushed.
func (t *table) row(cells ...string) {
	if t.csv != nil {
		_ = t.csv.Write(cells)
		return
	}
	for i, c := range cells {
		cells[i] = printable(c)
	}
	_, _ = fmt.Fprintln(t.tab, strings.Join(cells, "\t"))
}

// flush writes what is still held back.
func (t *table) flush() error {
	if t.csv != nil {
		t.csv.Flush()
		return t.csv.Error()
	}
	return t.tab.Flush()
}

// printable replaces what is no printable character of one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
}

// eachLine hands the JSON lines of an answer to handle. A line {"error":…} ends
// it with that error.
func eachLine(ctx context.Context, in io.Reader, handle func([]byte) error) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return cutOff(ctx, err)
		}
		if bytes.HasPrefix(line, []byte(`{"error":`)) {
			var said struct{ Error string }
			_ = json.Unmarshal(line, &said) // an error that cannot be read is still one
			return errors.New(said.Error)
		}
		if err := handle(line); err != nil {
			return err
		}
	}
}

// list shows an answer of JSON lines, as they came or decoded as rows, and returns how
// many there were.
func list[T any](ctx context.Context, in io.Reader, out io.Writer, f format, columns []string, row func(*T) []string, live bool) (n int, err error) {
	if f.name == asJSON {
		err = eachLine(ctx, in, func(line []byte) error {
			n++
			_, err := out.Write(line)
			return err
		})
		return n, err
	}
	t := newTable(out, f, columns...)
	err = eachLine(ctx, in, func(line []byte) error {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return fmt.Errorf("line %.100q: %w", line, err)
		}
		n++
		t.row(row(&v)...)
		if live {
			return t.flush()
		}
		return nil
	})
	return n, errors.Join(err, t.flush())
}
