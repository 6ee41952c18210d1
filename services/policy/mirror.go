package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"weir/schemas"
	"weir/services/internal/bus"
)

// mirror makes of what a hub says the edits that make a bucket the same, for the
// keys that concern who asks. Pure.
type mirror struct {
	who    schemas.DesiredQuestion
	token  string            // of the answer that is known; empty: the next one is to be whole
	wanted map[string]string // documents by key; nil: nothing is known yet
	spared map[string]bool   // keys of which the hub said what cannot be: they stay as they are
	seen   map[string]uint64 // revisions in the bucket, as edits left them; nil: not known
}

// question is what to ask next.
func (m *mirror) question() schemas.DesiredQuestion {
	q := m.who
	q.Hash = m.token
	return q
}

// forget makes the next answer a whole one.
func (m *mirror) forget() { m.token = "" }

// take reads an answer. It reports whether there is news in it, and what of it
// is not usable: that is left out. An error says that nothing is.
func (m *mirror) take(data []byte) (news bool, refused []error, err error) {
	var a told
	if err := json.Unmarshal(data, &a); err != nil {
		return false, nil, fmt.Errorf("answer of %d bytes: %w", len(data), err)
	}
	switch {
	case a.Error != "":
		return false, nil, errors.New(a.Error)
	case a.Hash == "" || a.Same == (a.Layers != nil):
		return false, nil, fmt.Errorf("answer %.100q is neither layers nor the word that they are the same", data)
	case a.Same && (m.wanted == nil || contentOf(a.Hash) != contentOf(m.token)):
		return false, nil, fmt.Errorf("answer %q says the same of what was not asked", a.Hash)
	}
	news, m.token = a.Hash != m.token, a.Hash
	if !a.Same {
		refused = m.want(a.Layers)
	}
	return news, refused, nil
}

// want takes over layers, and leaves out what cannot be.
func (m *mirror) want(layers map[string]string) (refused []error) {
	m.wanted, m.spared = map[string]string{}, map[string]bool{}
	for _, key := range slices.SortedFunc(maps.Keys(layers), byLayer) {
		err := CheckKey(key)
		if err == nil && !m.concerns(key) {
			err = fmt.Errorf("policy key %s: it does not concern us", key)
		}
		if err == nil {
			if _, err = schemas.MergeLayers([]byte(layers[key])); err != nil {
				err = fmt.Errorf("policy key %s: %w", key, err)
				m.spared[key] = true
			}
		}
		if err != nil {
			refused = append(refused, err)
			continue
		}
		m.wanted[key] = layers[key]
	}
	return refused
}

// concerns reports whether the hub decides on a key, which is valid.
func (m *mirror) concerns(key string) bool {
	if m.who.Agent == "" {
		return key == DefaultKey || key == RegionKey(m.who.Region) || handedOn(key)
	}
	return slices.Contains(placeOf(m.who).LayersOf(m.who.Agent), key)
}

// edit is something to be done to a bucket.
type edit struct {
	key      string
	document []byte // nil: the key is deleted
	revision uint64 // of what is there; 0: nothing is
	local    bool   // somebody has edited the bucket itself
}

// edits are those that make a bucket what is wanted: what is deleted, highest
// layer first, then the others, lowest first, so that each layer that comes finds
// those below it, and what it is not meant to stand on is gone.
func (m *mirror) edits(bucket []bus.Entry) (all []edit) {
	there := m.concerned(bucket)
	for _, key := range slices.Backward(slices.SortedFunc(maps.Keys(there), byLayer)) {
		if _, wanted := m.wanted[key]; !wanted && !m.spared[key] {
			all = append(all, edit{key, nil, there[key].Revision, m.touched(key, there[key].Revision)})
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(m.wanted), byLayer) {
		e, is := there[key]
		if document := []byte(m.wanted[key]); !is || !bytes.Equal(e.Value, document) {
			all = append(all, edit{key, document, e.Revision, m.touched(key, e.Revision)})
		}
	}
	m.seen = map[string]uint64{}
	for key, e := range there {
		m.seen[key] = e.Revision
	}
	return all
}

// concerned are the entries with documents on which the hub decides, by key.
func (m *mirror) concerned(bucket []bus.Entry) map[string]bus.Entry {
	there := map[string]bus.Entry{}
	for _, e := range bucket {
		if e.Value != nil && CheckKey(e.Key) == nil && m.concerns(e.Key) {
			there[e.Key] = e
		}
	}
	return there
}

// touched reports whether somebody else wrote a key since it was seen.
func (m *mirror) touched(key string, revision uint64) bool {
	return m.seen != nil && m.seen[key] != revision
}

// done remembers an edit; revision is that of the key now, 0 if it is deleted.
func (m *mirror) done(key string, revision uint64) {
	if delete(m.seen, key); revision > 0 {
		m.seen[key] = revision
	}
}
