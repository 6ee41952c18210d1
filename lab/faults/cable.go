package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

// cable joins a network namespace to this machine's: a pair of virtual Ethernet
// devices. The near end is on this machine.
type cable struct {
	t          *trial
	space      string // name of the namespace
	near, far  string // names of the devices
	nearIP, ip string
}

// newCable makes namespace number i with its cable.
func newCable(x *site, i int) *cable {
	id := fmt.Sprintf("w%d-%d", os.Getpid()%100_000, i)
	c := &cable{
		t: x.trial, space: id, near: id + "n", far: id + "f",
		nearIP: fmt.Sprintf("10.213.%d.1", i), ip: fmt.Sprintf("10.213.%d.2", i),
	}
	x.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", c.space).Run() }) // its end of the cable goes with it
	for _, line := range []string{
		"netns add " + c.space,
		"link add " + c.near + " type veth peer name " + c.far + " netns " + c.space,
		"address add " + c.nearIP + "/30 dev " + c.near,
		"link set " + c.near + " up",
		"-n " + c.space + " address add " + c.ip + "/30 dev " + c.far,
		"-n " + c.space + " link set " + c.far + " up",
		"-n " + c.space + " link set lo up",
	} {
		c.do("ip", line)
	}
	return c
}

func (c *cable) do(name, line string) {
	if out, err := exec.Command(name, strings.Fields(line)...).CombinedOutput(); err != nil {
		c.t.Fatalf("%s %s: %v: %s", name, line, err, out)
	}
}

// move is an address of the same port in the namespace.
func (c *cable) move(address string) string {
	_, port, _ := net.SplitHostPort(address) // it was made by the harness
	return net.JoinHostPort(c.ip, port)
}

// nearAddress is an address of the same port at the near end.
func (c *cable) nearAddress(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return net.JoinHostPort(c.nearIP, port)
}

// wrap runs a program in the namespace, as the same process. ip netns exec would copy
// all mounts for it: the volumes of other runs could then not be unmounted.
func (c *cable) wrap() []string { return []string{"nsenter", "--net=/run/netns/" + c.space} }

// unplug takes the cable out: no packet passes, nobody is told.
func (c *cable) unplug() { c.do("ip", "link set "+c.near+" down") }

// plug puts it back.
func (c *cable) plug() { c.do("ip", "link set "+c.near+" up") }

// limit bounds what goes from the agent into the cable, by a token bucket of the
// kernel; 0 takes the bound away.
func (c *cable) limit(bytesPerSecond int) {
	if bytesPerSecond == 0 {
		c.do("tc", "-n "+c.space+" qdisc del dev "+c.far+" root")
		return
	}
	c.do("tc", fmt.Sprintf("-n %s qdisc replace dev %s root tbf rate %dbps burst %d latency 400ms", c.space, c.far, bytesPerSecond, max(16<<10, bytesPerSecond/50)))
}
