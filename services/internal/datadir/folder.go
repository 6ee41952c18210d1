package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Shape is what is fixed at the first start of a folder: devices are placed on
// agents by hash and repeats are found within one agent, and what an outbox
// holds belongs to whoever made it.
type Shape struct {
	Agents  int // logical agents, >= 1
	Regions int // >= 1
	Owner   Owner
}

// Owner is who keeps its state in a folder. The zero Owner is a process that is
// all tiers at once.
type Owner struct {
	Role   string `json:"role,omitempty"`   // agent, region or center
	Name   string `json:"name,omitempty"`   // of the agent or region
	Region string `json:"region,omitempty"` // of an agent
}

func (o Owner) String() string {
	switch {
	case o == Owner{}:
		return "weir up"
	case o.Region != "":
		return fmt.Sprintf("%s %s of region %s", o.Role, o.Name, o.Region)
	}
	return o.Role + " " + o.Name
}

// Want is what a process asks of a folder. A number that is 0 takes what the
// folder has, or the fallback of a new one.
type Want struct {
	Shape
	Fallback Shape  // for a new folder
	Version  string // of this program, for the record
}

// Folder is a data folder that this process owns.
type Folder struct {
	Dir      string // absolute
	Shape    Shape
	New      bool // this is its first start
	Operator Operator

	temporary bool
	lock      *os.File
	entry     string // in the index of running instances; empty: none
}

// Open takes a folder, makes it where it is not there, and locks it. An empty
// dir makes a new temporary folder that Close removes.
func Open(dir string, want Want) (*Folder, error) {
	f := &Folder{Dir: dir, temporary: dir == ""}
	if err := f.make(); err != nil {
		return nil, err
	}
	if err := f.enter(want); err != nil {
		f.release()
		return nil, err
	}
	return f, nil
}

func (f *Folder) make() (err error) {
	if f.temporary {
		if f.Dir, err = os.MkdirTemp("", "weir-"); err != nil {
			return explain(os.TempDir(), err)
		}
		return nil
	}
	if f.Dir, err = filepath.Abs(f.Dir); err != nil {
		return fmt.Errorf("data folder %s: %w", f.Dir, err)
	}
	if err := os.MkdirAll(f.Dir, 0o750); err != nil {
		return explain(f.Dir, err)
	}
	return nil
}

// enter checks everything before it changes anything but the lock.
func (f *Folder) enter(want Want) error {
	id, found, err := readIdentity(f.Dir)
	if err != nil {
		return err
	}
	if !found {
		if err := checkEmpty(f.Dir); err != nil {
			return err
		}
	}
	if f.lock, err = takeLock(f.Dir); err != nil {
		return err
	}
	if err := checkRoom(f.Dir); err != nil {
		return err
	}
	if found {
		f.Shape, err = settle(f.Dir, want.Shape, id.shape())
	} else {
		f.New, f.Shape = true, want.or(want.Fallback)
		err = writeIdentity(f.Dir, f.Shape, want.Version)
	}
	if err != nil {
		return err
	}
	_ = os.Remove(f.path(runFile)) // of a process that was killed
	f.Operator, err = operator(f.Dir)
	return err
}

// or fills in what is 0.
func (s Shape) or(other Shape) Shape {
	if s.Agents == 0 {
		s.Agents = other.Agents
	}
	if s.Regions == 0 {
		s.Regions = other.Regions
	}
	return s
}

// settle compares what is wanted with what the folder was made for.
func settle(dir string, want, has Shape) (Shape, error) {
	check := func(flag string, want, has int) error {
		if want == has {
			return nil
		}
		return fmt.Errorf("data folder %s was made with --%s %d, which is fixed: leave out --%s %d, or choose another folder",
			dir, flag, has, flag, want)
	}
	if want.Owner != has.Owner {
		return has, fmt.Errorf("data folder %s belongs to %s, not to %s: choose another folder", dir, has.Owner, want.Owner)
	}
	want = want.or(has)
	return has, errors.Join(check("agents", want.Agents, has.Agents), check("regions", want.Regions, has.Regions))
}

// Temporary reports whether Close removes the folder.
func (f *Folder) Temporary() bool { return f.temporary }

// Close takes the folder off the index, removes a temporary one and gives up
// the lock, in this order, so that nobody finds half a folder.
func (f *Folder) Close() error {
	err := f.retract()
	return errors.Join(err, f.release())
}

func (f *Folder) release() (err error) {
	if f.temporary {
		err = os.RemoveAll(f.Dir)
	}
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}

func (f *Folder) path(name string) string { return filepath.Join(f.Dir, name) }
