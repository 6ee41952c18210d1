package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"weir/schemas"
)

// Server is a NATS server with JetStream that is not the product's, as a site may
// have one: without users, with a door for links.
type Server struct {
	NATS string // URL for clients
	Leaf string // URL for links
}

// StartServer starts a server in this process.
func StartServer(tb testing.TB) *Server {
	tb.Helper()
	clients, links := FreeAddress(tb), FreeAddress(tb)
	o := &server.Options{
		ServerName: "site", NoSigs: true, NoLog: true, MaxPayload: 8 << 20, JetStream: true, StoreDir: tb.TempDir(),
		Host: "127.0.0.1", Port: portOf(clients), LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: portOf(links)},
	}
	srv, err := server.NewServer(o)
	if err != nil {
		tb.Fatal(err)
	}
	go srv.Start()
	tb.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(readyWithin) {
		tb.Fatalf("the NATS server is not ready after %v", readyWithin)
	}
	return &Server{NATS: "nats://" + clients, Leaf: "nats-leaf://" + links}
}

func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address) // it was put together from both
	n, _ := strconv.Atoi(port)
	return n
}

// NewMember prepares a gateway of a region, or of the center, that joins a NATS
// server, and starts nothing.
func NewMember(tb testing.TB, weir Binary, region, name, nats string, args ...string) *Product {
	tb.Helper()
	p := prepare(tb, weir, append(gatewayOf(region), "--member", name), append([]string{"--nats", nats}, args...))
	p.NATS = "" // it listens nowhere; the later flag counts
	return p
}

// StartShared starts a fleet of one region whose gateways share its partitions on
// servers that are not the product's. The fleet asks the first of them for the
// region.
func StartShared(tb testing.TB, weir Binary, site *Server, region string, members, agents []string, policy string) (f *Fleet, gateways []*Product) {
	tb.Helper()
	f = newFleet(tb, NewGateway(tb, weir, schemas.Center, "--policy", policy))
	up := f.link(region, f.Center.Leaf)
	for _, name := range members {
		gateways = append(gateways, NewMember(tb, weir, region, name, site.NATS, "--upstream", up))
	}
	f.Regions[region] = gateways[0]
	for _, name := range agents {
		f.Agents[name] = NewAgent(tb, weir, name, region, "--upstream", site.Leaf)
	}
	f.launch(f.Center)
	f.launch(gateways...)
	f.launch(slices.Collect(maps.Values(f.Agents))...)
	return f, gateways
}

// StartStandby starts a fleet whose center is two gateways on a server that is not
// the product's. The fleet asks the second of them for the center.
func StartStandby(tb testing.TB, weir Binary, site *Server, members [2]string, region string, agents []string, policy string) (f *Fleet, centers [2]*Product) {
	tb.Helper()
	for i, name := range members {
		centers[i] = NewMember(tb, weir, schemas.Center, name, site.NATS, "--policy", policy)
	}
	f = newFleet(tb, centers[1])
	r := NewGateway(tb, weir, region, "--upstream", f.link(region, strings.TrimPrefix(site.Leaf, "nats-leaf://")))
	f.Regions[region] = r
	for _, name := range agents {
		f.Agents[name] = NewAgent(tb, weir, name, region, "--upstream", f.link(name, r.Leaf))
	}
	f.launch(centers[:]...)
	f.launch(r)
	f.launch(slices.Collect(maps.Values(f.Agents))...)
	return f, centers
}

// Owners are the members that own partitions, with how many they own, as a gateway
// knows it; "" is nobody.
func (p *Product) Owners() (map[string]int, error) {
	var said struct{ Owners schemas.Owners }
	data, err := p.Get("/api/v1/ledger")
	if err == nil {
		err = json.Unmarshal(data, &said)
	}
	n := map[string]int{}
	for _, name := range said.Owners.Owners {
		n[name]++
	}
	return n, err
}

// handedOverWithin bounds how long it may take until partitions have their owners.
const handedOverWithin = time.Minute

// AwaitOwners waits until exactly these members own partitions, and returns how
// long that took.
func (p *Product) AwaitOwners(members ...string) time.Duration {
	p.tb.Helper()
	began := time.Now()
	Until(p.tb, handedOverWithin, func() string {
		owners, err := p.Owners()
		if err != nil {
			return err.Error()
		}
		if got := slices.Sorted(maps.Keys(owners)); !slices.Equal(got, members) {
			return fmt.Sprintf("partitions are owned by %v, wanted %v", owners, members)
		}
		return ""
	})
	return time.Since(began)
}
