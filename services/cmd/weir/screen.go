package main

import (
	"io"
	"os"
	"regexp"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"
)

// screen is where messages for people go: whole texts one after the other and,
// on a terminal, one line below them that is rewritten. It is safe for
// concurrent use.
type screen struct {
	mu    sync.Mutex
	out   io.Writer
	width func() int // columns of the terminal; 0: not a terminal
	line  string
}

// newScreen writes to out. It is a terminal if out is one that can rewrite.
func newScreen(out io.Writer) *screen {
	s := &screen{out: out, width: func() int { return 0 }}
	f, ok := out.(*os.File)
	if ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		s.width = func() int {
			columns, _, err := term.GetSize(int(f.Fd()))
			if err != nil || columns < 1 {
				return 80
			}
			return columns
		}
	}
	return s
}

func (s *screen) terminal() bool { return s.width() > 0 }

// clearLine goes to the start of the terminal's line and empties it.
const clearLine = "\r\x1b[K"

// Write writes a text, which ends with a new line, above the rewritten line.
func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" {
		return s.out.Write(text)
	}
	if _, err := io.WriteString(s.out, clearLine); err != nil {
		return 0, err
	}
	n, err := s.out.Write(text)
	if err == nil {
		err = s.draw()
	}
	return n, err
}

// show rewrites the line; "" takes it away. What is not a terminal gets each
// line as a text.
func (s *screen) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal() {
		s.line = line
		_ = s.draw() // a terminal that went away shows nothing, and need not
	} else if line != "" {
		_, _ = io.WriteString(s.out, line+"\n")
	}
}

func (s *screen) draw() error {
	_, err := io.WriteString(s.out, clearLine+cut(s.line, s.width()-1))
	return err
}

// leave keeps the last line where it is, and what is written next goes below.
func (s *screen) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != "" {
		s.line = ""
		_, _ = io.WriteString(s.out, "\n")
	}
}

// aside is what stands in parentheses.
var aside = regexp.MustCompile(` \([^)]*\)`)

// cut shortens a line to so many columns: a longer one would not be rewritten
// but repeated. Asides go first, then the middle: what matters most is at both
// ends.
func cut(line string, columns int) string {
	if utf8.RuneCountInString(line) > columns {
		line = aside.ReplaceAllString(line, "")
	}
	r := []rune(line)
	if len(r) <= columns {
		return line
	}
	last := min(2*columns/5, len(r))
	first := max(columns-last-1, 0)
	return string(r[:first]) + "…" + string(r[len(r)-last:])
}
