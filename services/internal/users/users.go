package users

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Grant is what a user may speak for. Empty names grant any.
type Grant struct {
	Tenant, Device string
	// Version is another one whenever the user's entry is, its password included.
	Version uint64
}

// Allows reports whether the user may speak for a device.
func (g Grant) Allows(tenant, device string) bool {
	return (g.Tenant == "" || g.Tenant == tenant) && (g.Device == "" || g.Device == device)
}

// Users are those of a file. They are safe for concurrent use.
type Users struct {
	path  string
	table atomic.Pointer[table] // replaced as a whole
	seen  atomic.Pointer[stamp] // of the file when it was last read
	one   sync.Mutex            // reads the file
	key   [32]byte              // of the proofs; of this process
	slots chan struct{}         // those who hash
	pace  pace
}

// table is the users at a moment. It is never written to, except for proofs.
type table struct {
	list    []User
	byName  map[string]*known
	devices map[[2]string]struct{} // tenant, device: those that an entry names
}

// known is a user with what was found out about its password.
type known struct {
	User
	version      uint64
	right, wrong atomic.Pointer[proof] // the last password that was; nil: none yet
}

// proof stands for a password, of use to this process only.
type proof [sha256.Size]byte

// Load reads the users of a file. The warnings are for people to see.
func Load(path string) (u *Users, warnings []string, err error) {
	u = &Users{path: path, slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	_, _ = rand.Read(u.key[:]) // it never fails
	warnings, err = u.Reload()
	if err != nil {
		return nil, nil, err
	}
	return u, warnings, nil
}

// Reload reads the file again. After an error the users are what they were.
func (u *Users) Reload() (warnings []string, err error) {
	u.one.Lock()
	defer u.one.Unlock()
	seen := stampOf(u.path)
	list, warnings, err := read(u.path)
	u.seen.Store(&seen)
	if err != nil {
		return nil, err
	}
	u.table.Store(newTable(list, u.table.Load()))
	return warnings, nil
}

// newTable keeps what is known of the passwords that are as before.
func newTable(list []User, before *table) *table {
	t := &table{list: list, byName: make(map[string]*known, len(list)), devices: map[[2]string]struct{}{}}
	for _, u := range list {
		k := &known{User: u, version: versionOf(u)}
		if before != nil {
			k.inherit(before.byName[u.Name])
		}
		t.byName[u.Name] = k
		if u.Device != "" {
			t.devices[[2]string{u.Tenant, u.Device}] = struct{}{}
		}
	}
	return t
}

func (k *known) inherit(before *known) {
	if before != nil && before.version == k.version {
		k.right.Store(before.right.Load())
		k.wrong.Store(before.wrong.Load())
	}
}

// versionOf tells an entry from any other.
func versionOf(u User) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{u.Name, u.Hash, u.Tenant, u.Device, u.Link, u.Region}))
	return binary.BigEndian.Uint64(sum[:])
}

func (k *known) grant() Grant { return Grant{Tenant: k.Tenant, Device: k.Device, Version: k.version} }

// Current is what a device's user is granted as of now. ok is false where there
// is no such user.
func (u *Users) Current(name string) (g Grant, ok bool) {
	k := u.table.Load().byName[name]
	if k == nil || k.Link != "" {
		return Grant{}, false
	}
	return k.grant(), true
}

// Names reports whether an entry names this very device.
func (u *Users) Names(tenant, device string) bool {
	_, ok := u.table.Load().devices[[2]string{tenant, device}]
	return ok
}

// List is all users, in the order of the file. It is not to be written to.
func (u *Users) List() []User { return u.table.Load().list }

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	mode     fs.FileMode
}

// stampOf is the zero stamp where there is no file.
func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{modified: info.ModTime(), size: info.Size(), mode: info.Mode()}
}

// lookEvery is the time between two looks at the file.
const lookEvery = 2 * time.Second

// Follow reads the file again when it has changed and then stayed the same for
// lookEvery, so that nobody's half-written file is taken, and calls changed each
// time that it was good. It ends with ctx, and returns nil.
func (u *Users) Follow(ctx context.Context, changed func(), log *slog.Logger) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for last := *u.seen.Load(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := stampOf(u.path)
		settled := now == last
		if last = now; !settled || now == *u.seen.Load() {
			continue
		}
		warnings, err := u.Reload()
		if err != nil {
			log.Error("users stay as they were", "err", err)
			continue
		}
		for _, w := range warnings {
			log.Warn(w)
		}
		log.Info("users read again", "file", u.path, "users", len(u.List()))
		changed()
	}
}
