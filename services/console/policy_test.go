package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"weir/schemas"
	"weir/services/internal/bus"
)

// testLanguage knows flat documents whose field "size" is a number.
var testLanguage = Language{
	BuiltIn: []byte(`{"size":10}`),
	Merge: func(document, layer []byte) ([]byte, error) {
		var below, above map[string]any
		if err := json.Unmarshal(document, &below); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(layer, &above); err != nil {
			return nil, fmt.Errorf("document: %w", err)
		}
		maps.Copy(below, above)
		return json.Marshal(below)
	},
	Check: func(document []byte) ([]byte, error) {
		var d struct {
			Size *float64 `json:"size"`
		}
		if err := json.Unmarshal(document, &d); err != nil || d.Size == nil || *d.Size <= 0 {
			return nil, fmt.Errorf("size: use a number above 0")
		}
		return bytes.Replace(document, []byte("}"), []byte(`,"written_out":true}`), 1), nil
	},
	CheckKey: func(key string) error {
		if key == defaultKey || strings.HasPrefix(key, "agent.") && schemas.ValidName(strings.TrimPrefix(key, "agent.")) {
			return nil
		}
		return fmt.Errorf("policy key %.100q: use default or agent.NAME", key)
	},
	Layers: func(key string) []string {
		if key == defaultKey {
			return []string{key}
		}
		return []string{defaultKey, key}
	},
}

// TestCopyIsNotSet: where the tier above decides, nothing is stored.
func TestCopyIsNotSet(t *testing.T) {
	r := newRig(t)
	r.service.cfg.Policy.Copy = true
	if status, answer := r.put("/api/v1/policy/default", bus.UserOperator, "secret", `{"size":20}`); status != http.StatusBadRequest || !strings.Contains(answer, "center") {
		t.Errorf("%d %s", status, answer)
	}
}

func (r *rig) put(path, user, password, body string) (status int, answer string) {
	r.t.Helper()
	q, err := http.NewRequest(http.MethodPut, r.api.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if user != "" {
		q.SetBasicAuth(user, password)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

func TestPolicy(t *testing.T) {
	r := newRig(t)
	expect := func(what, got, want string) {
		t.Helper()
		if got := strings.Join(strings.Fields(got), ""); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	_, body := r.get("/api/v1/policy")
	expect("nothing stored", body, `{"size":10,"written_out":true}`)
	if status, _ := r.get("/api/v1/policy/default"); status != http.StatusNotFound {
		t.Errorf("nothing stored: status %d", status)
	}
	_, body = r.put("/api/v1/policy/default", bus.UserOperator, "secret", `{"idle":2}`)
	expect("the first", body, `{"key":"default","revision":1}`)
	_, body = r.put("/api/v1/policy/agent.a1", bus.UserOperator, "secret", `{"size":5}`)
	expect("the second", body, `{"key":"agent.a1","revision":2}`)
	_, body = r.get("/api/v1/policy/agent.a1")
	expect("as stored", body, `{"size":5}`)
	_, body = r.get("/api/v1/policy?key=agent.a1")
	expect("as it works out", body, `{"idle":2,"size":5,"written_out":true}`)
	_, body = r.get("/api/v1/policy")
	expect("the default", body, `{"idle":2,"size":10,"written_out":true}`)
}

func TestPolicyRefuses(t *testing.T) {
	r := newRig(t)
	const path = "/api/v1/policy/default"
	for _, c := range []struct {
		name, path, user, password, body string
		status                           int
		says                             string
	}{
		{"nobody", path, "", "", `{"size":1}`, http.StatusUnauthorized, "operator.json"},
		{"a wrong password", path, bus.UserOperator, "guess", `{"size":1}`, http.StatusUnauthorized, "password"},
		{"another user", path, "anon", "secret", `{"size":1}`, http.StatusUnauthorized, "password"},
		{"an invalid value", path, bus.UserOperator, "secret", `{"size":-1}`, http.StatusUnprocessableEntity, "size: use a number above 0"},
		{"no JSON", path, bus.UserOperator, "secret", `size: 1`, http.StatusUnprocessableEntity, "document"},
		{"an unknown key", "/api/v1/policy/region.r1", bus.UserOperator, "secret", `{"size":1}`, http.StatusBadRequest, "use default or agent.NAME"},
		{"a bad agent", "/api/v1/policy/agent.%2e%2e", bus.UserOperator, "secret", `{"size":1}`, http.StatusBadRequest, "agent.NAME"},
		{"too much", path, bus.UserOperator, "secret", strings.Repeat(" ", maxDocument+1), http.StatusBadRequest, "too large"},
	} {
		if status, body := r.put(c.path, c.user, c.password, c.body); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s, want %d and %q", c.name, status, body, c.status, c.says)
		}
	}
	if status, _ := r.get(path); status != http.StatusNotFound {
		t.Errorf("something was stored all the same: status %d", status)
	}
}
