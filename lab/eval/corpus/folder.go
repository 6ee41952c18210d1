package corpus

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"weir/lab/eval/nab"
)

// windowsFile is where NAB keeps its labels.
const windowsFile = "labels/combined_windows.json"

// Read reads all series of a folder. A folder without any is an error, and so is a series of NAB's layout that its
// labels do not know; labels of series that are not there are passed over.
func Read(folder fs.FS) ([]Series, error) {
	text, err := fs.ReadFile(folder, windowsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return readAll(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	var windows map[string][][2]string
	if err := json.Unmarshal(text, &windows); err != nil {
		return nil, fmt.Errorf("read %s: %w", windowsFile, err)
	}
	within := ""
	if _, err := fs.Stat(folder, "data"); err == nil {
		within = "data"
		if folder, err = fs.Sub(folder, within); err != nil {
			return nil, fmt.Errorf("open %s: %w", within, err)
		}
	}
	all, err := readAll(folder)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Within = within
		if err := all[i].label(windows); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// readAll reads every .csv below the folder, sorted by name.
func readAll(folder fs.FS) (all []Series, err error) {
	err = fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".csv" {
			return err
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		s, err := parse(name, text)
		all = append(all, s)
		return err
	})
	if err == nil && len(all) == 0 {
		err = errors.New("find series: there is no .csv file in the folder")
	}
	return all, err
}

// label gives a series the windows of NAB's label file.
func (s *Series) label(windows map[string][][2]string) error {
	texts, known := windows[s.Name]
	if !known {
		return fmt.Errorf("label %s: %s does not name it", s.Name, windowsFile)
	}
	edges := make([][2]int64, len(texts))
	for i, w := range texts {
		for side, text := range w {
			t, err := parseTime(text)
			if err != nil {
				return fmt.Errorf("label %s: %w", s.Name, err)
			}
			edges[i][side] = t
		}
	}
	found, err := nab.FindWindows(s.Times, edges)
	if err != nil {
		return fmt.Errorf("label %s: %w", s.Name, err)
	}
	s.Windows, s.Labeled = found, true
	return nil
}
