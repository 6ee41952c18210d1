package truth

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"weir/simulator/plan"
)

const (
	format  = "weir-truth"
	version = 1
)

type headerLine struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Plan    plan.Spec `json:"plan"`
}

type statusLine struct {
	Devices Interval `json:"devices"`
	Acked   Set      `json:"acked,omitempty"`
	Unknown Set      `json:"unknown,omitempty"`
	Never   Set      `json:"never,omitempty"`
}

type endLine struct {
	End bool `json:"end"`
	Totals
}

// Writer writes the truth file of a run. One goroutine uses it.
type Writer struct {
	path string
	spec plan.Spec
	file *os.File
	said []Status // what the file says of each device
}

// Create begins a truth file. It refuses to replace one that exists.
func Create(path string, spec plan.Spec) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("create truth file %s: it exists; remove it or name another", path)
	}
	if err != nil {
		return nil, fmt.Errorf("create truth file: %w", err)
	}
	w := &Writer{path: path, spec: spec, file: file, said: make([]Status, spec.Devices)}
	if err := w.begin(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return w, nil
}

// begin makes the header and the file's name last.
func (w *Writer) begin() error {
	err := errors.Join(writeLine(w.file, headerLine{format, version, w.spec}), w.file.Sync(), syncFolder(w.path))
	if err != nil {
		return fmt.Errorf("begin truth file %s: %w", w.path, err)
	}
	return nil
}

// Append writes the statuses that changed since the last call, and syncs. The
// slice has one element per device.
func (w *Writer) Append(now []Status) error {
	b := bufio.NewWriterSize(w.file, 1<<16)
	var errs []error
	for _, run := range runs(now) {
		if from := run[0]; changed(now, w.said, run) {
			errs = append(errs, writeLine(b, line(run, now[from])))
		}
	}
	errs = append(errs, b.Flush(), w.file.Sync())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("append to truth file %s: %w", w.path, err)
	}
	for d := range now {
		w.said[d] = now[d].Clone()
	}
	return nil
}

// Finish replaces the file by its final form and closes it.
func (w *Writer) Finish(last []Status, totals Totals) error {
	err := errors.Join(w.file.Close(), replace(w.path, func(out io.Writer) error {
		errs := []error{writeLine(out, headerLine{format, version, w.spec})}
		for _, run := range runs(last) {
			errs = append(errs, writeLine(out, line(run, last[run[0]])))
		}
		return errors.Join(append(errs, writeLine(out, endLine{true, totals}))...)
	}))
	if err != nil {
		return fmt.Errorf("finish truth file %s: %w", w.path, err)
	}
	return nil
}

// runs groups neighbors with the same status.
func runs(all []Status) []Interval {
	var out []Interval
	for d := range all {
		if d > 0 && all[d].Equal(all[d-1]) {
			out[len(out)-1][1]++
			continue
		}
		out = append(out, Interval{int64(d), int64(d) + 1})
	}
	return out
}

func changed(now, said []Status, run Interval) bool {
	for d := run[0]; d < run[1]; d++ {
		if !now[d].Equal(said[d]) {
			return true
		}
	}
	return false
}

func line(run Interval, s Status) statusLine {
	return statusLine{run, s.Acked, s.Unknown, s.Never}
}

func writeLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// replace writes a file beside path, syncs it and renames it over path.
func replace(path string, fill func(io.Writer) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(file, 1<<16)
	if err := errors.Join(fill(b), b.Flush(), file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return errors.Join(os.Rename(file.Name(), path), syncFolder(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
