package main

import (
	"fmt"
	"net"
	"strings"

	"weir/services/internal/datadir"
)

// banner says what runs, where it is, and what to try.
func banner(i datadir.Instance, o upOptions, f *datadir.Folder) string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-8s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "weir %s is up: NATS server, %s in one process\n\n", i.Version, strings.Join(allServices, ", "))
	if i.MQTT != "" {
		row("MQTT", "%s   devices publish tel/TENANT/DEVICE/metrics; MQTT 3.1.1 and 5, QoS 0 and 1", i.MQTT)
	}
	if i.NATS != "" {
		row("NATS", "%s   devices publish or request tel.TENANT.DEVICE.metrics", i.NATS)
	}
	row("HTTP", "http://%s   page, /api/v1, /metrics", i.HTTP)
	row("data", "%s", dataLine(i, f))
	row("agents", "%d in %d %s", i.Agents, i.Regions, plural(i.Regions, "region"))
	row("demo", "%s", demoLine(o, i))
	if o.devices > 0 {
		row("", "of their messages %s", faults())
	}
	row("users", "%s", usersLine(o))
	b.WriteByte('\n')
	row("try", "%s", tryLine(i))
	row("", "weir windows --device boiler-1    weir ledger    weir --help")
	row("stop", "Ctrl-C drains and ends; a second one does not wait")
	b.WriteByte('\n')
	return b.String()
}

func dataLine(i datadir.Instance, f *datadir.Folder) string {
	if f.Temporary() {
		return i.Data + "   temporary, removed at the end; --data DIR keeps it"
	}
	return i.Data
}

func demoLine(o upOptions, i datadir.Instance) string {
	if o.devices == 0 {
		return "none; --devices 20 starts some"
	}
	way := "MQTT QoS 1"
	if i.MQTT == "" {
		way = "NATS requests"
	}
	return fmt.Sprintf("%d %s of tenant %s, each with %g readings/s over %s", o.devices, plural(o.devices, "device"), demoTenant, o.rate, way)
}

// faults is what demo devices do wrong.
func faults() string {
	var wrong []string
	for _, m := range misbehaviour {
		wrong = append(wrong, m.says)
	}
	return strings.Join(wrong, ", ")
}

func usersLine(o upOptions) string {
	if o.insecure {
		return "none: anybody who reaches these addresses is whoever they say"
	}
	return "none: a device is whoever it says it is, so only this machine is let in"
}

// tryLine is a command that works as it stands.
func tryLine(i datadir.Instance) string {
	const reading = `'{"temp":21.5}'`
	host, port, err := net.SplitHostPort(i.MQTT)
	if err != nil {
		return "nats request -s " + i.NATS + " tel.demo.boiler-1.metrics " + reading
	}
	where := ""
	if host != "127.0.0.1" && host != "::" && host != "0.0.0.0" {
		where += " -h " + host
	}
	if port != "1883" {
		where += " -p " + port
	}
	return "mosquitto_pub" + where + " -t tel/demo/boiler-1/metrics -q 1 -m " + reading
}

func plural(n int, one string) string {
	if n == 1 {
		return one
	}
	return one + "s"
}
