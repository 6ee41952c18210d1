package scenario

import (
	"maps"
	"slices"
	"time"
)

// Scenario is one file.
type Scenario struct {
	Name     string `yaml:"-"` // of the file, without its ending
	About    string
	Sets     []string      // that run it: pr, night
	Build    Build         // of the product; empty: as it ships
	Speed    int           // event time runs so many times faster; 0: 1
	Duration time.Duration // how long devices play
	Topology Topology
	Policy   Policy
	Load     []Load
	Faults   []Fault
	End      End
}

// Build is a variant of the product that a scenario needs.
type Build string

// The variants.
const (
	AsShipped Build = ""
	StepClock Build = "clock" // wall clocks can be stepped
	Race      Build = "race"  // with the race detector
)

// Topology is what is started.
type Topology struct {
	Regions    map[string][]string // names of agents, by region; a01..a10 are ten
	Gateways   int                 // per region; 0: 1
	Durability Durability          // empty: the defaults of the product
	Links      Links               // empty: plain
	Network    Network             // empty: everything on loopback
	Volumes    map[string]string   // size of the own file system of a process or group, as 256MB; others use the machine's
	Limits     map[string]Limit    // of a process or group; others may have what the machine has
}

// Limit is what the kernel lets a process have.
type Limit struct {
	CPU    float64 // cores; 0: no limit
	Memory string  // as 128MB; empty: no limit
}

// Durability is the class of the servers.
type Durability struct{ Agents, Gateways string }

// Links is how tiers talk.
type Links string

// The links.
const (
	Plain Links = ""
	TLS   Links = "tls" // with users, and certificates of an authority made for the run
)

// Network is where processes run.
type Network string

// The networks.
const (
	Loopback   Network = ""
	Namespaces Network = "namespaces" // each agent in its own, with a cable to the machine's
)

// Policy is what is in force. Zero durations take those of the fast policy.
type Policy struct {
	Window   time.Duration // 1 s
	Lateness time.Duration // 5 s: patient enough for a busy machine
	Idle     time.Duration // the product's default
}

// Load is what devices of each agent do.
type Load struct {
	From     time.Duration // after the first devices have begun
	For      time.Duration // default: to the end of the duration
	Agents   []string      // names or groups; empty: all
	Devices  int           // of each agent
	Rate     float64       // readings per second and device
	Batch    int           // readings per message; 0: 1
	Protocol string        // mqtt (default) or nats
	QoS      *int          // default 1
	Pattern  string        // steady (default), daily or burst

	Late, Reorder, Duplicate, Future, Malformed float64 // percent of messages
	TooLate                                     float64 `yaml:"too_late"`
}

// Kind names a fault.
type Kind string

// The faults of processes, of their disks and clocks, and of links.
const (
	Kill      Kind = "kill"      // kill -9, and started again at once
	Stop      Kind = "stop"      // asked to end, and started again
	Wipe      Kind = "wipe"      // kill -9, and started again with an empty data folder
	Pause     Kind = "pause"     // SIGSTOP, then SIGCONT
	Power     Kind = "power"     // its file system loses what is not synced; then as kill
	Fill      Kind = "fill"      // its file system is full, then has room again
	ClockStep Kind = "step"      // its wall clock is set; lasts until the end if For is empty
	Cut       Kind = "cut"       // connections are closed and none let through, then healed
	Blackhole Kind = "blackhole" // connections stay and carry nothing
	Deaf      Kind = "deaf"      // what goes up arrives, no answer comes back; then every connection is reset
	Delay     Kind = "delay"     // of Latency and up to Jitter more, in each direction
	Throttle  Kind = "throttle"  // to Rate bytes per second
	Reset     Kind = "reset"     // every connection is reset, once
	Unplug    Kind = "unplug"    // the cable of a namespace: interface down, then up
	Repeat    Kind = "repeat"    // entries in a gateway's inbox come again, in any order
)

// Fault is a kind of fault and when it strikes: at fixed times, or so many times
// by chance.
type Fault struct {
	Kind    Kind
	Targets []string        // processes or groups (agents, regions, center, all); of links: who links up
	Every   bool            // each time all targets, not one of them by chance
	At      []time.Duration // after the devices have begun
	Count   int             // instead of At: so many, evenly by chance
	Between []time.Duration // from, to; default: the whole duration
	For     []time.Duration // how long it lasts; two: from, to, by chance
	Side    Side            // of faults of links; empty: up
	Again   int             // percent of kills that are followed by another within 300 ms

	Latency time.Duration // of delay
	Jitter  time.Duration // of delay
	Rate    int           // of throttle, bytes per second
	Step    time.Duration // of step; added to the wall clock
	To      string        // of step, instead: 1970
	Percent int           // of repeat: how many entries come again
}

// Side says which link of a process is meant.
type Side string

// The sides.
const (
	Up      Side = ""        // to the tier above
	Devices Side = "devices" // between an agent and its MQTT devices
)

// End is what the run must come to.
type End struct {
	Drain  time.Duration // for devices to have everything acknowledged; default 60 s
	Verify time.Duration // for the product to account for everything; default 120 s
	Loss   Loss          // empty: none
	Ready  time.Duration // the longest recovery at p99; default 5 s
	Back   time.Duration // within which the first of a backlog is at the region after links are healed, on a machine that is not overloaded; 0: not looked at
	Rise   int           // percent by which p99 of the lag of live windows may rise after links are cut and healed; 0: not looked at
	Caps   Caps
	Allow  []string // regular expressions of lines at level ERROR that these faults explain
}

// Loss is what may be lost.
type Loss string

// The losses.
const (
	NoLoss   Loss = ""
	Declared Loss = "declared" // at most MaxLoss of records per power cut, all of it declared
)

// MaxLoss is how much a power cut may take in the class fast.
const MaxLoss = time.Second

// Caps bound what processes hold at the end. Zero takes the default.
type Caps struct {
	RSS        map[string]int     // MB, by agents, regions, center; default 200, 300, 300
	Goroutines map[string]int     // by the same; default 250, 600, 250
	Cores      map[string]float64 // by the same, on average while devices play; default: no cap
	Disk       int                // MB of each data folder; default 300
	Files      int                // more than before the faults; default 40
}

// Agents are the names of all agents, sorted.
func (t *Topology) Agents() (all []string) {
	for _, region := range t.RegionNames() {
		all = append(all, t.Regions[region]...)
	}
	slices.Sort(all)
	return all
}

// RegionNames are the names of all regions, sorted.
func (t *Topology) RegionNames() []string { return slices.Sorted(maps.Keys(t.Regions)) }

// GatewaysOf names the gateway processes of a region: the region, then region.2 and
// so on.
func (t *Topology) GatewaysOf(region string) []string {
	all := []string{region}
	for i := 2; i <= t.Gateways; i++ {
		all = append(all, region+"."+string(rune('0'+i)))
	}
	return all
}

// Center is the process of the top tier.
const Center = "center"

// Expand turns names and groups into names of processes, sorted, each once.
func (t *Topology) Expand(targets []string) []string {
	var all []string
	for _, target := range targets {
		all = append(all, t.expand(target)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (t *Topology) expand(target string) (all []string) {
	switch target {
	case "agents":
		return t.Agents()
	case "regions":
		for _, r := range t.RegionNames() {
			all = append(all, t.GatewaysOf(r)...)
		}
		return all
	case "all":
		return append(append(t.Agents(), t.expand("regions")...), Center)
	}
	return []string{target}
}

// Processes are the names of all processes, sorted.
func (t *Topology) Processes() []string { return t.Expand([]string{"all"}) }

// StrikesDevices reports whether a fault strikes between an agent and its devices.
func (s *Scenario) StrikesDevices(agent string) bool {
	return slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Side == Devices && slices.Contains(s.Topology.Expand(f.Targets), agent) })
}

// HighestRate is how many readings per second one agent gets at most.
func (s *Scenario) HighestRate() (highest float64) {
	for _, agent := range s.Topology.Agents() {
		sum := 0.0
		for i := range s.Load {
			if slices.Contains(s.Topology.Expand(s.Load[i].Agents), agent) {
				sum += float64(s.Load[i].Devices) * s.Load[i].Rate
			}
		}
		highest = max(highest, sum)
	}
	return highest
}
