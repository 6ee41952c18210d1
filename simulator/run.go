package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weir/simulator/plan"
	"weir/simulator/truth"
)

const (
	spareFiles     = 64 // beside one per device
	perPlayer      = 500
	statusEvery    = 5 * time.Second // between status lines in the truth file
	drainCancelled = 5 * time.Second // longest drain once ctx has ended
)

// Run plays devices until the schedule is over, or ctx ends, and everything
// sent is settled, or the drain time is over. progress, unless nil, is called
// once a second. The summary counts what the truth file, by then complete, says.
//
// A ctx that ends is a normal end. Errors: *OptionsError before anything was
// sent, *UnreachableError where no device could connect.
func Run(ctx context.Context, o Options, progress func(Progress)) (Summary, error) {
	o, spec, err := o.ready()
	if err != nil {
		return Summary{}, err
	}
	if o.MQTT != "" {
		if err := openFiles(uint64(o.Devices) + spareFiles); err != nil {
			return Summary{}, &OptionsError{Err: err}
		}
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	return newRun(o, spec, o.dialer(), progress).play(ctx)
}

// dialer opens connections to the MQTT listener.
func (o Options) dialer() dialFunc {
	addr, secure := o.mqttAddr()
	dial := new(net.Dialer).DialContext
	if secure {
		dial = (&tls.Dialer{Config: o.TLS}).DialContext
	}
	return func(ctx context.Context) (net.Conn, error) { return dial(ctx, "tcp", addr) }
}

// run is one run.
type run struct {
	options  Options
	spec     plan.Spec
	dial     dialFunc
	progress func(Progress)

	devices []*device
	groups  [][]*device // by player
	links   links
	clock   runClock
	latency latency
	truth   *truth.Writer // nil: none is kept

	phase   Phase
	shown   int64 // records when progress was last shown
	shownAt time.Duration
}

// runClock is the time since the schedule started, negative before that.
type runClock struct {
	origin time.Time
	begun  atomic.Int64 // since origin
}

func (c *runClock) now() int64 { return int64(time.Since(c.origin)) - c.begun.Load() }

func newRun(o Options, spec plan.Spec, dial dialFunc, progress func(Progress)) *run {
	r := &run{options: o, spec: spec, dial: dial, progress: progress, phase: Connecting}
	r.clock.origin = time.Now()
	for i := range o.Devices {
		r.devices = append(r.devices, newDevice(i, o.QoS, &r.latency))
	}
	players := min(runtime.GOMAXPROCS(0), 1+o.Devices/perPlayer)
	r.groups = make([][]*device, players)
	for i, d := range r.devices {
		r.groups[i%players] = append(r.groups[i%players], d)
	}
	return r
}

func (r *run) play(ctx context.Context) (Summary, error) {
	linked, unlink := context.WithCancel(context.WithoutCancel(ctx))
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer unlink()
	if err := r.link(linked, &sessions); err != nil {
		return Summary{}, &UnreachableError{Addr: r.options.addr(), Err: err}
	}
	if err := r.connect(ctx); err != nil {
		return Summary{}, err
	}
	if ctx.Err() != nil { // before anything was sent
		return Summary{Run: r.options.Run, ConnectFailures: r.links.failures.Load()}, nil
	}
	if err := r.begin(); err != nil {
		return Summary{}, err
	}
	if err := r.perform(ctx); err != nil {
		return Summary{}, err
	}
	return r.finish()
}

// link starts the sessions.
func (r *run) link(ctx context.Context, sessions *sync.WaitGroup) error {
	if r.options.NATS != "" {
		return r.linkNATS(ctx, sessions)
	}
	link := newMQTTLink(r.dial, time.Duration(int64(r.spec.Batch)*r.spec.Period), r.clock.now, &r.links)
	for i, d := range r.devices {
		name := r.spec.Device(i)
		s := link.session(d, r.spec.Tenant, name)
		s.user, s.password = r.options.userOf(name), r.options.Password
		sessions.Go(func() { s.run(ctx) })
	}
	return nil
}

func (r *run) linkNATS(ctx context.Context, sessions *sync.WaitGroup) error {
	for _, group := range r.groups {
		var names []string
		for _, d := range group {
			names = append(names, r.spec.Device(d.cursor.Device))
		}
		link := newNATSLink(r.options.NATS, r.spec.Tenant, group, names, r.clock.now, &r.links)
		if err := link.open(r.options.login()...); err != nil {
			return err
		}
		sessions.Go(func() { link.run(ctx) })
	}
	return nil
}

// connect waits until all devices are connected, or no further one has been for
// the time that the options give, or ctx ends. One is enough to go on.
func (r *run) connect(ctx context.Context) error {
	most, since := 0, time.Now()
	for n := 0; ; n++ {
		p := r.stand()
		if n%20 == 0 {
			r.progress(p)
		}
		if p.Connected > most {
			most, since = p.Connected, time.Now()
		}
		stuck := time.Since(since) > r.options.Connect
		switch {
		case p.Connected == p.Devices, p.Connected > 0 && stuck, ctx.Err() != nil:
			return nil
		case stuck:
			return &UnreachableError{Addr: r.options.addr(), Err: errors.Join(r.links.lastError(), errors.New("no device could connect"))}
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// begin fixes the start of the schedule, writes the truth's header and tells
// the devices.
func (r *run) begin() error {
	start := time.Now()
	r.spec.Start = r.options.firstEvent(start) / 1e6 * 1e6
	r.clock.begun.Store(int64(start.Sub(r.clock.origin)))
	p, err := plan.New(r.spec)
	if err != nil {
		return &OptionsError{Err: err}
	}
	if r.options.Truth != "" {
		if r.truth, err = truth.Create(r.options.Truth, r.spec); err != nil {
			return &OptionsError{Err: err}
		}
	}
	for _, d := range r.devices {
		d.begin(p)
	}
	return nil
}

// perform lets the players play and looks at them once a second.
func (r *run) perform(ctx context.Context) error {
	playing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var players sync.WaitGroup
	end := make(chan struct{})
	for _, group := range r.groups {
		p := newPlayer(group, r.clock.now, int64(r.options.For))
		players.Go(func() { p.run(playing, end) })
	}
	done := make(chan struct{})
	go func() { players.Wait(); close(done) }()
	defer func() { stop(); <-done }()
	return r.watch(ctx, end, done)
}

// watch shows progress and keeps the truth until the players are done, or must
// be. It closes end when the schedule ends before its time.
func (r *run) watch(ctx context.Context, end chan<- struct{}, done <-chan struct{}) error {
	r.phase = Playing
	second := time.NewTicker(time.Second)
	defer second.Stop()
	cancelled, deadline := ctx.Done(), r.options.For+r.options.Drain
	if r.options.For == 0 {
		deadline = time.Duration(forever)
	}
	for written := time.Duration(0); ; {
		select {
		case <-done:
			r.progress(r.stand())
			return nil
		case <-cancelled:
			close(end)
			cancelled, r.phase = nil, Draining
			deadline = time.Duration(r.clock.now()) + min(r.options.Drain, drainCancelled)
		case <-second.C:
		}
		now := time.Duration(r.clock.now())
		if r.options.For > 0 && now >= r.options.For {
			r.phase = Draining
		}
		r.progress(r.stand())
		if now-written >= statusEvery {
			if err := r.record(); err != nil {
				return err
			}
			written = now
		}
		if now >= deadline {
			return nil
		}
	}
}

// record writes down what is known so far.
func (r *run) record() error {
	if r.truth == nil {
		return nil
	}
	statuses := make([]truth.Status, len(r.devices))
	for i, d := range r.devices {
		statuses[i] = d.stand()
	}
	return r.truth.Append(statuses)
}

// stand sums up how the run stands.
func (r *run) stand() Progress {
	p := Progress{Phase: r.phase, Devices: len(r.devices), Elapsed: time.Duration(r.clock.now())}
	var sum tally
	for _, d := range r.devices {
		t, up := d.tallied()
		sum.add(t)
		if up {
			p.Connected++
		}
	}
	p.Behind = time.Duration(sum.recent)
	if took := p.Elapsed - r.shownAt; took > 0 {
		p.PerSecond = float64(sum.records-r.shown) / took.Seconds()
	}
	r.shown, r.shownAt = sum.records, p.Elapsed
	p.Summary = r.summary(sum, 0)
	return p
}

// finish completes the truth and sums up.
func (r *run) finish() (Summary, error) {
	var sum tally
	var unknown int64
	statuses := make([]truth.Status, len(r.devices))
	for i, d := range r.devices {
		status, t := d.settle()
		statuses[i] = status
		unknown += d.recordsIn(status.Unknown)
		sum.add(t)
	}
	s := r.summary(sum, unknown)
	if r.truth == nil {
		return s, nil
	}
	return s, r.truth.Finish(statuses, sum.totals(r.options.QoS))
}

func (r *run) summary(sum tally, unknown int64) Summary {
	s := Summary{
		Run: r.options.Run, Truth: r.options.Truth, ConnectFailures: r.links.failures.Load(),
		Records: sum.records, Messages: sum.messages, Acknowledged: sum.acknowledged, Refused: sum.refused,
		Unknown: unknown, Never: sum.never, Seconds: time.Duration(sum.last).Seconds(),
		AckP50: r.latency.quantile(0.5), AckP99: r.latency.quantile(0.99),
	}
	if s.Seconds > 0 {
		s.RecordsPerSecond = float64(s.Records) / s.Seconds
	}
	if behind := time.Duration(sum.behind); behind > time.Second {
		s.BehindSeconds = behind.Seconds()
	}
	return s
}
