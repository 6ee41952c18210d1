package main

import (
	"strings"
	"testing"
)

func TestPlaces(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"after a message was sent":     {"c <- 1", "c <- 1; P"},
		"after one came":               {"x := <-c", "x := <-c; P"},
		"after a lock was given back":  {"mu.Unlock()", "mu.Unlock(); P"},
		"though that is deferred":      {"defer mu.Unlock()", "defer P;defer mu.Unlock()"},
		"after the first of two":       {"close(c); x++", "close(c); P; x++"},
		"where a goroutine starts":     {"go func() { x++ }()", "go func() {P; x++ }(); P"},
		"where a group starts one":     {"wg.Go(func() { x++ })", "wg.Go(func() {P; x++ }); P"},
		"in both branches":             {"if err := f.Close(); err != nil { x++ }; x--", "if err := f.Close(); err != nil {P; x++ }; P; x--"},
		"in a case of select":          {"select { case <-c: x++; default: x-- }", "select { case <-c:P; x++; default: x-- }"},
		"in a loop over a channel":     {"for range c { x++ }", "for range c {P; x++ }"},
		"in a case of switch":          {"switch { case b: close(c) }", "switch { case b: close(c); P }"},
		"nowhere else":                 {"x = f(y); for i := 0; i < x; i++ { y[i]-- }", "x = f(y); for i := 0; i < x; i++ { y[i]-- }"},
		"not after the end":            {"if s.Load() { return 1 } else { return 2 }", "if s.Load() {P; return 1 } else { return 2 }"},
		"not where a function is made": {"f := func() { x++ }", "f := func() { x++ }"},
	} {
		if got := shaken(t, "func f() {"+c.body+"}"); got != "func f() {"+c.want+"}" {
			t.Errorf("%s: got\n%s, want\n%s", name, got, c.want)
		}
	}
}

// A function that begins a goroutine somewhere pauses first.
func TestNamedGoroutine(t *testing.T) {
	const in, want = "func g() { go s.run() };func (s *S) run() { x++ }", "func g() { go s.run(); P };func (s *S) run() {P; x++ }"
	if got := shaken(t, in); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestPlacesHaveNumbers(t *testing.T) {
	a, err := parse("a.go", []byte("package a\n\nfunc f() { close(c) }\n"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := parse("b.go", []byte("package b // of its own\n\nfunc f() {\n\tclose(c)\n\tclose(d)\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	texts := shake([]*source{a, b})
	const importing = `; import shaken "weir/lab/shake/pause"`
	if got, want := string(texts[0]), "package a"+importing+"\n\nfunc f() { close(c); shaken.At(0) }\n"; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if got, want := string(texts[1]), "package b"+importing+" // of its own\n\nfunc f() {\n\tclose(c); shaken.At(1)\n\tclose(d); shaken.At(2)\n}\n"; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

// What the sources of the product become is Go, and pauses in many places.
func TestProductIsShaken(t *testing.T) {
	sources, err := readSources([]string{"../../services", "../../simulator"})
	if err != nil {
		t.Fatal(err)
	}
	places := 0
	for i, text := range shake(sources) {
		if _, err := parse(sources[i].name, text); err != nil {
			t.Error(err)
		}
		places += strings.Count(string(text), "shaken.At(")
	}
	if places < 1000 {
		t.Errorf("%d places", places)
	}
}

// shaken is what becomes of declarations, with P for each pause.
func shaken(t *testing.T, declarations string) string {
	t.Helper()
	const head = "package p\n"
	s, err := parse("p.go", []byte(head+declarations))
	if err != nil {
		t.Fatal(err)
	}
	text := string(shake([]*source{s})[0])
	_, text, _ = strings.Cut(text, "\n")
	for i := range 9 {
		text = strings.ReplaceAll(text, "shaken.At("+string(rune('0'+i))+")", "P")
	}
	return text
}
