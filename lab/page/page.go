// Package page writes what programs measured into Markdown pages that people also write in.
//
// In: rows of cells, text, and a page with two marks. Out: an aligned table, and the page with the text between its
// marks. What stands outside the marks is never touched, and a page without them is an error.
package page

import (
	"fmt"
	"os"
	"strings"
)

// Block is the part of a page between two marks, whole lines that stay.
type Block struct{ Begins, Ends string }

// Rewrite replaces the block in a file.
func (b Block) Rewrite(file, text string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("rewrite page: %w", err)
	}
	changed, err := b.Replace(string(page), text)
	if err != nil {
		return fmt.Errorf("rewrite page %s: %w", file, err)
	}
	return os.WriteFile(file, []byte(changed), 0o644)
}

// Read is the text of the block in a file.
func (b Block) Read(file string) (string, error) {
	page, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read page: %w", err)
	}
	_, text, _, err := b.cut(string(page))
	if err != nil {
		return "", fmt.Errorf("read page %s: %w", file, err)
	}
	return text, nil
}

// Replace puts text between the marks of a page.
func (b Block) Replace(page, text string) (string, error) {
	before, _, after, err := b.cut(page)
	if err != nil {
		return "", err
	}
	return before + b.Begins + text + b.Ends + after, nil
}

// cut is what stands before the marks, between them, and after them.
func (b Block) cut(page string) (before, text, after string, err error) {
	before, rest, begins := strings.Cut(page, b.Begins)
	text, after, ends := strings.Cut(rest, b.Ends)
	if !begins || !ends {
		return "", "", "", fmt.Errorf("it has no block between %q and %q", b.Begins, b.Ends)
	}
	return before, text, after, nil
}
