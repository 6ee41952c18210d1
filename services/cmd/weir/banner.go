package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"weir/services/internal/bus"
	"weir/services/internal/datadir"
	"weir/simulator/plan"
)

// banner says what runs, where it is, and what to try.
func (in *instance) banner(i datadir.Instance) string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-8s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "weir %s %s: %s%s in one process\n\n", i.Version, in.who(), in.serverWord(), strings.Join(in.site.services(), ", "))
	if i.MQTT != "" {
		row("MQTT", "%s   devices publish tel/TENANT/DEVICE/metrics; MQTT 3.1.1 and 5, QoS 0 and 1", i.MQTT)
	}
	if i.OTLPGRPC != "" || i.OTLPHTTP != "" {
		row("OTLP", "%s   OpenTelemetry of tenant %s: metrics, spans and log records", otlpLine(i), in.otlp.tenant)
	}
	switch {
	case in.joins():
		row("NATS", "%s   joined", in.nats.value)
	case i.NATS != "":
		row("NATS", "%s   %s", i.NATS, in.natsLine())
	}
	if isGateway(in.Role) {
		row("member", "%s", in.memberLine())
	}
	row("HTTP", "http://%s   page, /api/v1, /metrics", i.HTTP)
	if i.Leaf != "" {
		row("links", "%s   the tier below comes in here", i.Leaf)
	}
	if in.Role != "" && in.Role != roleCenter {
		row("upstream", "%s", in.upstreamLine())
	}
	row("data", "%s", dataLine(i, in.folder))
	if in.server != nil {
		row("", "%s", in.durabilityLine())
	}
	if in.Role == "" {
		row("agents", "%d in %d %s", i.Agents, i.Regions, plural(i.Regions, "region"))
		row("demo", "%s", in.demoLine(i))
	}
	if in.play.devices > 0 {
		row("", "of their messages %s", faults())
		row("", "every fifth is silent, hangs, steps or spikes now and then: weir findings --follow")
		if i.NATS != "" {
			row("", "%s, after %s and then every %s: its pressure goes against its flow", plan.PumpName, minutes(plan.PumpLearns), minutes(plan.PumpEvery))
		}
	}
	if in.server != nil {
		row("users", "%s", in.usersLine())
	}
	b.WriteByte('\n')
	if in.plant.ingest != nil {
		row("try", "%s", tryLine(i, in.users != ""))
		row("", "weir windows --device boiler-1    weir ledger    weir --help")
	}
	row("stop", "Ctrl-C drains and ends; a second one does not wait")
	b.WriteByte('\n')
	return b.String()
}

// who is what the process is, as the end of a sentence.
func (in *instance) who() string {
	if in.Role == "" {
		return "is up"
	}
	return "runs " + in.Owner.String()
}

// serverWord begins the list of what runs in the process.
func (in *instance) serverWord() string {
	if in.joins() {
		return ""
	}
	return "NATS server, "
}

func (in *instance) natsLine() string {
	if in.plant.ingest == nil {
		return "operators; policy is in KV"
	}
	return "devices publish or request tel.TENANT.DEVICE.metrics"
}

func (in *instance) upstreamLine() string {
	if in.upstream == "" && in.joins() {
		return "none here: others of the region bring its entries up; --upstream lets this one too"
	}
	if in.upstream == "" {
		return "none: it works alone; --upstream links it later"
	}
	return in.upstream
}

func (in *instance) durabilityLine() string {
	if in.durability == string(bus.Durable) {
		return "durable: a power cut takes nothing that was acknowledged"
	}
	return "fast: a power cut may take the last second, declared"
}

func dataLine(i datadir.Instance, f *datadir.Folder) string {
	if f.Temporary() {
		return i.Data + "   temporary, removed at the end; --data DIR keeps it"
	}
	return i.Data
}

func (in *instance) demoLine(i datadir.Instance) string {
	if in.play.devices == 0 {
		return "none; --devices 20 starts some"
	}
	way := "MQTT QoS 1"
	if i.MQTT == "" {
		way = "NATS requests"
	}
	return fmt.Sprintf("%d %s of tenant %s, each with %g readings/s over %s", in.play.devices, plural(in.play.devices, "device"), demoTenant, in.play.rate, way)
}

// faults is what demo devices do wrong.
func faults() string {
	var wrong []string
	for _, m := range misbehaviour {
		wrong = append(wrong, m.says)
	}
	return strings.Join(wrong, ", ")
}

func (in *instance) usersLine() string {
	if in.users != "" {
		return "those of " + in.users
	}
	if in.insecure {
		return "none: anybody who reaches these addresses is whoever they say"
	}
	return "none: a device is whoever it says it is, so only this machine is let in"
}

// tryLine is a command that works as it stands.
func tryLine(i datadir.Instance, users bool) string {
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
	if users {
		where += " -u USER -P PASSWORD"
	}
	return "mosquitto_pub" + where + " -t tel/demo/boiler-1/metrics -q 1 -m " + reading
}

func minutes(ns int64) string { return fmt.Sprintf("%.0f min", time.Duration(ns).Minutes()) }

func plural(n int, one string) string {
	if n == 1 {
		return one
	}
	return one + "s"
}
