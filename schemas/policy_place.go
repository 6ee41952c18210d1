package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// RulesOf are the rules that a layer of policy brings; nil where it has none, or
// where they are not what they must be, which ParsePolicy says.
func RulesOf(layer []byte) ItemRules {
	tree, err := parseTree(layer)
	if err != nil || tree["rules"] == nil {
		return nil
	}
	var b binder
	var all ItemRules
	b.itemRules("rules", tree["rules"], &all)
	if len(b.problems) > 0 {
		return nil
	}
	return all
}

// PlaceOf is where in a document a character of a text stands: the text at a path such
// as rules[0].statements[1], the character by line and column in the text. All lines
// and columns count from 1, in characters.
func PlaceOf(document []byte, path string, line, column int) (inLine, inColumn int, found bool) {
	s := seeker{dec: json.NewDecoder(bytes.NewReader(document)), document: document, path: path}
	s.dec.UseNumber()
	if s.value("") != nil || s.start == 0 || document[s.start] != '"' {
		return 0, 0, false
	}
	inLine, inColumn = position(document, int64(s.start+literalOffset(document[s.start:], line, column)))
	return inLine, inColumn, true
}

// seeker walks a document up to the value at a path.
type seeker struct {
	dec      *json.Decoder
	document []byte
	path     string
	start    int // of the value; 0: it is the document, or not found yet
}

func (s *seeker) value(path string) error {
	if path == s.path {
		s.start = s.next()
		return nil
	}
	token, err := s.dec.Token()
	if delim, nested := token.(json.Delim); err == nil && nested {
		err = s.members(path, delim)
	}
	return err
}

// members walks those of an object or array that has begun, unless the value cannot
// be in it.
func (s *seeker) members(path string, opened json.Delim) error {
	for i := 0; s.dec.More(); i++ {
		member := fmt.Sprintf("%s[%d]", path, i)
		if opened == '{' {
			key, err := s.dec.Token()
			if err != nil {
				return err
			}
			member = join(path, fmt.Sprint(key))
		}
		if err := s.value(member); err != nil || s.start > 0 {
			return err
		}
	}
	_, err := s.dec.Token()
	return err
}

// next is where the next value begins.
func (s *seeker) next() int {
	at := int(s.dec.InputOffset())
	return at + len(s.document[at:]) - len(bytes.TrimLeft(s.document[at:], " \t\r\n:,"))
}

// literalOffset is where a character of a text is in the JSON literal of the text.
func literalOffset(literal []byte, line, column int) int {
	at, l, c := 1, 1, 1
	for at < len(literal) && literal[at] != '"' && (l < line || l == line && c < column) {
		r, n := literalRune(literal[at:])
		at, c = at+n, c+1
		if r == '\n' {
			l, c = l+1, 1
		}
	}
	return at
}

// literalRune is the first character of the rest of a JSON literal and how many bytes
// it takes there.
func literalRune(rest []byte) (r rune, bytes int) {
	if rest[0] != '\\' || len(rest) < 2 {
		return utf8.DecodeRune(rest)
	}
	if rest[1] != 'u' {
		r = rune(rest[1])
		if i := strings.IndexByte("nrtbf", rest[1]); i >= 0 {
			r = rune("\n\r\t\b\f"[i])
		}
		return r, 2
	}
	r = escaped(rest)
	if utf16.IsSurrogate(r) && len(rest) >= 12 {
		return utf16.DecodeRune(r, escaped(rest[6:])), 12
	}
	return r, min(6, len(rest))
}

// escaped is the character of an escape \uXXXX.
func escaped(b []byte) (r rune) {
	if len(b) < 6 {
		return utf8.RuneError
	}
	_, _ = fmt.Sscanf(string(b[2:6]), "%x", &r) // four digits, or JSON would not have been taken
	return r
}
