package main

import (
	"fmt"
	"os"
	"strings"
)

// The marks between which the report stands in a page.
const (
	blockBegins = "<!-- eval: written by make eval -->\n"
	blockEnds   = "<!-- /eval -->\n"
)

// rewritePage replaces the marked block of a page.
func rewritePage(name, text string) error {
	page, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("-write: %w", err)
	}
	changed, err := replaceBlock(string(page), text)
	if err != nil {
		return fmt.Errorf("-write %s: %w", name, err)
	}
	return os.WriteFile(name, []byte(changed), 0o644)
}

// replaceBlock puts text between the marks, which stay.
func replaceBlock(page, text string) (string, error) {
	before, rest, begins := strings.Cut(page, blockBegins)
	_, after, ends := strings.Cut(rest, blockEnds)
	if !begins || !ends {
		return "", fmt.Errorf("the page has no block between %q and %q", blockBegins, blockEnds)
	}
	return before + blockBegins + text + blockEnds + after, nil
}
