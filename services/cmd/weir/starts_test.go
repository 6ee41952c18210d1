package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/gateway"
	"weir/services/internal/bus"
	"weir/services/internal/datadir"
	"weir/services/internal/run"
)

// TestStartsWaitForTheServer: services that begin while their server is being
// restarted wait for it, every one of them, and then do their work. Nothing is wrong
// when they are asked to end meanwhile.
func TestStartsWaitForTheServer(t *testing.T) {
	t.Parallel()
	agent := site{Owner: datadir.Owner{Role: roleAgent, Name: "a1", Region: "north"}, linked: true}
	region := site{Owner: datadir.Owner{Role: roleRegion, Name: "north"}}
	f := func(name string, s site, waits int, asks ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testStartsWait(t, s, waits, asks, true)
		})
		t.Run(name+" ends", func(t *testing.T) {
			t.Parallel()
			testStartsWait(t, s, waits, nil, false)
		})
	}
	policed := schemas.Ask("policy", "status")
	export := func(t schemas.Tier) string { return schemas.Ask("export", string(t)) }
	f("up", site{}, 7, policed, schemas.AskLedger, schemas.AskIngest, schemas.AskNotify(schemas.TierAgent),
		schemas.AskNotify(schemas.TierCenter), export(schemas.TierRegion), export(schemas.TierCenter))
	f("agent", agent, 1, policed, schemas.AskIngest, schemas.AskNotify(schemas.TierAgent),
		schemas.AskLink(schemas.TierAgent), schemas.Ask("policy", "cache"))
	f("region", region, 1, policed, schemas.AskNotify(schemas.TierRegion), export(schemas.TierRegion))
}

// testStartsWait starts the services of a site, of which so many say that they wait, and
// asks them when the server is back; or they end while it is away.
func testStartsWait(t *testing.T, s site, waits int, asks []string, back bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log := new(said)
	in, g := startsOf(t, s, log), run.NewGroup()
	started := make(chan error, 1)
	in.server.Halt()
	go func() { started <- in.plant.start(g, s.services()) }()
	eventually(t, "they wait", func() error {
		if err := g.Cause(); err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		if n := strings.Count(log.String(), "waiting for the server"); n < waits {
			return fmt.Errorf("%d of %d say so:\n%s", n, waits, log)
		}
		return nil
	})
	if !back && s.linked {
		in.stop()
		if err := <-started; err == nil {
			t.Error("a start that was asked to end has come to its end")
		}
		return
	}
	if !back {
		if err := g.Stop(ctx); err != nil || <-started != nil {
			t.Errorf("they end with %v", err)
		}
		return
	}
	if err := in.server.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	for _, subject := range asks {
		eventually(t, subject+" is answered", func() error {
			if err := g.Cause(); err != nil {
				t.Fatalf("%v\n%s", err, log)
			}
			_, err := in.bus.Ask(ctx, subject, nil)
			return err
		})
	}
	if err := g.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// starts is an instance that has got as far as its services.
type starts struct {
	*instance
	stop func() // what the start waits for
}

// startsOf opens what the services of a site need.
func startsOf(t *testing.T, s site, log *said) starts {
	t.Helper()
	c := bus.Config{Dir: t.TempDir(), Name: "n", Prefix: "T_", OperatorPassword: "x", Log: slog.New(slog.DiscardHandler)}
	if s.linked {
		c.Upstream = &bus.Upstream{URL: "nats-leaf://127.0.0.1:1"}
	}
	server, err := bus.Embed(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	in := &instance{bus: server.Bus, server: server, log: slog.New(slog.NewTextHandler(log, nil))}
	in.site, in.Name = s, "a1"
	in.plant = &plant{
		bus: in.bus, log: in.log, site: s, shape: datadir.Shape{Agents: 1, Regions: 1}, mqtt: "127.0.0.1:0", most: 10,
		operator: "x", sender: func() (*bus.Sender, error) { return in.sender(ctx) },
	}
	if err = in.bus.Ensure(ctx, in.plant.streams()); err == nil {
		in.plant.http, err = (&address{flag: "http", value: "127.0.0.1:0"}).listen(ctx)
	}
	if err == nil && s.Role == roleRegion {
		in.plant.share = &gateway.Leases{Name: "g1"}
		in.plant.share.Store, err = in.bus.Bucket(ctx, schemas.BucketLease, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	return starts{in, stop}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	for end := time.After(patience); ; {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-end:
			t.Fatalf("not %s: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
