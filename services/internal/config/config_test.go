package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"weir/services/internal/config"
)

// values are the flags of an imaginary command.
type values struct {
	http   string
	agents int
	rate   float64
	length time.Duration
	loud   bool
	flags  *pflag.FlagSet
}

func newValues() *values {
	v := &values{flags: pflag.NewFlagSet("imaginary", pflag.ContinueOnError)}
	v.flags.StringVar(&v.http, "otlp-http", "default:1", "")
	v.flags.IntVar(&v.agents, "agents", 1, "")
	v.flags.Float64Var(&v.rate, "rate", 10, "")
	v.flags.DurationVar(&v.length, "for", 0, "")
	v.flags.BoolVar(&v.loud, "loud", false, "")
	v.flags.String(config.Flag, "", "")
	return v
}

func (v *values) apply(t *testing.T, args []string, env map[string]string, file string) error {
	t.Helper()
	if file != "" {
		name := filepath.Join(t.TempDir(), "weir.yaml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", name)
	}
	if err := v.flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return config.Apply(v.flags, func(name string) string { return env[name] })
}

func TestPrecedence(t *testing.T) {
	const file = "otlp-http: file:1\n"
	env := map[string]string{"WEIR_OTLP_HTTP": "env:1"}
	args := []string{"--otlp-http", "flag:1"}
	for _, c := range []struct {
		name string
		args []string
		env  map[string]string
		file string
		want string
	}{
		{"nothing", nil, nil, "", "default:1"},
		{"file", nil, nil, file, "file:1"},
		{"env beats file", nil, env, file, "env:1"},
		{"flag beats both", args, env, file, "flag:1"},
		{"flag with the default's value still beats both", []string{"--otlp-http", "default:1"}, env, file, "default:1"},
		{"an empty variable is not set", nil, map[string]string{"WEIR_OTLP_HTTP": ""}, file, "file:1"},
	} {
		v := newValues()
		if err := v.apply(t, c.args, c.env, c.file); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if v.http != c.want {
			t.Errorf("%s: got %s, want %s", c.name, v.http, c.want)
		}
	}
}

func TestFileOfEveryKind(t *testing.T) {
	v := newValues()
	file := "# a comment\notlp-http: \"quoted:1\"\nagents: 4 # four\nrate: 2.5\nfor: 1m30s\nloud: true\n"
	if err := v.apply(t, nil, nil, file); err != nil {
		t.Fatal(err)
	}
	if v.http != "quoted:1" || v.agents != 4 || v.rate != 2.5 || v.length != 90*time.Second || !v.loud {
		t.Errorf("got %+v", v)
	}
	if !v.flags.Changed("agents") {
		t.Error("a flag from the file does not count as given")
	}
}

func TestEmptyFile(t *testing.T) {
	for _, file := range []string{"# nothing\n", "\n", "---\n", "null\n"} {
		if err := newValues().apply(t, nil, nil, file); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
}

func TestConfigFromTheEnvironment(t *testing.T) {
	name := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(name, []byte("agents: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := newValues()
	if err := v.apply(t, nil, map[string]string{"WEIR_CONFIG": name}, ""); err != nil || v.agents != 7 {
		t.Errorf("got %d agents, %v", v.agents, err)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		file string
		want []string
	}{
		{"unknown key", nil, "agents: 2\nagentz: 3\n", []string{"line 2", "agentz"}},
		{"the file itself", nil, "config: other.yaml\n", []string{"config"}},
		{"twice", nil, "agents: 2\nagents: 3\n", []string{"agents", "2"}},
		{"wrong type", nil, "\nagents: many\n", []string{"line 2", "agents", "many"}},
		{"nothing behind a number", nil, "agents:\n", []string{"line 1", "agents"}},
		{"nested", nil, "agents:\n  n: 2\n", []string{"line 1", "agents", "plain"}},
		{"list", nil, "agents: [2]\n", []string{"agents", "plain"}},
		{"not a mapping", nil, "agents\n", []string{"flag: value"}},
		{"no YAML", nil, "agents: [2\n", []string{"read configuration"}},
		{"two documents", nil, "agents: 2\n---\nagents: 3\n", []string{"document"}},
		{"variable", map[string]string{"WEIR_AGENTS": "many"}, "", []string{"WEIR_AGENTS", "many"}},
		{"every error at once", map[string]string{"WEIR_AGENTS": "many", "WEIR_FOR": "ever"}, "", []string{"WEIR_AGENTS", "WEIR_FOR"}},
	} {
		err := newValues().apply(t, nil, c.env, c.file)
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not name %s", c.name, err, want)
			}
		}
	}
	if err := newValues().apply(t, []string{"--config", "/nowhere/at.all"}, nil, ""); err == nil {
		t.Error("a file that is not there was accepted")
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{"agents: 2\n", "a: [1", "? x\n: y\n", "<<: *a\n", "rate: .inf\n", "- 1\n", "agents: !!str 1\n"} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, file string) {
		name := filepath.Join(dir, "weir.yaml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		v := newValues()
		_ = v.flags.Parse([]string{"--config", name})
		if err := config.Apply(v.flags, func(string) string { return "" }); err == nil && v.flags.Lookup(config.Flag).Value.String() != name {
			t.Error("the file changed which file is read")
		}
	})
}
