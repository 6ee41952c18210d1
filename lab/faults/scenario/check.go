package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// finding is something wrong at a path of the file, as faults[2].kind.
type finding struct{ path, wrong string }

// checker collects findings.
type checker struct{ found []finding }

func (c *checker) want(ok bool, path, format string, args ...any) {
	if !ok {
		c.found = append(c.found, finding{path, fmt.Sprintf(format, args...)})
	}
}

// check returns everything that is wrong with a completed scenario.
func (s *Scenario) check() []finding {
	c := new(checker)
	c.want(s.Duration > 0, "duration", "say how long devices play, as 30s")
	c.want(slices.Contains([]Build{AsShipped, StepClock, Race}, s.Build), "build", "%q: use %s or %s, or leave it out", s.Build, StepClock, Race)
	c.want(s.Speed >= 1 && s.Speed <= 100, "speed", "%d: use 1 to 100", s.Speed)
	c.want(s.Speed == 1 || s.Build == AsShipped, "speed", "build %q has clocks of its own", s.Build)
	c.want(len(s.Load) > 0, "load", "name some devices")
	c.topology(&s.Topology)
	for i := range s.Load {
		c.load(s, &s.Load[i], fmt.Sprintf("load[%d]", i))
	}
	for i := range s.Faults {
		c.fault(s, &s.Faults[i], fmt.Sprintf("faults[%d]", i))
	}
	c.end(&s.End)
	return c.found
}

var (
	validName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)
	validSize = regexp.MustCompile(`^[0-9]+MB$`)
)

func (c *checker) topology(t *Topology) {
	seen := map[string]bool{Center: true}
	for _, region := range t.RegionNames() {
		for _, name := range append([]string{region}, t.Regions[region]...) {
			c.want(validName.MatchString(name), "topology.regions", "name %q: use letters, digits, - and _", name)
			c.want(!seen[name], "topology.regions", "%s is there twice", name)
			seen[name] = true
		}
	}
	c.want(t.Gateways == 1 || t.Gateways == 2, "topology.gateways", "%d: use 1 or 2", t.Gateways)
	for i, class := range []string{t.Durability.Agents, t.Durability.Gateways} {
		c.want(slices.Contains([]string{"", "fast", "durable"}, class), "topology.durability."+[]string{"agents", "gateways"}[i], "%q: use fast or durable", class)
	}
	c.want(t.Gateways == 1 || t.Links == Plain && len(t.Volumes) == 0, "topology.gateways", "several gateways join a server that is not the product's, without users and volumes")
	c.want(t.Links == Plain || t.Links == TLS, "topology.links", "%q: use %s, or leave it out", t.Links, TLS)
	c.want(t.Network == Loopback || t.Network == Namespaces, "topology.network", "%q: use %s, or leave it out", t.Network, Namespaces)
	for target, size := range t.Volumes {
		c.targets(t, []string{target}, "topology.volumes")
		c.want(validSize.MatchString(size), "topology.volumes", "%s: %q: use whole megabytes, as 256MB", target, size)
	}
	for target, limit := range t.Limits {
		c.targets(t, []string{target}, "topology.limits")
		c.want(limit.CPU >= 0, "topology.limits", "%s: cpu: %g: use 0 or more cores", target, limit.CPU)
		c.want(limit.Memory == "" || validSize.MatchString(limit.Memory), "topology.limits", "%s: memory: %q: use whole megabytes, as 128MB", target, limit.Memory)
	}
}

func (c *checker) targets(t *Topology, targets []string, path string) {
	all := t.Processes()
	for _, name := range t.Expand(targets) {
		c.want(slices.Contains(all, name), path, "%s is none of %s, agents, regions, all", name, strings.Join(all, ", "))
	}
}

func (c *checker) load(s *Scenario, l *Load, path string) {
	c.targets(&s.Topology, l.Agents, path+".agents")
	for _, name := range s.Topology.Expand(l.Agents) {
		c.want(slices.Contains(s.Topology.Agents(), name), path+".agents", "%s is no agent", name)
	}
	c.want(l.From >= 0 && l.For > 0 && l.From+l.For <= s.Duration, path, "from %v for %v: stay within the duration", l.From, l.For)
	c.want(l.Devices > 0 && l.Devices <= 100_000, path+".devices", "%d: use 1 to 100,000", l.Devices)
	c.want(l.Rate > 0 && l.Rate <= 1000, path+".rate", "%g: use more than 0 and at most 1,000 readings per second", l.Rate)
	c.want(l.Batch > 0, path+".batch", "%d: use 1 or more", l.Batch)
	c.want(l.Protocol == "mqtt" || l.Protocol == "nats", path+".protocol", "%q: use mqtt or nats", l.Protocol)
	c.want(*l.QoS == 0 || *l.QoS == 1, path+".qos", "%d: use 0 or 1", *l.QoS)
	sum := 0.0
	for _, percent := range []float64{l.Late, l.TooLate, l.Reorder, l.Duplicate, l.Future, l.Malformed} {
		c.want(percent >= 0, path, "a share of %g %%: use 0 or more", percent)
		sum += percent
	}
	c.want(sum <= 100, path, "shares of %g %% in all: use at most 100", sum)
	broken := l.Malformed + l.Future + l.Duplicate
	c.want(s.End.Loss == NoLoss || broken == 0 && *l.QoS == 1, path, "where loss is declared, every reading must be numbered, good and acknowledged: no duplicate, future or malformed ones, and qos 1")
}

func (c *checker) fault(s *Scenario, f *Fault, path string) {
	harm, known := harms[f.Kind]
	c.want(known, path+".kind", "%q: use one of %s", f.Kind, strings.Join(kindNames(), ", "))
	c.want(len(f.Targets) > 0, path+".targets", "name processes or groups")
	c.targets(&s.Topology, f.Targets, path+".targets")
	for _, name := range s.Topology.Expand(f.Targets) {
		c.want(f.Side == Up || slices.Contains(s.Topology.Agents(), name), path+".targets", "%s has no devices", name)
		c.want(!harm.link || name != Center, path+".targets", "the center has no link up")
		c.want(!harm.volume || s.Topology.Volume(name) > 0, path+".targets", "%s has no volume of its own: add it to topology.volumes", name)
		c.want(f.Kind != Unplug || s.Topology.Network == Namespaces && slices.Contains(s.Topology.Agents(), name), path+".targets", "%s has no cable: only agents in namespaces do", name)
		c.want(!harm.link || !strings.Contains(name, "."), path+".targets", "the gateways of a region share a link: %s", name)
		c.want(f.Kind != Repeat || s.Topology.Gateways == 1, path+".targets", "an inbox on a server that is not the product's has no operator")
		c.want(f.Kind != Repeat || name == Center || s.Topology.Regions[name] != nil, path+".targets", "%s has no inbox", name)
	}
	c.want((len(f.At) > 0) != (f.Count > 0), path, "say either at which times or how often (count)")
	c.want(len(f.Between) == 2 && f.Between[0] >= 0 && f.Between[0] <= f.Between[1] && f.Between[1] <= s.Duration, path+".between", "%v: use two times up to the duration, in order", f.Between)
	for _, at := range f.At {
		c.want(at >= 0 && at <= s.Duration, path+".at", "%v is not within the duration", at)
	}
	lasting := harm.lasts || f.Kind == ClockStep
	c.want(len(f.For) <= 2 && (lasting || len(f.For) == 0), path+".for", "%v: %s", f.For, map[bool]string{true: "use one length, or from and to", false: string(f.Kind) + " does not last"}[lasting])
	c.want(!harm.lasts || len(f.For) > 0, path, "say for how long")
	c.want(len(f.For) < 2 || f.For[0] <= f.For[1], path+".for", "%v: use from and to, in order", f.For)
	for _, d := range f.For {
		c.want(d > 0, path+".for", "%v: use more than 0", d)
	}
	c.details(s, f, path)
}

// details checks what belongs to one kind only.
func (c *checker) details(s *Scenario, f *Fault, path string) {
	own := func(set bool, name string, kind Kind) {
		c.want(!set || f.Kind == kind, path+"."+name, "%s has no %s", f.Kind, name)
	}
	c.want(f.Side == Up || f.Side == Devices && harms[f.Kind].proxied(), path+".side", "%q: only faults of links have one, and it is devices or left out", f.Side)
	own(f.Again != 0, "again", Kill)
	own(f.Latency != 0, "latency", Delay)
	own(f.Jitter != 0, "jitter", Delay)
	own(f.Rate != 0, "rate", Throttle)
	own(f.Step != 0, "step", ClockStep)
	own(f.To != "", "to", ClockStep)
	own(f.Percent != 0, "percent", Repeat)
	c.want(f.Again >= 0 && f.Again <= 100, path+".again", "%d: use 0 to 100 percent", f.Again)
	c.want(f.Kind != Delay || f.Latency+f.Jitter > 0, path, "say which latency")
	c.want(f.Kind != Throttle || f.Rate >= 1000, path+".rate", "%d: use at least 1000 bytes per second", f.Rate)
	c.want(f.Kind != ClockStep || (f.Step != 0) != (f.To == "1970"), path, "say by how much (step), or to: 1970")
	c.want(f.Kind != ClockStep || s.Build == StepClock, path, "needs build: %s", StepClock)
	c.want(f.Kind != Repeat || f.Percent > 0 && f.Percent <= 100, path+".percent", "%d: use 1 to 100", f.Percent)
}

func (c *checker) end(e *End) {
	c.want(e.Back >= 0, "end.back", "%v: use a time, more than 0", e.Back)
	c.want(e.Rise >= 0, "end.rise", "%d: use percent, more than 0", e.Rise)
	c.want(e.Loss == NoLoss || e.Loss == Declared, "end.loss", "%q: use %s, or leave it out", e.Loss, Declared)
	for _, pattern := range e.Allow {
		_, err := regexp.Compile(pattern)
		c.want(err == nil, "end.allow", "%v", err)
	}
}

// of is what is said of a process; zero: nothing. A name goes before a group.
func of[T any](t *Topology, said map[string]T, name string) (v T) {
	for _, target := range []string{name, "agents", "regions", "all"} {
		if v, ok := said[target]; ok && slices.Contains(t.expand(target), name) {
			return v
		}
	}
	return v
}

// Volume is the size in bytes of a process's own file system; 0: it has none.
func (t *Topology) Volume(name string) int64 { return bytesOf(of(t, t.Volumes, name)) }

// Limit is what a process may have: cores and bytes; 0: as much as there is.
func (t *Topology) Limit(name string) (cores float64, memory int64) {
	l := of(t, t.Limits, name)
	return l.CPU, bytesOf(l.Memory)
}

// bytesOf is a size that has been checked; 0: none was given.
func bytesOf(size string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSuffix(size, "MB"), 10, 64)
	return n << 20
}
