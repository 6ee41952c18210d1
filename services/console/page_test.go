package console

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// outside finds what a browser would load or send elsewhere, or run inline.
var outside = regexp.MustCompile(`(?i)https?://|src\s*=\s*"?//|@import|url\(|<script>|\son[a-z]+\s*=|style\s*=\s*"`)

func TestPageStandsAlone(t *testing.T) {
	r := newRig(t)
	answer, err := http.Get(r.api.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy: %s", policy)
	}
	loads := regexp.MustCompile(`<(?:script|link)[^>]*(?:src|href)="([^"]*)"`).FindAllStringSubmatch(string(page), -1)
	seen := map[string]string{"/": string(page)}
	for _, m := range loads {
		if strings.HasPrefix(m[1], "data:") {
			continue
		}
		status, body := r.get("/" + m[1])
		if status != http.StatusOK {
			t.Errorf("the page loads %s: %d", m[1], status)
		}
		seen[m[1]] = body
	}
	if len(seen) != 3 {
		t.Errorf("the page is %d files", len(seen))
	}
	for name, body := range seen {
		if found := outside.FindAllString(body, -1); found != nil {
			t.Errorf("%s refers to %q", name, found)
		}
	}
	for _, want := range []string{`lang="en"`, `role="status"`, `scope="col"`, `<label for="view">`, `name="color-scheme" content="light dark"`, "<noscript>"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}
