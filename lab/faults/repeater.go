package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"weir/lab/faults/scenario"
	"weir/schemas"
)

// repeater stores entries of a gateway's inbox again, each as it was, in any
// order and late: what resends, cut links and fail-overs do at their worst. It
// signs in as an operator.
type repeater struct {
	x       *site
	nc      *nats.Conn
	percent int
	chance  *rand.Rand

	mu    sync.Mutex
	held  []*nats.Msg // to come again, in no order
	again int         // stored
	done  chan struct{}
	ended sync.WaitGroup
}

// heldAtMost bounds the entries that wait to come again.
const heldAtMost = 100

// repeatEvery is the time between two entries that come again.
const repeatEvery = 20 * time.Millisecond

func newRepeater(x *site, name string, percent int) *repeater {
	o := x.processes[name].Operator()
	nc, err := nats.Connect("nats://"+x.processes[name].NATS, nats.UserInfo(o.User, o.Password), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		x.Fatalf("sign in at %s to repeat entries: %v", name, err)
	}
	r := &repeater{x: x, nc: nc, percent: percent, chance: rand.New(rand.NewPCG(uint64(percent), 1)), done: make(chan struct{})}
	inbox := name
	if name == scenario.Center {
		inbox = schemas.Center
	}
	if _, err := nc.Subscribe(schemas.InboxAll(inbox), r.take); err != nil {
		x.Fatalf("listen to the inbox of %s: %v", name, err)
	}
	r.ended.Go(r.run)
	return r
}

// take keeps some of the entries that come by, but none that it has sent itself:
// a flood would grow from them.
func (r *repeater) take(m *nats.Msg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Header.Get(mark) != "" || r.chance.IntN(100) >= r.percent || len(r.held) == heldAtMost {
		return
	}
	again := &nats.Msg{Subject: m.Subject, Data: m.Data, Header: nats.Header{mark: {"1"}}}
	r.held = append(r.held, again)
}

// mark is the header of what has come from a repeater.
const mark = "Lab-Again"

func (r *repeater) run() {
	tick := time.NewTicker(repeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.done:
			return
		case <-tick.C:
			r.repeat()
		}
	}
}

// repeat stores one of the entries that wait, by chance.
func (r *repeater) repeat() {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.held)
	if n < heldAtMost/10 {
		return // let some come together, so that the order is another
	}
	i := r.chance.IntN(n)
	m := r.held[i]
	r.held[i] = r.held[n-1]
	r.held = r.held[:n-1]
	if err := r.nc.PublishMsg(m); err == nil {
		r.again++
	}
}

// stop ends the repeating and says how much it was: none is a fault of the
// scenario.
func (r *repeater) stop() {
	close(r.done)
	r.ended.Wait()
	defer r.nc.Close()
	if err := r.nc.Flush(); err != nil {
		r.x.Errorf("repeat entries: %v", err)
	}
	if r.again == 0 {
		r.x.Errorf("no entry came again: the scenario has too little load for repeat")
	}
	r.x.Logf("%s", fmt.Sprintf("%d entries came again", r.again))
}
