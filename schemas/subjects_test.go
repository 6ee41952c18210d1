package schemas

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseTelemetry(t *testing.T) {
	f := func(subject, tenant, device string, s Signal, ok bool) {
		t.Helper()
		for path, parse := range map[string]func(string) (string, string, Signal, bool){
			subject:                               ParseTelemetry,
			strings.ReplaceAll(subject, ".", "/"): ParseTopic,
		} {
			gotTenant, gotDevice, gotSignal, gotOK := parse(path)
			if gotOK != ok || ok && (gotTenant != tenant || gotDevice != device || gotSignal != s) {
				t.Errorf("%q: %q, %q, %q, %v", path, gotTenant, gotDevice, gotSignal, gotOK)
			}
		}
	}
	long := strings.Repeat("x", MaxNameLen)
	f("tel.acme.pump-1.metrics", "acme", "pump-1", Metrics, true)
	f("tel.acme.pump-1.traces", "acme", "pump-1", Traces, true)
	f("tel._.-.logs", "_", "-", Logs, true)
	f("tel."+long+"."+long+".metrics", long, long, Metrics, true)

	for _, bad := range []string{
		"", ".", "tel", "tel.", "tel.acme", "tel.acme.pump-1", "tel.acme.pump-1.", "tel.acme.pump-1.metric", "tel.acme.pump-1.Metrics",
		"tel.acme.pump-1.metrics.", "tel.acme.pump-1.metrics.x", ".tel.acme.pump-1.metrics", "Tel.acme.pump-1.metrics", "weir.acme.pump-1.metrics",
		"tel..pump-1.metrics", "tel.acme..metrics", "tel.*.pump-1.metrics", "tel.acme.>.metrics", "tel.acme.pump 1.metrics", "tel.acme.pump\x00.metrics",
		"tel.acme.pümp.metrics", "tel.acme.pump\n.metrics", "tel." + long + "x.pump-1.metrics", "tel.acme." + long + "x.metrics", "$SYS.acme.pump-1.metrics",
	} {
		f(bad, "", "", "", false)
	}
}

func FuzzTelemetry(f *testing.F) {
	f.Add("tel.acme.pump-1.metrics")
	f.Add("tel/acme/pump-1/logs")
	f.Add("tel.acme/pump-1.traces")
	f.Fuzz(func(t *testing.T, path string) {
		tenant, device, signal, ok := ParseTelemetry(path)
		if ok && Telemetry(tenant, device, signal) != path {
			t.Errorf("%q is taken for %q", path, Telemetry(tenant, device, signal))
		}
		byTopic, _, _, ok := ParseTopic(path)
		if ok && !strings.HasPrefix(path, "tel/"+byTopic+"/") {
			t.Errorf("%q has tenant %q", path, byTopic)
		}
	})
}

func TestSourceOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agent, region, partition := names().Draw(t, "agent"), names().Draw(t, "region"), rapid.IntRange(0, Partitions-1).Draw(t, "partition")
		f := func(subject, producer string, kind Kind) {
			got, k, ok := SourceOf(subject)
			if !ok || got != producer || k != kind {
				t.Fatalf("%s is of %q, kind %q, %v", subject, got, k, ok)
			}
		}
		f(AgentOutbox(agent, KindCommit), agent, KindCommit)
		f(Journal(agent), agent, "")
		f(GatewayOutbox(region, partition, KindCommit), Producer(region, partition), KindCommit)
		for _, other := range []string{
			State(agent), Parked(agent, "acme"), Ask("ledger", agent), PublishedWindows("acme", "device"),
			Telemetry("acme", agent, Metrics), "x" + Journal(agent), Journal(agent) + ".x", "tel.outbox." + agent + ".commit",
		} {
			if got, _, ok := SourceOf(other); ok {
				t.Fatalf("%s is of %q", other, got)
			}
		}
	})
}

// TestProducersStayApart: no agent has the subjects of a gateway partition.
func TestProducersStayApart(t *testing.T) {
	if one, other := State("north_3"), State(Producer("north", 3)); one == other {
		t.Errorf("agent north_3 and partition 3 of region north share %s", one)
	}
	rapid.Check(t, func(t *rapid.T) {
		agent, region, partition := names().Draw(t, "agent"), names().Draw(t, "region"), rapid.IntRange(0, Partitions-1).Draw(t, "partition")
		gateway := Producer(region, partition)
		if State(agent) == State(gateway) || Ask("ledger", agent) == Ask("ledger", gateway) {
			t.Fatalf("agent %s and gateway %s share %s", agent, gateway, State(agent))
		}
		for subject, filter := range map[string]string{State(gateway): StateAll, State(agent): StateAll, Journal(agent): JournalAll, Parked(agent, "acme"): ParkedAll} {
			if !overlap(subject, filter) {
				t.Fatalf("%s is not in %s", subject, filter)
			}
		}
	})
}

// TestInboxSubjects: a forwarder's subjects name their producer, and fall where
// the owner of the partition listens.
func TestInboxSubjects(t *testing.T) {
	f := func(region, producer string, partition int, l Lane) {
		t.Helper()
		subject := Inbox(region, partition, producer, l)
		got, kind, ok := SourceOf(subject)
		if got != producer || kind != KindCommit || !ok {
			t.Errorf("%s comes from %s, %s, %v; want %s", subject, got, kind, ok, producer)
		}
		for _, pattern := range []string{InboxAll(region), InboxPartition(region, partition)} {
			if !overlap(subject, pattern) {
				t.Errorf("%s is not in %s", subject, pattern)
			}
		}
		if overlap(subject, InboxPartition(region, partition+1)) {
			t.Errorf("%s is in another partition too", subject)
		}
		if link := Link(region, partition, producer); !overlap(link, LinkPartition(region, partition)) || strings.Count(link, ".") != 4 {
			t.Errorf("%s is not in %s", link, LinkPartition(region, partition))
		}
	}
	f("north", "a001", 3, LaneLive)
	f("north", "a001", 3, LaneAlert)
	f(Center, Producer("north", 15), 0, LaneBackfill)
}
