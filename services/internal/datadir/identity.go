package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"weir/schemas"
)

const identityFile = "weir.json"

// identity is what weir.json says.
type identity struct {
	Format  int    `json:"format"` // schemas.DataVersion of who made it
	Weir    string `json:"weir"`   // version of the program that made it
	Agents  int    `json:"agents"`
	Regions int    `json:"regions"`
	Owner
}

func (id identity) shape() Shape {
	return Shape{Agents: id.Agents, Regions: id.Regions, Owner: id.Owner}
}

func readIdentity(dir string) (id identity, found bool, err error) {
	name := filepath.Join(dir, identityFile)
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return id, false, nil
	case err != nil:
		return id, false, explain(dir, err)
	}
	if err := json.Unmarshal(data, &id); err != nil {
		return id, false, fmt.Errorf("data folder %s: read %s: %w; restore the file or choose another folder", dir, identityFile, err)
	}
	if id.Format > schemas.DataVersion {
		return id, false, &schemas.NewerVersionError{Format: "data folder " + dir, Got: id.Format, Want: schemas.DataVersion}
	}
	if id.Format < 1 || id.Agents < 1 || id.Regions < 1 {
		return id, false, fmt.Errorf("data folder %s: %s names format %d, %d agents, %d regions; restore the file or choose another folder",
			dir, identityFile, id.Format, id.Agents, id.Regions)
	}
	return id, true, nil
}

func writeIdentity(dir string, s Shape, version string) error {
	return writeJSON(filepath.Join(dir, identityFile), 0o644,
		identity{Format: schemas.DataVersion, Weir: version, Agents: s.Agents, Regions: s.Regions, Owner: s.Owner})
}

// harmless may lie in a folder that is taken as empty: the root of a file
// system, and what a process left that died before it wrote its identity.
var harmless = []string{"lost+found", lockFile}

func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return explain(dir, err)
	}
	for _, e := range entries {
		if !slices.Contains(harmless, e.Name()) {
			return fmt.Errorf("data folder %s holds %s but no %s, so it belongs to something else: choose a new or empty folder",
				dir, e.Name(), identityFile)
		}
	}
	return nil
}
