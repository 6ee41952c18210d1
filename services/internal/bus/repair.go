package bus

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Damage is something in a stream's folder that could not be read at a start. What
// could be is there.
type Damage struct {
	Stream   string // with the prefix
	File     string // in the stream's folder; empty: the whole stream
	Gone     bool   // the whole stream is moved aside, and is made anew
	Cut      bool   // messages From to To are lost, as far as they were there: some may have been removed before
	From, To uint64 // sequences; From 0: from the first, whichever that was; To 0: to the last, likewise
	Aside    string // where it is kept as it was found; empty: nothing was taken away
}

// Lost is at most how many messages were lost, as far as it can be told.
func (d Damage) Lost() uint64 {
	if !d.Cut || d.From == 0 || d.To < d.From {
		return 0
	}
	return d.To - d.From + 1
}

// Damage is how many damaged places were found when the process began, and at
// most how many messages were lost in them.
func (e *Embedded) Damage() (places int, messages uint64) {
	for _, d := range e.damage {
		messages += d.Lost()
	}
	return len(e.damage), messages
}

// repair makes the streams of a folder readable before a server looks at them.
// What is damaged is kept aside, logged, and returned. Blocks are those of streams
// with the prefix: others may keep theirs in other ways.
func repair(dir, prefix string, now time.Time, log *slog.Logger) (all []Damage, err error) {
	names, err := streamNames(dir)
	if err != nil {
		return nil, fmt.Errorf("look at the streams in %s: %w", dir, err)
	}
	for _, name := range names {
		ours := strings.HasPrefix(strings.TrimPrefix(name, "KV_"), prefix)
		found, err := repairStream(dir, name, ours, now)
		for _, d := range found {
			d.report(log)
		}
		if err != nil {
			return nil, fmt.Errorf("repair stream %s: %w", name, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func repairStream(dir, name string, ours bool, now time.Time) ([]Damage, error) {
	d, err := salvage(dir, name, now)
	if err != nil || !ours || d != nil && d.Gone {
		return slices.Concat(one(d)), err
	}
	r := &repairs{dir: dir, stream: name, now: now}
	err = r.blocks()
	return slices.Concat(one(d), r.found), err
}

func one(d *Damage) []Damage {
	if d == nil {
		return nil
	}
	return []Damage{*d}
}

func (d Damage) report(log *slog.Logger) {
	switch {
	case d.Gone:
		log.Error("a stream cannot be read: it is moved aside and made anew", "stream", d.Stream, "aside", d.Aside)
	case d.Cut:
		log.Error("a damaged part of a stream is cut out; the rest is there", "stream", d.Stream, "file", d.File,
			"messages", d.sequences(), "aside", d.Aside)
	default:
		log.Warn("what describes a stream was damaged: it is put back, the stream is whole", "stream", d.Stream)
	}
}

func (d Damage) sequences() string {
	from, to := "first", "last"
	if d.From > 0 {
		from = strconv.FormatUint(d.From, 10)
	}
	if d.To > 0 {
		to = strconv.FormatUint(d.To, 10)
	}
	return from + " to " + to
}

// repairs are those of one stream's blocks, which are looked at in order.
type repairs struct {
	dir, stream string
	now         time.Time
	first, last uint64   // sequences of messages so far; 0: there was none
	high        uint64   // highest sequence of anything so far
	gaps        []Damage // messages that are in no block, though nothing is wrong with the blocks
	open        int      // index in found of the first that does not know its To yet
	torn        bool     // the newest block ends in something that is no message
	found       []Damage
	file        bytes.Buffer // the block at hand
}

// blocks checks the block files.
func (r *repairs) blocks() error {
	at := filepath.Join(r.dir, streamsDir, r.stream, "msgs")
	numbers, err := blockNumbers(at)
	if err != nil {
		return err
	}
	for i, n := range numbers {
		if err := r.block(at, n, i == len(numbers)-1); err != nil {
			return err
		}
	}
	if len(r.found) > 0 {
		err = r.outdate(at, numbers[len(numbers)-1])
	}
	i, ok := readIndex(at, r.stream)
	if ok {
		r.compare(i)
	}
	if r.torn && i.last <= r.high {
		r.found = append(r.found, Damage{Stream: r.stream, File: "msgs/" + blockName(numbers[len(numbers)-1]), Cut: true, From: r.high + 1})
	}
	return err
}

// compare finds what the index knows of and the blocks do not have. Only an index
// from the last moment says what was not removed in between.
func (r *repairs) compare(i index) {
	if i.dense() && i.last == r.high {
		if i.first < r.first {
			r.gap(i.first, r.first-1)
		}
		r.found = append(r.found, r.gaps...)
	}
	if i.last > r.high {
		r.found = append(r.found, Damage{Stream: r.stream, File: "msgs", Cut: true, From: r.high + 1, To: i.last})
	}
}

// gap notes messages that are in no block.
func (r *repairs) gap(from, to uint64) {
	r.gaps = append(r.gaps, Damage{Stream: r.stream, File: "msgs", Cut: true, From: from, To: to})
}

func blockNumbers(at string) (numbers []int, err error) {
	entries, err := os.ReadDir(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".blk")); err == nil && e.Name() == blockName(n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, err
}

func blockName(n int) string { return strconv.Itoa(n) + ".blk" }

// block checks one file, and cuts out what cannot be read. A last message that is
// not whole at the end of the newest file was never acknowledged, or went with a
// power cut: that is for the server, which knows how far it has been.
func (r *repairs) block(at string, n int, newest bool) error {
	name := filepath.Join(at, blockName(n))
	data, unreadable := r.read(name)
	b := newBlock(r.stream, n, data)
	c := b.scan()
	bad := c.bad
	if newest && len(bad) > 0 && bad[len(bad)-1].to == len(data) {
		bad = bad[:len(bad)-1]
		r.torn = true
	}
	whole := unreadable != nil || len(data) == 0 && !newest
	if whole {
		bad = []span{{}}
	}
	if c.first > 0 {
		r.known(c.first)
	}
	if len(bad) > 0 {
		aside, err := keepAside(r.dir, r.stream, name, r.now)
		if err == nil && !whole {
			err = writeWhole(name, b.without(bad))
		} else if err == nil {
			err = os.Remove(name)
		}
		if err != nil {
			return err
		}
		r.note(bad, blockName(n), aside)
	}
	r.last, r.high = max(r.last, c.last), max(r.high, c.high)
	return nil
}

// read reads a whole file into the memory of the one before: a journal has a hundred.
func (r *repairs) read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r.file.Reset()
	_, err = r.file.ReadFrom(f)
	return r.file.Bytes(), err
}

// note notes what was cut out of a file.
func (r *repairs) note(bad []span, file, aside string) {
	for _, s := range bad {
		d := Damage{Stream: r.stream, File: "msgs/" + file, Cut: true, Aside: aside}
		if before := cmp.Or(s.before, r.last); before > 0 {
			d.From = before + 1
		}
		if s.after > 0 {
			d.To = s.after - 1
		}
		r.found = append(r.found, d)
	}
}

// known tells those that wait for it which message comes next.
func (r *repairs) known(first uint64) {
	switch {
	case r.first == 0:
		r.first = first
	case first > r.last+1 && r.open == len(r.found):
		r.gap(r.last+1, first-1)
	}
	for ; r.open < len(r.found); r.open++ {
		if d := &r.found[r.open]; d.To == 0 {
			d.To = first - 1
		}
	}
}

// outdate makes the server look at every message, though its index may fit what
// was there: it knows the last sequence, so the index itself must stay. A record
// that a lost message was removed does it.
func (r *repairs) outdate(at string, newest int) error {
	lost := slices.IndexFunc(r.found, func(d Damage) bool { return d.Lost() > 0 })
	if lost < 0 {
		return ignoreMissing(os.Remove(filepath.Join(at, indexFile)))
	}
	name := filepath.Join(at, blockName(newest))
	data, err := r.read(name)
	if err != nil {
		return ignoreMissing(err) // moved aside, which does it too
	}
	b := newBlock(r.stream, newest, data)
	if len(b.scan().bad) > 0 {
		return nil // the server will see that
	}
	b.appendTombstone(r.found[lost].From, r.now.UnixNano())
	return writeWhole(name, b.data)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Stored is how many bytes the streams of a data folder take on the disk, by name
// without the prefix.
func Stored(dir, prefix string) map[string]int64 {
	names, _ := streamNames(dir) // none: nothing is stored yet
	stored := make(map[string]int64, len(names))
	for _, name := range names {
		entries, _ := os.ReadDir(filepath.Join(dir, streamsDir, name, "msgs"))
		for _, e := range entries {
			if i, err := e.Info(); err == nil {
				stored[strings.TrimPrefix(name, prefix)] += i.Size()
			}
		}
	}
	return stored
}
