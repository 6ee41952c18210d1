package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"weir/services/console"
	"weir/services/forwarder"
	"weir/services/internal/bus"
	"weir/services/internal/datadir"
	"weir/services/internal/run"
	"weir/services/internal/users"
	"weir/simulator"
	"weir/simulator/plan"
)

// instance is one life of a process with a server of its own.
type instance struct {
	serverOptions
	play   playOptions
	out    io.Writer // data
	screen *screen   // messages
	log    *slog.Logger

	started  time.Time
	folder   *datadir.Folder
	people   *users.Users // nil: anybody may come
	web      net.Listener
	bus      *bus.Bus      // of the services
	server   *bus.Embedded // nil: the process has joined one that was there
	uplink   *bus.Uplink   // to the tier above, of a process that has joined; nil: there is none
	down     *bus.Uplink   // the same, where the server that was joined is not ours: it hears no commands of the tier above
	reserve  int64         // bytes of the disk that are kept free; 0: there is no server of ours
	guard    *guard        // of the server; nil: there is none of ours
	plant    *plant
	services *run.Group
	devices  *run.Group // the demo devices, which end before the services
}

// Deadlines of the end.
const (
	stopServices = 20 * time.Second
	settleWithin = 2 * time.Minute // until in_flight is 0: a window, its lateness and some
)

// runServer is weir up, agent or gateway, flags checked.
func runServer(ctx context.Context, o serverOptions, play playOptions, out io.Writer, s *screen) (err error) {
	tuneMemory()
	in := &instance{
		serverOptions: o, play: play, out: out, screen: s, started: time.Now(),
		log:      slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: o.level()})),
		services: run.NewGroup(), devices: run.NewGroup(),
	}
	defer func() { err = errors.Join(err, in.close()) }()
	document, err := o.document()
	if err != nil {
		return err
	}
	if err := in.open(ctx); err != nil {
		return unlessStopped(ctx, exitWith(exitUsage, err))
	}
	if err := in.start(ctx, document); err != nil {
		return unlessStopped(ctx, err)
	}
	if err := in.ready(ctx); err != nil {
		return err
	}
	return in.stay(ctx)
}

// unlessStopped is the error of a start; nil where somebody has asked for the end,
// which is why the start did not come to its own.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && run.Canceled(err) {
		return nil
	}
	return err
}

func (o *serverOptions) level() slog.Level {
	if o.quiet {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// open takes what only one process can have. The addresses come first: a new
// folder is not made for a start that cannot be.
func (in *instance) open(ctx context.Context) (err error) {
	if err := in.vacated(ctx); err != nil {
		return err
	}
	if in.web, err = in.http.listen(ctx); err != nil {
		return err
	}
	if in.people, err = in.serverOptions.people(in.log); err != nil {
		return err
	}
	if in.folder, err = datadir.Open(in.data, in.want()); err != nil {
		return err
	}
	if in.joins() {
		return in.join(ctx)
	}
	return in.embed()
}

// embed starts the server of this process.
func (in *instance) embed() error {
	c, err := in.serverOptions.server(in.folder)
	if err != nil {
		return err
	}
	c.Log, c.Users = in.log, known(in.people)
	if c.TLS != nil {
		c.TLS.Log = in.log
	}
	if err := in.fitDisk(); err != nil {
		return err
	}
	if in.server, err = bus.Embed(c); err != nil {
		return err
	}
	in.bus = in.server.Bus
	return nil
}

// want is what the options ask of the data folder.
func (o *serverOptions) want() datadir.Want {
	w := datadir.Want{Shape: o.shape, Fallback: datadir.Shape{Agents: 1, Regions: 1}, Version: thisBuild().Version}
	w.Owner = o.Owner
	return w
}

// dying is how long a process that was killed may take to let go of its folder
// and its sockets: with thousands of connections that is some 100 ms.
const dying = 2 * time.Second

// vacated says why the folder or an address cannot be had. Where there is a
// folder, this may be a start after a kill, so it asks again for a while.
func (in *instance) vacated(ctx context.Context) error {
	deadline := in.started.Add(dying)
	for {
		err := in.vacant(ctx)
		if err == nil || in.data == "" || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (in *instance) vacant(ctx context.Context) error {
	if in.data != "" {
		if err := datadir.CheckFree(in.data); err != nil {
			return err
		}
	}
	for _, a := range in.addresses() {
		if err := a.free(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start makes the streams, puts the policy where everybody finds it, and starts
// the services.
func (in *instance) start(ctx context.Context, document []byte) error {
	most, warning := connections(openFiles())
	if warning != "" {
		in.log.Warn(warning)
	}
	in.plant = &plant{
		most: most,
		bus:  in.bus, log: in.log, site: in.site, shape: in.folder.Shape, mqtt: in.mqtt.value, otlp: in.otlp,
		operator: in.folder.Operator.Password, http: in.web, healthy: in.healthy,
		tls: in.tls, people: in.people, fresh: in.folder.New,
		secrets: filepath.Join(in.folder.Dir, "secrets"),
		sender:  func() (*bus.Sender, error) { return in.sender(ctx) },
		budget:  forwarder.Budget{BytesPerSecond: int64(in.uplinkRate), BackfillShare: float64(in.backfillPart) / 100},
		down:    in.down,
	}
	if err := bus.Await(ctx, in.log, func() error { return in.bus.Ensure(ctx, in.plant.streams()) }); err != nil {
		return err
	}
	if err := in.guardServer(ctx); err != nil {
		return err
	}
	if err := bus.Await(ctx, in.log, func() error { return in.enlist(ctx) }); err != nil {
		return err
	}
	if document == nil && in.play.devices > 0 && in.folder.New {
		document = []byte(demoPolicy)
	}
	if document != nil {
		if err := bus.Await(ctx, in.log, func() error { return putDefault(ctx, in.bus, document) }); err != nil {
			return err
		}
	}
	if in.people != nil {
		in.services.Start("users", follow(in.people, in.server, in.log))
	}
	return in.plant.start(in.services, in.site.services())
}

// ready waits until devices are accepted and says so everywhere.
func (in *instance) ready(ctx context.Context) error {
	select {
	case <-in.plant.ready():
	case <-in.services.Failed():
		return in.services.Cause()
	case <-ctx.Done():
		return nil
	}
	b := thisBuild()
	i := datadir.Instance{
		PID: os.Getpid(), Started: in.started.UTC(), Version: b.Version, Go: b.GoVersion,
		HTTP: in.web.Addr().String(), MQTT: in.plant.mqttAddr(),
	}
	i.OTLPGRPC, i.OTLPHTTP = in.plant.otlpAddrs()
	if in.server != nil {
		i.NATS, i.Leaf, i.Class = in.server.Addr(), in.server.LeafAddr(), string(in.server.Durability())
	}
	i, err := in.folder.Announce(i)
	if err != nil {
		return err
	}
	if !in.quiet {
		fmt.Fprint(in.screen, in.banner(i))
	}
	forgetStart()
	if in.play.devices > 0 {
		in.devices.Start("demo", demo{devices: in.play.devices, rate: in.play.rate, mqtt: i.MQTT, nats: i.NATS})
		if i.NATS != "" {
			in.devices.Start("demo "+plan.PumpName, run.Func(func(ctx context.Context) error {
				return simulator.Pump(ctx, "nats://"+i.NATS, demoTenant)
			}))
		}
	}
	return nil
}

// stay shows how it stands until somebody stops it, something fails, or --for
// is over.
func (in *instance) stay(ctx context.Context) error {
	lines, stop := context.WithCancel(ctx)
	shown := make(chan struct{})
	go func() { defer close(shown); in.showLines(lines) }()
	err := in.wait(ctx)
	stop()
	<-shown
	in.screen.leave()
	if err != nil || ctx.Err() != nil || in.play.length == 0 {
		return err
	}
	return in.conclude(ctx)
}

// wait returns when there is nothing to wait for any more.
func (in *instance) wait(ctx context.Context) error {
	var over <-chan time.Time
	if in.play.length > 0 {
		over = time.After(in.play.length)
	}
	demoFailed := in.devices.Failed()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-over:
			return nil
		case <-in.services.Failed():
			return in.services.Cause()
		case <-demoFailed:
			demoFailed = nil // the services go on without them
			in.log.Warn(in.devices.Cause().Error())
		}
	}
}

// Time between two lines.
const (
	lineEvery     = time.Second      // on a terminal
	textLineEvery = 10 * time.Second // elsewhere
)

// showLines shows the balance until ctx ends.
func (in *instance) showLines(ctx context.Context) {
	if in.quiet {
		return
	}
	every := textLineEvery
	if in.screen.terminal() {
		every = lineEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if b, err := console.Ledger(ctx, in.bus, in.site.tiers()...); err == nil {
			in.screen.show(console.LiveLine(b, time.Now().UnixNano()))
		} else if ctx.Err() == nil {
			in.screen.show("no balance at the moment: " + err.Error())
		}
	}
}

// conclude ends a run of given length: devices stop, what they sent is
// accounted for, and the ledger is printed.
func (in *instance) conclude(ctx context.Context) error {
	if err := in.stopDevices(); err != nil {
		in.log.Warn(err.Error())
	}
	b, err := in.settle(ctx)
	if b != nil {
		err = errors.Join(err, showBalance(in.out, in.play.output, b))
	}
	return err
}

// settleEvery is the time between two looks at what is in flight.
const settleEvery = 200 * time.Millisecond

// settle waits until nothing is in flight. The balance it returns, if any, is
// the last one seen.
func (in *instance) settle(ctx context.Context) (last *console.Balance, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for {
		if last, err = console.Ledger(ctx, in.bus, in.site.tiers()...); err == nil && last.Totals.InFlight == 0 {
			return last, nil
		}
		select {
		case <-time.After(settleEvery):
		case <-in.services.Failed():
			return last, in.services.Cause()
		case <-ctx.Done():
			if last == nil {
				return nil, fmt.Errorf("read the balance: %w", err)
			}
			return last, fmt.Errorf("after %v still in flight: %d records; do other devices send?", settleWithin, last.Totals.InFlight)
		}
	}
}

func (in *instance) stopDevices() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*stopDemo)
	defer cancel()
	return in.devices.Stop(ctx)
}

// close ends whatever was begun: devices, services along the flow, the server,
// the folder.
func (in *instance) close() error {
	_ = in.stopDevices() // why they ended was said when they did
	ctx, cancel := context.WithTimeout(context.Background(), stopServices)
	defer cancel()
	err := in.services.Stop(ctx)
	in.disconnect()
	if in.web != nil {
		_ = in.web.Close() // the console has closed it already, if it ran
	}
	if in.folder != nil {
		err = errors.Join(err, in.folder.Close())
	}
	return err
}
