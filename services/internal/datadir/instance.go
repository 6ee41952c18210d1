package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const runFile = "run.json"

// Instance is what run.json says: a process that accepts devices.
type Instance struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Version string    `json:"version"` // of the program
	Go      string    `json:"go"`
	Data    string    `json:"data"` // the folder
	HTTP    string    `json:"http"` // addresses are host:port; empty: does not listen
	NATS    string    `json:"nats"`
	MQTT    string    `json:"mqtt"`
	Leaf    string    `json:"leaf,omitempty"`

	OTLPGRPC string `json:"otlp_grpc,omitempty"`
	OTLPHTTP string `json:"otlp_http,omitempty"`

	Class   string `json:"durability,omitempty"` // fast or durable: what a power cut may take
	Agents  int    `json:"agents"`
	Regions int    `json:"regions"`
	Owner
}

// OperatorFile is where the instance's credentials are.
func (i Instance) OperatorFile() string { return filepath.Join(i.Data, operatorFile) }

// Announce says that the process is ready: in run.json, in operator.json, and
// in the index in which other commands look. It returns the instance with what
// the folder knows of it. An index that cannot be written only means that other
// commands need to be told the address.
func (f *Folder) Announce(i Instance) (Instance, error) {
	i.Data, i.Agents, i.Regions, i.Owner = f.Dir, f.Shape.Agents, f.Shape.Regions, f.Shape.Owner
	if i.NATS != "" {
		f.Operator.URL = "nats://" + i.NATS
		if err := writeJSON(f.path(operatorFile), 0o600, f.Operator); err != nil {
			return i, err
		}
	}
	if err := writeJSON(f.path(runFile), 0o644, i); err != nil {
		return i, err
	}
	f.index(i.PID)
	return i, nil
}

func (f *Folder) index(pid int) {
	dir := indexDir()
	if os.MkdirAll(dir, 0o700) != nil {
		return
	}
	entry := filepath.Join(dir, entryPrefix(pid)+filepath.Base(f.Dir))
	if os.WriteFile(entry, []byte(f.Dir), 0o600) == nil {
		f.entry = entry
	}
}

// retract takes back what Announce has said.
func (f *Folder) retract() error {
	if f.entry != "" {
		_ = os.Remove(f.entry) // a stale entry is cleaned up by whoever looks
	}
	if err := os.Remove(f.path(runFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", f.path(runFile), err)
	}
	return nil
}

// entryPrefix begins the name of a process's entry in the index.
func entryPrefix(pid int) string { return strconv.Itoa(pid) + "-" }

// indexDir is where running instances of this user are listed, one file each
// that holds the path of the data folder.
func indexDir() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "weir")
	}
	return filepath.Join(os.TempDir(), "weir-instances-"+strconv.Itoa(os.Getuid()))
}

// Running lists the instances of this user that run now. Entries of processes
// that were killed are removed.
func Running() []Instance {
	dir := indexDir()
	entries, _ := os.ReadDir(dir) // no index: none is running
	var all []Instance
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		folder, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		i, err := ReadInstance(string(folder))
		switch {
		case err == nil && strings.HasPrefix(e.Name(), entryPrefix(i.PID)):
			all = append(all, i)
		case err == nil, errors.Is(err, ErrNotRunning): // of a process that was killed, of this folder or another
			_ = os.Remove(name)
		}
	}
	return all
}

// ErrNotRunning says that no process owns the folder.
var ErrNotRunning = errors.New("nothing runs there")

// ReadInstance reads the run.json of a folder that a process owns now.
func ReadInstance(dir string) (i Instance, err error) {
	if !locked(dir) {
		return i, fmt.Errorf("data folder %s: %w", dir, ErrNotRunning)
	}
	data, err := os.ReadFile(filepath.Join(dir, runFile))
	if err == nil {
		err = json.Unmarshal(data, &i)
	}
	if err != nil {
		return i, fmt.Errorf("data folder %s: read %s: %w", dir, runFile, err)
	}
	return i, nil
}
