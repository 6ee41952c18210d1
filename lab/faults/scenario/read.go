package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Read reads a file of that name. Errors say line and column.
func Read(name string, data []byte) (*Scenario, error) {
	s := new(Scenario)
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict(), yaml.DisallowUnknownField()).Decode(s); err != nil {
		return nil, fmt.Errorf("scenario %s: %s", name, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	s.Name = strings.TrimSuffix(path.Base(name), path.Ext(name))
	s.complete()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %s", name, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	var errs []error
	for _, f := range s.check() {
		errs = append(errs, fmt.Errorf("scenario %s:%s %s: %s", name, position(file, f.path), f.path, f.wrong))
	}
	return s, errors.Join(errs...)
}

// complete fills in what is left out.
func (s *Scenario) complete() {
	t := &s.Topology
	if len(t.Regions) == 0 {
		t.Regions = map[string][]string{"north": {"a001"}}
	}
	for region, names := range t.Regions {
		t.Regions[region] = expandRanges(names)
	}
	orDefault(&t.Gateways, 1)
	orDefault(&s.Speed, 1)
	orDefault(&s.Policy.Window, time.Second)
	orDefault(&s.Policy.Lateness, 5*time.Second)
	orDefault(&s.End.Drain, time.Minute)
	orDefault(&s.End.Verify, 2*time.Minute)
	orDefault(&s.End.Ready, 5*time.Second)
	s.End.Caps.complete()
	for i := range s.Load {
		s.Load[i].complete(s.Duration)
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		if len(f.Between) == 0 {
			f.Between = []time.Duration{0, s.Duration}
		}
	}
}

func (c *Caps) complete() {
	c.RSS = byGroup(c.RSS, 200, 300, 300)
	c.Goroutines = byGroup(c.Goroutines, 250, 600, 250)
	orDefault(&c.Disk, 300)
	orDefault(&c.Files, 40)
}

// byGroup fills in what is left out for agents, regions and the center.
func byGroup(given map[string]int, agents, regions, center int) map[string]int {
	all := map[string]int{"agents": agents, "regions": regions, Center: center}
	maps.Copy(all, given)
	return all
}

func (l *Load) complete(duration time.Duration) {
	orDefault(&l.For, duration-l.From)
	if len(l.Agents) == 0 {
		l.Agents = []string{"agents"}
	}
	if l.QoS == nil {
		l.QoS = new(int)
		*l.QoS = 1
	}
	orDefault(&l.Batch, 1)
	orDefault(&l.Protocol, "mqtt")
	orDefault(&l.Pattern, "steady")
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// position is line:column of a path in the file, or of the nearest one above it
// that is there.
func position(file *ast.File, at string) string {
	for at != "" {
		if p, err := yaml.PathString("$." + at); err == nil {
			if node, err := p.FilterFile(file); err == nil && node != nil {
				where := node.GetToken().Position
				return fmt.Sprintf("%d:%d", where.Line, where.Column)
			}
		}
		at = at[:max(0, strings.LastIndexByte(at, '.'))]
	}
	return "1:1"
}
