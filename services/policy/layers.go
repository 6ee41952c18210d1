package policy

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/schemas"
)

// Language is what the service must know of the language of documents.
type Language struct {
	// BuiltIn is the document on which the default is put.
	BuiltIn []byte
	// Merge puts a layer on top of a document.
	Merge func(document, layer []byte) ([]byte, error)
	// Check makes a whole document of a merged one, or says what is wrong with
	// it, naming the field.
	Check func(document []byte) (Whole, error)
	// Agree says in what the whole document of one agent may not differ from that
	// of others, naming the field. nil: in nothing.
	Agree func(others, one []byte) error
}

func (l Language) check() error {
	if l.Merge == nil || l.Check == nil {
		return errors.New("it needs a language of documents")
	}
	return nil
}

// Whole is a valid document.
type Whole struct {
	Document []byte  // with every default written out: a later program reads the same in it
	Lengths  []int64 // sizes and hops of its views, ns; not empty, each > 0
	NotUntil int64   // event time before which its views are not wanted, Unix ns; 0: as soon as possible
	// Shared is a digest of what Agree compares: documents with the same one
	// agree, and with the same others. Empty: it is not known.
	Shared string
}

// layer is the last good document of a key.
type layer struct {
	revision uint64
	document []byte // nil: none, or deleted
}

// effective is what results from some layers.
type effective struct {
	revision uint64 // the newest of the layers in it; 0: built in
	Whole
}

// report is what an agent reports that has it.
func (e effective) report() Reported {
	return Reported{Revision: e.revision, Hash: schemas.Hash(e.Document), Lengths: e.Lengths}
}

// layers are the last good documents of all keys. A layer is good if it is valid
// on top of the default alone, so that everybody who sees it comes to the same
// verdict, whatever other layers they see.
type layers struct {
	language Language
	good     map[string]layer // by key; what was deleted too, for its revision
	common   effective        // of what is built in and the default: always valid
	stems    map[string]stem  // of every key but the default that has a document; see stem
	refused  map[string]Refusal
	waiting  map[string]layer // what was refused, in case another default makes it good

	// fit says what stands against a layer that is good by itself; nil: nothing.
	fit func(key string, next layer, s stem) error
}

// stem is what results from the default and one other layer.
type stem struct {
	effective
	err error  // why the default, which is newer, does not go with the layer; then there is no document
	on  uint64 // revision of the default
}

// Refusal is the newest revision of a key, which was refused.
type Refusal struct {
	Revision uint64 `json:"revision"`
	Why      string `json:"why"`
}

func newLayers(l Language) (*layers, error) {
	all := &layers{
		language: l, good: map[string]layer{}, stems: map[string]stem{}, refused: map[string]Refusal{}, waiting: map[string]layer{},
	}
	var err error
	if all.common, err = all.combine(); err != nil {
		return nil, fmt.Errorf("built-in policy: %w", err)
	}
	return all, nil
}

// put takes the next revision of a key if it is good. A new default gives those
// another chance that were refused.
func (l *layers) put(key string, next layer) error {
	delete(l.waiting, key)
	delete(l.refused, key)
	err := CheckKey(key)
	if err != nil && next.document == nil {
		return nil // what never counted is gone
	}
	if err == nil {
		if err = l.take(key, next); err != nil {
			l.waiting[key] = next
		}
	}
	if err != nil {
		l.refused[key] = Refusal{next.revision, err.Error()}
		return fmt.Errorf("key %s revision %d: %w", key, next.revision, err)
	}
	if key == DefaultKey {
		l.retry()
	}
	return nil
}

// retry takes what waits, as far as it is good now.
func (l *layers) retry() {
	for _, key := range slices.SortedFunc(maps.Keys(l.waiting), byLayer) {
		next := l.waiting[key]
		err := l.take(key, next)
		if err != nil {
			l.refused[key] = Refusal{next.revision, err.Error()}
			continue
		}
		delete(l.waiting, key)
		delete(l.refused, key)
	}
}

// take makes a layer the good one of its key, if it is.
func (l *layers) take(key string, next layer) error {
	s := l.grow(key, next)
	if s.err == nil && l.fit != nil && next.document != nil {
		s.err = l.fit(key, next, s)
	}
	if s.err != nil {
		return s.err
	}
	l.good[key] = next
	switch {
	case key == DefaultKey:
		l.common = s.effective
	case next.document == nil:
		delete(l.stems, key)
	default:
		l.stems[key] = s
	}
	return nil
}

// grow makes the stem of a layer; that of a default is the default alone.
func (l *layers) grow(key string, next layer) (s stem) {
	if key == DefaultKey {
		s.effective, s.err = l.combine(next)
		return s
	}
	s.on = l.common.revision
	if s.effective, s.err = l.combine(l.good[DefaultKey], next); s.err == nil {
		s.err = l.agree(l.common, s.effective)
	}
	return s
}

// stem is what results from the default as it is now and the layer of another
// key, which may have no document.
func (l *layers) stem(key string) stem {
	s, is := l.stems[key]
	if is && s.on != l.common.revision {
		s = l.grow(key, l.good[key])
		l.stems[key] = s
	}
	return s
}

// chain is what results from the layers of some keys together, lowest first.
func (l *layers) chain(keys []string) (effective, error) {
	all := make([]layer, 0, len(keys))
	for _, k := range keys {
		if err := l.stem(k).err; err != nil {
			return effective{}, fmt.Errorf("%s < %s: %w", DefaultKey, k, err)
		}
		all = append(all, l.good[k])
	}
	e, err := l.combine(all...)
	if err == nil {
		err = l.agree(l.common, e)
	}
	if err != nil {
		return effective{}, fmt.Errorf("%s: %w", strings.Join(l.filled(keys), " < "), err)
	}
	return e, nil
}

// filled are those of some keys that have a document.
func (l *layers) filled(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return l.good[k].document == nil })
}

// peers checks a layer against all others, one agent of which may have each. One
// that does not go with the default, because that is newer, is no measure.
func (l *layers) peers(key string, s stem) error {
	if key == DefaultKey {
		return nil
	}
	seen := map[string]bool{}
	for _, other := range slices.Sorted(maps.Keys(l.stems)) {
		o := l.stem(other)
		if other == key || o.err != nil || seen[o.shared()] {
			continue
		}
		seen[o.shared()] = true
		if err := l.agree(o.effective, s.effective); err != nil {
			return fmt.Errorf("it goes with %s, but not with %s: %w", DefaultKey, other, err)
		}
	}
	return nil
}

// maxTogether bounds all documents of a hub, in bytes, so that they fit into one
// answer: a region gets nearly all of them.
const maxTogether = 3 << 20

// together says whether a layer fits with all others, where layers are written.
func (l *layers) together(key string, next layer, s stem) error {
	if n := l.size(key) + len(next.document); n > maxTogether {
		return fmt.Errorf("with it all documents have %d bytes: they may have %d together", n, maxTogether)
	}
	return l.peers(key, s)
}

// size is that of all documents but one, in bytes.
func (l *layers) size(but string) (bytes int) {
	for key, g := range l.good {
		if key != but {
			bytes += len(g.document)
		}
	}
	return bytes
}

// broken says which layers do not go with the default, which is newer.
func (l *layers) broken() (all []error) {
	for _, key := range slices.Sorted(maps.Keys(l.stems)) {
		if err := l.stem(key).err; err != nil {
			all = append(all, fmt.Errorf("key %s revision %d: %s < %s: %w", DefaultKey, l.good[DefaultKey].revision, DefaultKey, key, err))
		}
	}
	return all
}

// maxProblems bounds how many problems an error tells.
const maxProblems = 5

// few joins some problems and says how many more there are.
func few(all []error) error {
	if more := len(all) - maxProblems; more > 0 {
		all = append(all[:maxProblems:maxProblems], fmt.Errorf("and %d more like these", more))
	}
	return errors.Join(all...)
}

// shared stands for all documents that agree with the same others.
func (e effective) shared() string {
	if e.Shared != "" {
		return e.Shared
	}
	return string(e.Document)
}

func (l *layers) agree(others, one effective) error {
	if l.language.Agree == nil || others.shared() == one.shared() {
		return nil
	}
	return l.language.Agree(others.Document, one.Document)
}

// combine makes a whole document of the built-in one and layers, lowest first.
func (l *layers) combine(layers ...layer) (e effective, err error) {
	document := l.language.BuiltIn
	for _, next := range layers {
		e.revision = max(e.revision, next.revision)
		if next.document == nil {
			continue
		}
		if document, err = l.language.Merge(document, next.document); err != nil {
			return effective{}, err
		}
	}
	e.Whole, err = l.language.Check(document)
	return e, err
}

// same reports whether both are the same document of the same revision.
func (e effective) same(other effective) bool {
	return e.revision == other.revision && bytes.Equal(e.Document, other.Document)
}
