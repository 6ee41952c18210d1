package main

import (
	"net"
	"path/filepath"

	"weir/lab/faults/scenario"
	"weir/lab/harness"
)

// authority is the one of a run whose links have users and certificates. A nil
// authority is that of plain links.
type authority struct {
	*harness.Authority
	passwords map[string]string // files, by process that links up
}

// newAuthority makes an authority, and a user for each process that links up.
func newAuthority(t *trial, topology *scenario.Topology) *authority {
	a := &authority{harness.NewAuthority(t, filepath.Join(t.dir, "authority")), map[string]string{}}
	for _, region := range topology.RegionNames() {
		for _, name := range topology.GatewaysOf(region) {
			a.passwords[name] = a.Enroll("link-"+name, "gateway: "+region)
		}
		for _, name := range topology.Regions[region] {
			a.passwords[name] = a.Enroll("link-"+name, "agent: "+name+", region: "+region)
		}
	}
	return a
}

// door are the flags of a gateway that only its users may link to.
func (a *authority) door(name string) []string {
	if a == nil {
		return nil
	}
	var cables []net.IP
	for i := range 10 {
		cables = append(cables, net.IPv4(10, 213, byte(i), 1)) // their near ends
	}
	return a.Door(name, cables...)
}

func (a *authority) scheme() string {
	if a == nil {
		return "nats-leaf"
	}
	return "tls"
}

// credentials are the flags of a process that links up.
func (a *authority) credentials(name string) []string {
	if a == nil {
		return nil
	}
	return []string{"--creds", a.passwords[name], "--upstream-ca", a.CA}
}
