package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/schemas"
)

// handout is what a hub hands on: the good documents of its bucket at one moment.
type handout struct {
	layers map[string]layer // by key; what was deleted too, for its revision
	newest uint64           // revision of the newest; 0: the bucket never held a document
	groups uint64           // of the newest of all groups
	below  uint64           // of the newest of all groups and agents, which every region hands on
	sheets map[string]sheet // that many askers get, by what they hold
}

// sheet is an answer as it is sent to who has another one.
type sheet struct {
	token string
	data  []byte
}

func newHandout(layers map[string]layer) *handout {
	h := &handout{layers: layers, sheets: map[string]sheet{}}
	for key, l := range layers {
		h.newest = max(h.newest, l.revision)
		if strings.HasPrefix(key, groupPrefix) {
			h.groups = max(h.groups, l.revision)
		}
		if handedOn(key) {
			h.below = max(h.below, l.revision)
		}
	}
	return h
}

// handedOn says whether every region gets a key, because any of its agents may
// need it.
func handedOn(key string) bool {
	return strings.HasPrefix(key, groupPrefix) || strings.HasPrefix(key, agentPrefix)
}

// revision is that of the newest layer that concerns who asks.
func (h *handout) revision(q schemas.DesiredQuestion) (newest uint64) {
	if q.Agent == "" {
		return max(h.below, h.layers[DefaultKey].revision, h.layers[RegionKey(q.Region)].revision)
	}
	for _, key := range placeOf(q).LayersOf(q.Agent) {
		newest = max(newest, h.layers[key].revision)
	}
	return newest
}

func placeOf(q schemas.DesiredQuestion) Place { return Place{Region: q.Region, Group: q.Group} }

// answer is what who asks gets: the layers, or that they are those it has.
func (h *handout) answer(q schemas.DesiredQuestion) []byte {
	keys := h.keys(q)
	whose := strings.Join(keys, " ")
	s, known := h.sheets[whose]
	if !known {
		s = h.sheet(h.revision(q), keys)
	}
	if q.Agent == "" || h.layers[AgentKey(q.Agent)].document == nil { // else nobody gets the same
		h.sheets[whose] = s
	}
	if contentOf(q.Hash) == contentOf(s.token) {
		return fmt.Appendf(nil, `{"hash":%q,"same":true}`, s.token)
	}
	return s.data
}

// keys are those that concern who asks, of what is there or was.
func (h *handout) keys(q schemas.DesiredQuestion) (keys []string) {
	if q.Agent != "" {
		keys = placeOf(q).LayersOf(q.Agent)
		return slices.DeleteFunc(keys, func(k string) bool { _, is := h.layers[k]; return !is })
	}
	for key := range h.layers {
		if key == DefaultKey || key == RegionKey(q.Region) || handedOn(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, byLayer)
	return keys
}

// sheet writes an answer, as schemas.DesiredAnswer has it.
func (h *handout) sheet(revision uint64, keys []string) sheet {
	held := map[string]string{}
	for _, key := range keys {
		if document := h.layers[key].document; document != nil {
			held[key] = string(document)
		}
	}
	var layers bytes.Buffer
	e := json.NewEncoder(&layers)
	e.SetEscapeHTML(false)
	if err := e.Encode(held); err != nil {
		panic(fmt.Sprintf("BUG: encode layers: %v", err)) // strings always can be
	}
	token := fmt.Sprintf("%d-%016x", revision, schemas.Hash(layers.Bytes()))
	return sheet{token, fmt.Appendf(nil, `{"hash":%q,"layers":%s}`, token, layers.Bytes())}
}

// A token names an answer: the revision of the newest layer that concerned who
// asked, and a hash of what it was told.

// revisionOf is the revision of a token; 0 of anything else.
func revisionOf(token string) uint64 {
	revision, _, _ := strings.Cut(token, "-")
	n, err := strconv.ParseUint(revision, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// contentOf is the hash of a token.
func contentOf(token string) string {
	_, hash, _ := strings.Cut(token, "-")
	return hash
}
