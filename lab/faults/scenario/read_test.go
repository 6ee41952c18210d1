package scenario

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// every is a file that uses every field.
const every = `
about: Everything at once.
sets: [pr, night]
duration: 40s
build: clock
topology:
  regions: {north: [a001, a002], south: [a003]}
  gateways: 1
  limits: {agents: {cpu: 0.5, memory: 128MB}}
  durability: {agents: durable, gateways: fast}
  links: tls
  network: namespaces
  volumes: {agents: 256MB, center: 64MB}
policy: {window: 1s, lateness: 8s, idle: 2s}
load:
  - {agents: [a001], devices: 30, rate: 4, from: 5s, for: 20s, batch: 2, protocol: mqtt, qos: 1, pattern: burst, late: 1, too_late: 0.5, reorder: 2, duplicate: 2, future: 0.5, malformed: 1}
faults:
  - {kind: kill, targets: [all], count: 10, between: [2s, 30s], again: 50}
  - {kind: cut, targets: [a001, south], at: [3s], for: [2s, 5s], every: true}
  - {kind: delay, targets: [a002], at: [1s], for: [30s], latency: 100ms, jitter: 20ms}
  - {kind: throttle, targets: [a003], at: [1s], for: [30s], rate: 16000}
  - {kind: step, targets: [a001], at: [9s], to: 1970}
  - {kind: step, targets: [a002], at: [9s], step: 25h, for: [5s]}
  - {kind: repeat, targets: [north], at: [2s], for: [20s], percent: 30}
  - {kind: deaf, targets: [a001], at: [12s], for: [20s], side: devices}
  - {kind: wipe, targets: [a001], at: [30s]}
end: {drain: 30s, rise: 10, verify: 60s, ready: 5s, caps: {rss: {agents: 128}, disk: 200, files: 30, goroutines: {agents: 200}, cores: {agents: 0.1}}, allow: ['no space left']}
`

func TestReadTakesEveryField(t *testing.T) {
	s, err := Read("lab/every.yaml", []byte(every))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "every" || len(s.Faults) != 9 || s.Topology.Volume("a003") != 256<<20 || s.Topology.Volume("north") != 0 || s.End.Caps.RSS["regions"] != 300 {
		t.Errorf("read %+v", s)
	}
	if cores, memory := s.Topology.Limit("a002"); cores != 0.5 || memory != 128<<20 {
		t.Errorf("a002 may have %g cores and %d bytes", cores, memory)
	}
	if cores, memory := s.Topology.Limit("south"); cores != 0 || memory != 0 {
		t.Errorf("south may have %g cores and %d bytes, wanted no limits", cores, memory)
	}
}

func TestRangesOfNames(t *testing.T) {
	s, err := Read("many.yaml", []byte("duration: 9s\ntopology: {regions: {north: [a08..a11, b], south: [c1..c3]}}\nload: [{devices: 3, rate: 2}]"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Topology.Agents(), []string{"a08", "a09", "a10", "a11", "b", "c1", "c2", "c3"}; !slices.Equal(got, want) {
		t.Errorf("agents %q, wanted %q", got, want)
	}
	if err := s.AtMost(4); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Topology.Agents(), []string{"a08", "a09", "c1", "c2"}; !slices.Equal(got, want) {
		t.Errorf("at most four agents are %q, wanted %q", got, want)
	}
	s.Load[0].Agents = []string{"c2"}
	if err := s.AtMost(2); err == nil || !strings.Contains(err.Error(), "c2 is none of") {
		t.Errorf("devices of an agent that is gone: %v", err)
	}
	for _, no := range []string{"a5..a3", "a1..b3", "a1..a03", "..", "a..b"} {
		if got := expandRanges([]string{no}); !slices.Equal(got, []string{no}) {
			t.Errorf("%q gives %q", no, got)
		}
	}
}

func TestHighestRate(t *testing.T) {
	s, err := Read("two.yaml", []byte("duration: 9s\ntopology: {regions: {north: [a, b]}}\nload: [{devices: 3, rate: 2}, {agents: [b], devices: 5, rate: 1}]"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.HighestRate(); got != 11 {
		t.Errorf("the highest rate is %g, wanted the 6 of all and the 5 of b", got)
	}
}

func TestReadSaysWhatIsWrongAndWhere(t *testing.T) {
	change := func(old, new string) string {
		if !strings.Contains(every, old) {
			t.Fatalf("the example has no %q", old)
		}
		return strings.Replace(every, old, new, 1)
	}
	for _, c := range []struct{ name, text, want string }{
		{"unknown field", change("about:", "abuot:"), "[2:1]"},
		{"unknown field of a fault", change("again: 50", "agian: 50"), "[18:"},
		{"wrong type", change("count: 10", "count: ten"), "[18:"},
		{"no YAML", change("kind: cut", "kind: [cut"), "["},
		{"unknown fault", change("kind: cut", "kind: snip"), `every.yaml:19:12 faults[1].kind: "snip"`},
		{"unknown target", change("targets: [a002], at: [1s]", "targets: [a009], at: [1s]"), ":20:28 faults[2].targets: a009 is none of"},
		{"link of the center", change("targets: [a001, south]", "targets: [center]"), "the center has no link up"},
		{"fault without an end", change(", for: [2s, 5s]", ""), "say for how long"},
		{"fault that does not last", change("count: 10,", "count: 10, for: [2s],"), "kill does not last"},
		{"both times and a count", change("count: 10,", "count: 10, at: [1s],"), "say either at which times or how often"},
		{"beyond the duration", change("at: [3s]", "at: [41s]"), "41s is not within the duration"},
		{"setting of another kind", change("rate: 16000", "rate: 16000, percent: 3"), "throttle has no percent"},
		{"no volume", change("{kind: kill, targets: [all], count: 10, between: [2s, 30s], again: 50}", "{kind: power, targets: [south], at: [2s]}"), "south has no volume of its own"},
		{"size of a volume", change("64MB", "64GB"), "use whole megabytes"},
		{"limit of memory", change("128MB}", "128}"), `memory: "128": use whole megabytes`},
		{"limit of nobody", change("limits: {agents:", "limits: {a009:"), "a009 is none of"},
		{"class", change("agents: durable", "agents: sturdy"), `topology.durability.agents: "sturdy"`},
		{"name twice", change("south: [a003]", "south: [a001]"), "a001 is there twice"},
		{"clock without its build", change("build: clock", ""), "needs build: clock"},
		{"no cable", change("{kind: kill, targets: [all], count: 10, between: [2s, 30s], again: 50}", "{kind: unplug, targets: [south], at: [2s], for: [1s]}"), "south has no cable"},
		{"load beyond the duration", change("from: 5s", "from: 25s"), "stay within the duration"},
		{"side of a process", change("at: [30s]}", "at: [30s], side: devices}"), "only faults of links have one"},
		{"loss with repeats of devices", change("end: {", "end: {loss: declared, "), "where loss is declared"},
		{"fall of the lag", change("rise: 10", "rise: -1"), "end.rise"},
		{"no regular expression", change("'no space left'", "'['"), "end.allow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read("every.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, wanted %q in it", err, c.want)
			}
		})
	}
}

// TestReadScenarios reads every scenario of the project.
func TestReadScenarios(t *testing.T) {
	files, err := filepath.Glob("../scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Read(name, data)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.About == "" {
			t.Errorf("%s: say in about what it shows", name)
		}
		if steps := s.Plan(1); len(s.Faults) > 0 && len(steps) == 0 {
			t.Errorf("%s: nothing happens", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(every))
	f.Add([]byte("duration: 1s\nload: [{devices: 1, rate: 1}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Read("fuzz.yaml", data); err == nil && s.Duration <= 0 {
			t.Errorf("read %+v without a duration", s)
		}
	})
}
