package users

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// hash is a cheap one: the least cost.
func hash(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// write writes a users file and returns its name.
func write(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func load(t testing.TB, text string) *Users {
	t.Helper()
	u, _, err := Load(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestFile(t *testing.T) {
	h := hash(t, "secret")
	want := []User{
		{Name: "pump-1", Hash: h, Tenant: "acme", Device: "pump-1"},
		{Name: "acme.gateway@site", Hash: h, Tenant: "acme"},
		{Name: "007", Hash: h, Tenant: "42", Device: "007"},
		{Name: "link-a001", Hash: h, Link: "a001", Region: "r01"},
		{Name: "link-r01", Hash: h, Link: "r01", Region: "center"},
	}
	for name, text := range map[string]string{
		"YAML": `# who may connect
- name: pump-1
  password: HASH
  tenant: acme
  device: pump-1
- {name: acme.gateway@site, password: "HASH", tenant: acme}
- {name: 007, password: HASH, tenant: 42, device: 007}
- {name: link-a001, password: HASH, agent: a001, region: r01}
- {name: link-r01, password: HASH, gateway: r01}
`,
		"JSON": `[
 {"name": "pump-1", "password": "HASH", "tenant": "acme", "device": "pump-1"},
 {"name": "acme.gateway@site", "password": "HASH", "tenant": "acme"},
 {"name": "007", "password": "HASH", "tenant": "42", "device": "007"},
 {"name": "link-a001", "password": "HASH", "agent": "a001", "region": "r01"},
 {"name": "link-r01", "password": "HASH", "gateway": "r01"}
]`,
	} {
		u, warnings, err := Load(write(t, strings.ReplaceAll(text, "HASH", h)))
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v, warnings %v", name, err, warnings)
		}
		if got := u.List(); !slices.Equal(got, want) {
			t.Errorf("%s: got %+v\nwant %+v", name, got, want)
		}
		if !u.Names("acme", "pump-1") || u.Names("acme", "007") || u.Names("acme", "") {
			t.Errorf("%s: the devices that it names are not those", name)
		}
	}
}

// Every mistake is refused, and named with its line; what is secret is not told.
func TestMistakes(t *testing.T) {
	h := hash(t, "secret")
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "no users in it"},
		{"only a comment", "# nobody\n", "no users in it"},
		{"an empty list", "[]", "no users in it"},
		{"no list", "name: x", "want one list"},
		{"two documents", "- {name: a, password: HASH}\n---\n- {name: b, password: HASH}\n", "want one list"},
		{"no YAML", "- {name: a, password: HASH", "[1:3]"},
		{"text", "- pump-1\n", "line 1: want fields"},
		{"no name", "- {password: HASH}\n", "line 1: an entry without a name"},
		{"bad name", "- {name: 'a b', password: HASH}\n", `line 1: user name "a b"`},
		{"reserved name", "- {name: operator, password: HASH}\n", "the server's own"},
		{"unknown field", "- {name: a, password: HASH}\n- name: b\n  password: HASH\n  tennant: x\n", `line 2: user "b": "tennant" is not a field`},
		{"field twice", "- name: a\n  name: b\n", "[2:3]"},
		{"name twice", "- {name: a, password: HASH}\n- {name: b, password: HASH}\n- {name: a, password: HASH}\n", `line 3: user "a" is there twice, first in line 1`},
		{"a list", "- {name: a, password: HASH, tenant: [x, y]}\n", "line 1: tenant: want one plain value"},
		{"an alias", "- &x {name: a, password: HASH}\n- *x\n", "line 2: want fields"},
		{"no password", "- {name: a, tenant: t}\n", "htpasswd -nBC 10 a"},
		{"plain password", "- {name: a, password: hunter2, tenant: t}\n", "htpasswd -nBC 10 a"},
		{"mosquitto_passwd", "- {name: a, password: '$7$101$hunter2$hunter2', tenant: t}\n", "not a bcrypt hash"},
		{"cut hash", "- {name: a, password: '" + h[:59] + "', tenant: t}\n", "not a bcrypt hash"},
		{"cost", "- {name: a, password: $2a$20$" + h[7:] + ", tenant: t}\n", "bcrypt cost 20"},
		{"empty tenant", "- {name: a, password: HASH, tenant: }\n", "tenant is empty"},
		{"bad tenant", "- {name: a, password: HASH, tenant: '*'}\n", `tenant name "*"`},
		{"bad device", "- {name: a, password: HASH, tenant: t, device: a.b}\n", `device name "a.b"`},
		{"device alone", "- {name: a, password: HASH, device: d}\n", "without a tenant"},
		{"two things", "- {name: a, password: HASH, tenant: t, agent: a1, region: r1}\n", "an entry is for one thing"},
		{"agent and gateway", "- {name: a, password: HASH, agent: a1, gateway: r1}\n", "an entry is for one thing"},
		{"no region", "- {name: a, password: HASH, agent: a1}\n", "belong together"},
		{"no agent", "- {name: a, password: HASH, region: r1}\n", "belong together"},
		{"center", "- {name: a, password: HASH, gateway: center}\n", "reserved"},
		{"bad agent", "- {name: a, password: HASH, agent: '>', region: r1}\n", `agent name ">"`},
	} {
		_, _, err := Load(write(t, strings.ReplaceAll(c.text, "HASH", h)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), h[7:20]) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: the error tells a secret: %v", c.name, err)
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, _, err := Load(write(t, strings.Repeat("- {name: a, password: plain}\n", 50)))
	if err == nil || strings.Count(err.Error(), "line ") != maxErrors || !strings.Contains(err.Error(), "line 20:") || !strings.Contains(err.Error(), "and 30 more") {
		t.Errorf("got %v", err)
	}
}

func TestWarnings(t *testing.T) {
	h := hash(t, "x")
	name := write(t, "- {name: all, password: "+h+"}\n- {name: slow, password: $2a$12$"+h[7:]+", tenant: t}\n")
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	_, warnings, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(warnings, "\n")
	for _, want := range []string{"chmod 600", `line 1: user "all" may speak for every device`, `line 2: user "slow": bcrypt cost 12`} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning %q in %s", want, all)
		}
	}
	if err := os.Chmod(name, 0o620); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(name); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others may write: %v", err)
	}
	if _, _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file, and no error")
	}
}

// FuzzFile: no file makes the parser panic, and what it takes is well formed.
func FuzzFile(f *testing.F) {
	h := hash(f, "secret")
	for _, seed := range []string{
		"- {name: a, password: " + h + ", tenant: t, device: d}\n",
		"- name: a\n  password: " + h + "\n  agent: a1\n  region: r1\n",
		`[{"name":"a","password":"` + h + `","gateway":"r1"}]`,
		"- &x {name: a}\n- <<: *x\n", "- ? [a]\n  : b\n", "- {name: !!binary aGk=}\n", "%YAML 1.2\n---\n- a: |\n   b\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, _, err := parse(data)
		if err != nil {
			return
		}
		for _, u := range list {
			if !goodName.MatchString(u.Name) || len(u.Hash) != 60 || u.Device != "" && u.Tenant == "" || (u.Link == "") != (u.Region == "") {
				t.Errorf("taken: %+v", u)
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	h := hash(b, "secret")
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "- {name: pump-%05d, password: %s, tenant: acme, device: pump-%05d}\n", i, h, i)
	}
	name := write(b, text.String())
	for b.Loop() {
		if _, _, err := Load(name); err != nil {
			b.Fatal(err)
		}
	}
}

// The example of the reference loads, and its password is the one that is used
// there.
func TestDocumentedFile(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/users.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	u := load(t, example)
	if g, err := u.Authenticate(attempt("pump-1", "secret")); err != nil || g.Tenant != "acme" || g.Device != "pump-1" || len(u.List()) != 4 {
		t.Errorf("%+v, %v, users %v", g, err, u.List())
	}
	for _, field := range allFields {
		if !strings.Contains(string(doc), "`"+field+"`") {
			t.Errorf("the reference does not explain %s", field)
		}
	}
}
