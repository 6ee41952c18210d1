package bus

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/schemas"
)

// What the store of these tests holds, in blocks as small as they come: a journal that is purged from its front,
// and a stream of subjects that are purged one by one, as outboxes are.
var damagedStreams = []schemas.Stream{
	{Name: "LOG", Subjects: []string{"log"}, MaxBytes: 120_000},
	{Name: "BOX", Subjects: []string{"box.*"}, MaxBytes: 120_000},
}

const (
	damagedMessages = 300
	damagedSize     = 260
)

// payload is what message seq of a stream holds.
func payload(stream string, seq uint64) string {
	return fmt.Sprintf("%s %d %0*d", stream, seq, damagedSize, seq)
}

// madeStore makes a folder with messages in some blocks. It returns what each
// stream holds. A folder that was not closed is as kill -9 leaves it.
func madeStore(t *testing.T, closed bool) (dir string, held map[string][]uint64) {
	t.Helper()
	e := embed(t, Config{})
	if err := e.Ensure(t.Context(), damagedStreams); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Bucket(t.Context(), "B", 1); err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= damagedMessages; seq++ {
		for stream, subject := range map[string]string{"LOG": "log", "BOX": fmt.Sprintf("box.%d", seq%3)} {
			if got, err := e.Store(t.Context(), subject, []byte(payload(stream, seq))); err != nil || got != seq {
				t.Fatalf("%s: stored at %d: %v", stream, got, err)
			}
		}
		if seq == damagedMessages/2 {
			if err := e.Compact(t.Context(), "LOG", 20); err != nil {
				t.Fatal(err)
			}
			if err := e.Purge(t.Context(), "box.0", 100); err != nil {
				t.Fatal(err)
			}
		}
	}
	if closed {
		e.Stop()
	}
	await(t, "a copy, while the server may replace files by others", 10*time.Second, func() bool {
		dir = t.TempDir()
		return os.CopyFS(dir, os.DirFS(e.cfg.Dir)) == nil
	})
	held = map[string][]uint64{}
	for seq := uint64(1); seq <= damagedMessages; seq++ {
		if seq >= 20 {
			held["LOG"] = append(held["LOG"], seq)
		}
		if seq >= 100 || seq%3 != 0 {
			held["BOX"] = append(held["BOX"], seq)
		}
	}
	return dir, held
}

// damages are what may become of a file. nil removes it.
var damages = map[string]func(data []byte) []byte{
	"untouched": func(data []byte) []byte { return data },
	"missing":   func([]byte) []byte { return nil },
	"empty":     func([]byte) []byte { return []byte{} },
	"half":      func(data []byte) []byte { return data[:len(data)/2] },
	"flip":      func(data []byte) []byte { data[len(data)/2] ^= 4; return data },
	"head":      func(data []byte) []byte { data[3] ^= 0x40; return data }, // the length of the first record
	"burst": func(data []byte) []byte {
		for i := len(data) / 3; i < len(data)/2; i++ {
			data[i] = byte(i * 7)
		}
		return data
	},
	"garbage": func(data []byte) []byte { return append(data, "garbage at the end of it, more than a head"...) },
}

// TestDamage: whatever one file of a store is, the server starts, everything that
// is not declared lost is there, nothing waits for ever, and sequences that were
// given out are not given out again where the server was stopped in order.
func TestDamage(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{true, false} {
		dir, held := madeStore(t, closed)
		for _, stream := range []string{"LOG", "BOX"} {
			if !closed && stream == "BOX" {
				continue // as above, and nothing more
			}
			for _, file := range damageable(t, dir, stream) {
				for what, damage := range damages {
					if !closed && (!strings.HasSuffix(file, ".blk") || what == "untouched" || what == "garbage") {
						continue // as above
					}
					t.Run(fmt.Sprintf("%s/%s/%s/closed=%v", stream, file, what, closed), func(t *testing.T) {
						t.Parallel()
						d := damaged{t: t, dir: t.TempDir(), stream: stream, file: file, held: held, closed: closed}
						if err := os.CopyFS(d.dir, os.DirFS(dir)); err != nil {
							t.Fatal(err)
						}
						d.apply(damage)
						d.check(what)
					})
				}
			}
		}
	}
}

// damageable are the files of a stream that are damaged one by one.
func damageable(t *testing.T, dir, stream string) []string {
	t.Helper()
	files := []string{"meta.inf", "meta.sum", "msgs/index.db"}
	numbers, err := blockNumbers(filepath.Join(dir, streamsDir, "T_"+stream, "msgs"))
	if err != nil || len(numbers) < 3 {
		t.Fatalf("%s has blocks %v: %v", stream, numbers, err)
	}
	for _, n := range []int{numbers[0], numbers[len(numbers)/2], numbers[len(numbers)-1]} {
		files = append(files, "msgs/"+blockName(n))
	}
	if _, err := os.Stat(filepath.Join(dir, streamsDir, "T_"+stream, "msgs/index.db")); err != nil {
		files = slices.DeleteFunc(files, func(f string) bool { return f == "msgs/index.db" })
	}
	return files
}

// damaged is a folder with one damaged file.
type damaged struct {
	t                 *testing.T
	dir, stream, file string
	held              map[string][]uint64
	closed            bool
}

func (d damaged) apply(damage func([]byte) []byte) {
	name := filepath.Join(d.dir, streamsDir, "T_"+d.stream, d.file)
	data, err := os.ReadFile(name)
	if err == nil {
		if data = damage(data); data == nil {
			err = os.Remove(name)
		} else {
			err = os.WriteFile(name, data, 0o600)
		}
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// check starts a server in the folder.
func (d damaged) check(what string) {
	began := time.Now()
	e := embed(d.t, Config{Dir: d.dir})
	if err := e.Ensure(d.t.Context(), damagedStreams); err != nil {
		d.t.Fatal(err)
	}
	lost := d.checkStreams(e, what)
	if places, _ := e.Damage(); what == "untouched" && places > 0 {
		d.t.Errorf("an untouched folder counts as damaged: %+v", e.damage)
	}
	if err := e.Healthy(); err != nil {
		d.t.Error(err)
	}
	seq, err := e.Store(d.t.Context(), "log", []byte("new"))
	if err != nil {
		d.t.Error(err)
	}
	if d.closed && seq <= damagedMessages {
		d.t.Errorf("sequence %d is given out again (lost: %v)", seq, lost)
	}
	e.Stop()
	if again, err := repair(d.dir, "T_", time.Now(), quietLog); len(again) > 0 || err != nil {
		d.t.Errorf("damage is found again: %+v, %v", again, err)
	}
	if took := time.Since(began); took > busy*10*time.Second {
		d.t.Errorf("it took %v", took)
	}
}

// checkStreams compares what can be read with what was there.
func (d damaged) checkStreams(e *Embedded, what string) (missing []uint64) {
	for stream, held := range d.held {
		there := map[uint64]bool{}
		err := e.Read(d.t.Context(), stream, 1, true, func(m Message) error {
			if string(m.Data) != payload(stream, m.Seq) {
				d.t.Errorf("%s message %d holds %q", stream, m.Seq, m.Data)
			}
			there[m.Seq] = true
			return nil
		})
		if err != nil {
			d.t.Error(err)
		}
		for _, seq := range held {
			if there[seq] {
				continue
			}
			missing = append(missing, seq)
			if stream != d.stream {
				d.t.Errorf("%s: message %d of another stream is gone", stream, seq)
			}
		}
	}
	d.checkDeclared(e, missing, what)
	return missing
}

// checkDeclared wants each missing message in a declared range. Nobody but the
// folds can tell what a newest block held that a kill has left without an index,
// or whether a whole block is missing where messages are removed one by one.
func (d damaged) checkDeclared(e *Embedded, missing []uint64, what string) {
	undeclared := slices.DeleteFunc(slices.Clone(missing), func(seq uint64) bool {
		return slices.ContainsFunc(e.damage, func(dm Damage) bool {
			return dm.Stream == "T_"+d.stream && dm.Cut && dm.From <= seq && (dm.To == 0 || seq <= dm.To)
		})
	})
	unknown := what == "missing" && d.stream == "BOX" || !d.closed && (what == "missing" || d.newest())
	if len(undeclared) > 0 && !unknown {
		d.t.Errorf("not declared: %d messages from %d to %d", len(undeclared), undeclared[0], undeclared[len(undeclared)-1])
	}
	if what == "flip" && len(missing) > 1 && !d.newest() {
		d.t.Errorf("one flipped bit has cost %d messages: %v", len(missing), missing)
	}
}

func (d damaged) newest() bool {
	numbers, err := blockNumbers(filepath.Join(d.dir, streamsDir, "T_"+d.stream, "msgs"))
	return err == nil && len(numbers) > 0 && d.file >= "msgs/"+blockName(numbers[len(numbers)-1])
}
