package window

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "replace the expected output in testdata with what comes out; commit it only if you know why it changed")

// Each file in testdata is a story: blocks of commands, a line ----, and what comes out. Commands:
//
//	config disorder=500ms idle=2s grace=10s
//	view by=device|agent size=10s hop=5s late=60s max=32 counter=true
//	now 12:00:00               sets agent time
//	send a 12:00:05            a record of device a; more times may follow, 12:00:05=7 has a counter's value,
//	                           12:00:00..12:01:00/1s is one each second, without the last
//	play a,b until 12:00:30    a second of agent time at a time: the devices send a record stamped now, then a tick
//	tick                       windows advance; prints the revisions
//	tick count                 the same; prints how many there are of each timing, and their records
//	watermarks                 of the agent and the devices, and who is left out
//	open                       open windows of each key
//	restart                    the agent was down until now
//	checkpoint                 everything is replaced by what its checkpoint gives back
//	resize at 12:01:00 size=60s   a change of windows
//	totals                     accepted and late records, and the sum of the last revisions of all parts
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScenario(t, file) })
	}
}

func runScenario(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stage := newStage()
	var got strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		commands, want, _ := strings.Cut(block, "\n----")
		out := stage.run(t, commands)
		if !*rewrite && out != strings.TrimPrefix(want, "\n") {
			t.Errorf("%s\n----\n got:\n%s\nwant:%s", commands, out, want)
		}
		fmt.Fprintf(&got, "%s\n----\n%s", commands, out)
		if out != "" {
			got.WriteByte('\n')
		}
		got.WriteByte('\n')
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.TrimSuffix(got.String(), "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// stage is a small aggregator: one view, its devices, no repeats.
type stage struct {
	sources  *Sources
	names    []string // of devices, by id
	byAgent  bool
	schedule Schedule
	keys     map[string][]*Panes[tally] // a Panes per generation
	pool     *Pool[tally]
	now      int64
	low      int64 // agent watermark at the last tick
	lastID   uint64

	accepted, late uint64
	parts          map[string]int    // how many each window has had
	last           map[string]uint64 // records in the last revision of each part
}

func newStage() *stage {
	return &stage{
		sources: NewSources(Config{}), keys: map[string][]*Panes[tally]{}, pool: NewPool[tally](100),
		low: never, parts: map[string]int{}, last: map[string]uint64{}, schedule: Schedule{{0, Spec{Size: 10e9, Lateness: 60e9}}},
	}
}

// run carries out the commands of a block and returns what they print.
func (s *stage) run(t *testing.T, commands string) string {
	var out []string
	for line := range strings.Lines(commands) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		lines, err := s.command(words[0], words[1:])
		if err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(line), err)
		}
		out = append(out, lines...)
	}
	return strings.Join(out, "\n")
}

func (s *stage) command(verb string, args []string) ([]string, error) {
	switch verb {
	case "config":
		return nil, s.config(args)
	case "view":
		spec, err := s.view(args)
		s.schedule = Schedule{{0, spec}}
		return nil, err
	case "now":
		return nil, parse(args[0], &s.now)
	case "send":
		return s.send(args[0], args[1:])
	case "play":
		return s.play(strings.Split(args[0], ","), args[2])
	case "tick":
		out := s.tick()
		if len(args) > 0 {
			return countRevisions(out), nil
		}
		return out, nil
	case "watermarks":
		return s.watermarks(), nil
	case "open":
		return s.open(), nil
	case "restart":
		s.sources.Restart(s.now)
		return nil, nil
	case "checkpoint":
		return nil, s.checkpoint()
	case "resize":
		return s.resize(args)
	case "totals":
		return s.totals(), nil
	}
	return nil, errors.New("no such command")
}

func (s *stage) config(args []string) error {
	var c Config
	err := options(args, map[string]any{"disorder": &c.Disorder, "idle": &c.Idle, "grace": &c.Grace})
	s.sources.Configure(c)
	return cmp.Or(err, c.Validate())
}

func (s *stage) view(args []string) (Spec, error) {
	var spec Spec
	err := options(args, map[string]any{
		"size": &spec.Size, "hop": &spec.Hop, "late": &spec.Lateness, "max": &spec.MaxOpen,
		"counter": &spec.Carry, "by": &s.byAgent,
	})
	return spec, cmp.Or(err, spec.Validate())
}

// options sets what name=value arguments name.
func options(args []string, set map[string]any) error {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if set[name] == nil {
			return fmt.Errorf("no such option: %s", name)
		}
		if err := parse(value, set[name]); err != nil {
			return err
		}
	}
	return nil
}

// parse reads a duration or time of day into ns, a number, or a word that means true or false.
func parse(value string, into any) (err error) {
	switch into := into.(type) {
	case *int:
		*into, err = strconv.Atoi(value)
	case *bool:
		*into = value == "true" || value == "agent"
	case *int64:
		if d, bad := time.ParseDuration(value); bad == nil {
			*into = int64(d)
			return nil
		}
		var at time.Time
		at, err = time.Parse(time.TimeOnly, value)
		*into = at.AddDate(2026, 0, 0).UnixNano()
	}
	return err
}

// clock prints a time of day.
func clock(t int64) string {
	switch t {
	case never:
		return "never"
	case forever:
		return "forever"
	}
	return time.Unix(0, t).UTC().Format("15:04:05.999")
}

// send gives out the records of one device and counts what became of them.
func (s *stage) send(name string, args []string) ([]string, error) {
	accepted, late := s.accepted, s.late
	for _, arg := range args {
		from, many, _ := strings.Cut(arg, "..")
		at, value, _ := strings.Cut(from, "=")
		var t, until, every int64
		if err := parse(at, &t); err != nil {
			return nil, err
		}
		until, every = t+1, 1
		if to, step, ok := strings.Cut(many, "/"); ok {
			if err := errors.Join(parse(to, &until), parse(step, &every)); err != nil {
				return nil, err
			}
		}
		for ; t < until; t += every {
			s.record(name, t, value)
		}
	}
	line := fmt.Sprintf("%s: %d accepted", name, s.accepted-accepted)
	if s.late > late {
		line += fmt.Sprintf(", %d late", s.late-late)
	}
	return []string{line}, nil
}

func (s *stage) record(name string, t int64, value string) {
	id := s.device(name)
	s.lastID++
	s.sources.Observe(id, t, s.now)
	generation := s.schedule.At(t)
	watermark := s.sources.DataWatermark(id)
	key := name
	if s.byAgent {
		key, watermark = "all", s.low
	}
	acc, ok := s.panes(key)[generation].Accept(&s.schedule[generation].Spec, t, watermark, s.pool)
	if !ok {
		s.late++
		return
	}
	s.accepted++
	acc.add(s.lastID)
	if v, err := strconv.ParseFloat(value, 64); err == nil {
		acc.counter.Add(t, v, s.lastID, watermark)
	}
}

// device is the id of a device, which is added when it is new.
func (s *stage) device(name string) int {
	id := slices.Index(s.names, name)
	if id < 0 {
		s.names = append(s.names, name)
		id = s.sources.Add(s.now)
	}
	return id
}

// panes are those of a key, one for each generation.
func (s *stage) panes(key string) []*Panes[tally] {
	for len(s.keys[key]) < len(s.schedule) {
		s.keys[key] = append(s.keys[key], &Panes[tally]{})
	}
	return s.keys[key]
}

func (s *stage) play(names []string, until string) (out []string, err error) {
	var end int64
	if err := parse(until, &end); err != nil {
		return nil, err
	}
	for ; s.now < end; s.now += 1e9 {
		for _, name := range names {
			s.record(name, s.now, "")
		}
		out = append(out, s.tick()...)
	}
	return out, nil
}

// tick advances every key, and says what came out.
func (s *stage) tick() (out []string) {
	for i, g := range s.schedule {
		low := s.sources.Low(s.now, g.Spec.Lateness)
		through := later(low, -g.Spec.Lateness)
		s.low = low
		for _, key := range slices.Sorted(maps.Keys(s.keys)) {
			watermark, judge := low, low
			if id := slices.Index(s.names, key); !s.byAgent {
				watermark, judge = s.sources.Watermark(id, s.now), s.sources.DataWatermark(id)
			}
			s.panes(key)[i].Advance(&g.Spec, watermark, judge, through, s.pool, func(r Revision[tally]) {
				out = append(out, s.describe(key, r, g.Spec.Carry))
			})
		}
	}
	return out
}

// countRevisions makes one line of those of the same key, timing and number of records.
func countRevisions(lines []string) (out []string) {
	count := map[string]int{}
	for _, line := range lines {
		words := strings.Fields(line)
		count[fmt.Sprintf("%s %s %s", words[0], words[2], words[4])]++
	}
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%d × %s", count[kind], kind))
	}
	return out
}

// describe notes and prints a revision.
func (s *stage) describe(key string, r Revision[tally], counter bool) string {
	window := fmt.Sprintf("%s [%s,%s)", key, clock(r.Start), clock(r.End))
	sized := window + strconv.FormatInt(r.Size(), 10)
	if r.State.Revision == 1 {
		s.parts[sized]++
	}
	s.last[fmt.Sprintf("%s part %d", sized, s.parts[sized])] = r.Acc.n
	line := fmt.Sprintf("%s %s rev=%d n=%d", window, r.Timing, r.State.Revision, r.Acc.n)
	if counter {
		var before *Counter
		if r.Before != nil {
			before = &r.Before.counter
		}
		increase, resets := r.Acc.counter.Increase(before)
		line += fmt.Sprintf(" increase=%v resets=%d", increase, resets)
	}
	return line
}

func (s *stage) watermarks() (out []string) {
	for i, g := range s.schedule {
		out = append(out, "agent "+clock(s.sources.Low(s.now, g.Spec.Lateness)))
		if i > 0 {
			continue
		}
		left := maps.Collect(s.sources.LeftOut(s.now, g.Spec.Lateness))
		for id, name := range s.names {
			line := fmt.Sprintf("%s %s", name, clock(s.sources.Watermark(id, s.now)))
			if why, ok := left[id]; ok {
				line += fmt.Sprintf(", left out: %v", why)
			}
			out = append(out, line)
		}
	}
	return out
}

func (s *stage) open() (out []string) {
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		for _, p := range s.panes(key) {
			out = append(out, fmt.Sprintf("%s: %d open, due %s, final up to %s", key, p.Open(), clock(p.Due()), clock(p.FinalEnd())))
		}
	}
	return out
}

func (s *stage) checkpoint() error {
	b := s.sources.AppendBinary(nil)
	s.sources = &Sources{}
	if _, err := s.sources.Decode(b); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		for i, p := range s.panes(key) {
			s.keys[key][i] = &Panes[tally]{}
			if _, err := s.keys[key][i].Decode(p.AppendBinary(nil, appendTally), s.pool, decodeTally); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stage) resize(args []string) ([]string, error) {
	var at int64
	if err := parse(args[1], &at); err != nil {
		return nil, err
	}
	spec, err := s.view(args[2:])
	if err != nil {
		return nil, err
	}
	schedule, err := s.schedule.Change(spec, at, s.now)
	if err != nil {
		return []string{"refused: " + err.Error()}, nil
	}
	s.schedule = schedule
	return nil, nil
}

func (s *stage) totals() []string {
	var total uint64
	for _, n := range s.last {
		total += n
	}
	return []string{fmt.Sprintf("accepted=%d late=%d in last revisions=%d", s.accepted, s.late, total)}
}
