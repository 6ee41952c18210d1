package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/datadir"
)

func TestServicesOfRun(t *testing.T) {
	for _, c := range []struct{ names, says string }{
		{"", "name at least one"},
		{"ingest policy", ""},
		{"aggregator gateway console", ""},
		{"ingest", "both"},
		{"policy console", "both"},
		{"aggregators", "aggregators"},
	} {
		err := checkServices(strings.Fields(c.names))
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.names, err)
		}
	}
	if got := inFlow([]string{"console", "policy", "ingest", "policy"}); !slices.Equal(got, []string{"ingest", "policy", "console"}) {
		t.Errorf("sorted %v", got)
	}
}

// TestRunOnAServer joins two processes with services to a server that is there.
func TestRunOnAServer(t *testing.T) {
	who := datadir.Operator{User: bus.UserOperator, Password: "of-this-test"}
	server, err := bus.Embed(bus.Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", Prefix: schemas.DefaultPrefix,
		OperatorPassword: who.Password, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	creds := filepath.Join(t.TempDir(), "operator.json")
	text, _ := json.Marshal(who)
	if err := os.WriteFile(creds, text, 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--nats", "nats://" + server.Addr(), "--creds", creds, "--mqtt", "", "--otlp-grpc", "", "--otlp-http", ""}
	edge := start(t, append([]string{"run", "policy", "ingest"}, flags...)...)
	fold := start(t, append([]string{"run", "aggregator", "gateway"}, flags...)...)
	telemetry := schemas.Telemetry("demo", "boiler-1", schemas.Metrics)
	edge.eventually("accepting devices", func() error {
		_, err := server.Ask(t.Context(), telemetry, []byte(`{"temp":21.5}`))
		return err
	})
	fold.eventually("counting", func() error { return balanced(t.Context(), server.Bus) })
	fold.interrupt()
	edge.interrupt()
}

// balanced wants records and none unexplained.
func balanced(ctx context.Context, b *bus.Bus) error {
	data, err := b.Ask(ctx, schemas.AskLedger, nil)
	if err != nil {
		return err
	}
	var agents []schemas.AgentLedger
	if err := json.Unmarshal(data, &agents); err != nil {
		return err
	}
	if l := schemas.NewLedger(agents); l.Totals.Received == 0 || l.Totals.Unexplained != 0 {
		return fmt.Errorf("totals %+v", l.Totals)
	}
	return nil
}
