package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var block = Block{Begins: "<!-- a -->\n", Ends: "<!-- /a -->\n"}

// TestRewrite: what is between the marks is replaced, twice alike, and nothing else.
func TestRewrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	before := "before\n" + block.Begins + "old\n" + block.Ends + "after\n"
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := block.Rewrite(file, "new\n"); err != nil {
			t.Fatal(err)
		}
		if text, err := block.Read(file); text != "new\n" || err != nil {
			t.Fatalf("the block is %q, %v", text, err)
		}
		got, err := os.ReadFile(file)
		if want := strings.Replace(before, "old", "new", 1); err != nil || string(got) != want {
			t.Fatalf("got %q, %v, wanted %q", got, err, want)
		}
	}
	other := Block{Begins: "<!-- b -->\n", Ends: "<!-- /b -->\n"}
	if err := other.Rewrite(file, "x"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a block that is not there: %v, wanted an error that names the page", err)
	}
	if _, err := other.Read(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a block that is not there: %v, wanted an error that names the page", err)
	}
}

func TestReplaceBroken(t *testing.T) {
	for _, broken := range []string{"", block.Begins, block.Ends, block.Ends + block.Begins} {
		if _, err := block.Replace(broken, "new\n"); err == nil {
			t.Errorf("the page %q gave no error", broken)
		}
	}
}

func TestTable(t *testing.T) {
	got := Table([][]string{{"what", "µs"}, {"a", "1,000"}})
	want := "| what |    µs |\n|------|------:|\n| a    | 1,000 |\n"
	if got != want {
		t.Errorf("got\n%swanted\n%s", got, want)
	}
}
