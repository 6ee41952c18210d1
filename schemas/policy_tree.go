package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// Bounds of a policy document, checked before it is parsed and while it is.
const (
	MaxPolicySize  = 256 << 10 // bytes
	maxPolicyDepth = 16        // objects and arrays in each other
)

// MergeLayers merges layers of policy, the lowest first, as RFC 7396 says:
// objects merge, null removes, everything else replaces, arrays whole. Nil
// layers count as empty. The result has sorted keys and no null in objects.
// Layers are checked for syntax and size, and errors do not say which it was;
// ParsePolicy checks the result.
func MergeLayers(layers ...[]byte) ([]byte, error) {
	merged := map[string]any{}
	for _, layer := range layers {
		if layer == nil {
			continue
		}
		tree, err := parseTree(layer)
		if err != nil {
			return nil, err
		}
		merged = mergePatch(merged, tree)
	}
	return json.Marshal(merged)
}

// mergePatch is MergePatch of RFC 7396 section 2, for patches that are objects.
func mergePatch(target any, patch map[string]any) map[string]any {
	out := map[string]any{}
	if object, ok := target.(map[string]any); ok {
		maps.Copy(out, object)
	}
	for key, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(out, key)
		case map[string]any:
			out[key] = mergePatch(out[key], v)
		default:
			out[key] = v
		}
	}
	return out
}

// parseTree parses a document: an object of string, json.Number, bool, nil,
// []any and map[string]any. It refuses what would be read in two ways.
func parseTree(document []byte) (map[string]any, error) {
	refuse := func(format string, args ...any) error {
		return &PolicyError{[]Problem{{Want: fmt.Sprintf(format, args...)}}}
	}
	if len(document) > MaxPolicySize {
		return nil, refuse("%d bytes: a policy document may have %d", len(document), MaxPolicySize)
	}
	if !utf8.Valid(document) {
		return nil, refuse("it is not UTF-8")
	}
	p := treeParser{dec: json.NewDecoder(bytes.NewReader(document))}
	p.dec.UseNumber()
	tree, err := p.value("", 1)
	if err == nil {
		if _, more := p.dec.Token(); more != io.EOF {
			err = errors.New("something follows the document")
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the document ends early")
	}
	if err != nil {
		line, column := position(document, p.dec.InputOffset())
		return nil, refuse("JSON near line %d, column %d: %v", line, column, err)
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return nil, refuse("it is %s, want an object such as {\"idle\": \"2s\"}", short(tree))
	}
	return object, asError(p.problems)
}

// position is an offset for people, from 1.
func position(document []byte, offset int64) (line, column int) {
	before := document[:min(int(offset), len(document))]
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

type treeParser struct {
	dec      *json.Decoder
	problems []Problem // duplicate keys
}

func (p *treeParser) value(path string, depth int) (any, error) {
	token, err := p.dec.Token()
	delim, nested := token.(json.Delim)
	switch {
	case err != nil || !nested:
		return token, err
	case depth > maxPolicyDepth:
		return nil, fmt.Errorf("%s is nested deeper than %d objects and arrays", path, maxPolicyDepth)
	case delim == '[':
		return p.array(path, depth)
	}
	return p.object(path, depth)
}

func (p *treeParser) array(path string, depth int) (any, error) {
	out := []any{}
	for p.dec.More() {
		v, err := p.value(fmt.Sprintf("%s[%d]", path, len(out)), depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := p.dec.Token()
	return out, err
}

func (p *treeParser) object(path string, depth int) (any, error) {
	out := map[string]any{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return nil, err
		}
		key := token.(string) // the decoder takes nothing else here
		v, err := p.value(join(path, key), depth+1)
		if err != nil {
			return nil, err
		}
		if _, twice := out[key]; twice {
			p.problems = append(p.problems, Problem{Path: join(path, key), Want: "it stands there twice: keep one"})
		}
		out[key] = v
	}
	_, err := p.dec.Token()
	return out, err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
