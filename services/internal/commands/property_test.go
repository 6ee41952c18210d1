package commands

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is a desk whose clients come, confirm and go while the process is killed
// now and then, and a model of what each is owed. It runs without a clock: the
// desk's work is done by the steps themselves.
type world struct {
	t       *rapid.T
	store   *Memory
	desk    *Desk
	clients []*actor
	device  []string       // of each command
	reached map[string]int // how often a command came to anybody
}

// actor is a client and the model of its session.
type actor struct {
	name string
	keep time.Duration // of its session; it has none where subs is nil
	subs map[string]byte
	owed map[string]bool // commands that its session must get at QoS 1
	once map[string]int  // how often it got a command at QoS 0
	link *Link           // nil: away
	p    *phone
	open []uint16 // identifiers that it has not confirmed
}

// onlyNamed is the device whose commands are kept without a session.
const onlyNamed = "d0"

func TestAtLeastOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, store: NewMemory(), reached: map[string]int{}}
		for i := range 3 {
			w.clients = append(w.clients, &actor{name: fmt.Sprint("c", i), once: map[string]int{}})
		}
		w.start()
		t.Repeat(map[string]func(*rapid.T){
			"":          func(*rapid.T) { w.check() },
			"connect":   func(t *rapid.T) { w.connect(w.anyone(t), rapid.Bool().Draw(t, "keep"), rapid.Bool().Draw(t, "clean")) },
			"subscribe": func(t *rapid.T) { w.subscribe(w.anyone(t), anyDevice(t), byte(rapid.IntRange(0, 1).Draw(t, "qos"))) },
			"leave":     func(t *rapid.T) { w.leave(w.anyone(t)) },
			"send":      func(t *rapid.T) { w.send(anyDevice(t)) },
			"confirm":   func(t *rapid.T) { w.confirm(w.anyone(t), rapid.IntRange(1, 5).Draw(t, "n")) },
			"purge":     func(*rapid.T) { w.desk.purge(context.Background(), purgeMost) },
			"kill":      func(*rapid.T) { w.start() },
		})
		w.finish()
	})
}

func anyDevice(t *rapid.T) string { return fmt.Sprint("d", rapid.IntRange(0, 2).Draw(t, "device")) }

func (w *world) anyone(t *rapid.T) *actor { return w.clients[rapid.IntRange(0, 2).Draw(t, "client")] }

// start begins a process on what the one before, killed, has stored.
func (w *world) start() {
	w.desk = New(Config{PerDevice: 10_000, Named: func(_, d string) bool { return d == onlyNamed }}, w.store, nil)
	if err := w.desk.Load(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	for _, a := range w.clients {
		a.link, a.open = nil, nil
		if a.keep == 0 {
			a.subs, a.owed = nil, nil
		}
	}
}

func (w *world) connect(a *actor, keep, clean bool) {
	h := Hello{Client: a.name, Clean: clean}
	if keep {
		h.Keep = time.Hour
	}
	before := a.keep > 0 && len(a.subs) > 0
	if a.p = (&phone{}); clean || a.keep == 0 {
		a.subs, a.owed = nil, nil
	}
	if a.subs == nil {
		a.subs, a.owed = map[string]byte{}, map[string]bool{}
	}
	a.keep, a.open = h.Keep, nil
	var g Granted
	a.link, g = w.desk.Attach(h, a.p)
	if before && !clean && !g.Present || clean && g.Present {
		w.t.Fatalf("%s: present %v", a.name, g.Present)
	}
	if g.Present && !before { // a kill kept it from being forgotten
		for dev, qos := range g.Subscriptions {
			a.subs[dev.Name] = qos
		}
	}
	a.link.Begin()
}

func (w *world) subscribe(a *actor, device string, qos byte) {
	if a.link == nil {
		return
	}
	if err := a.link.Subscribe(Device{"t", device}, qos); err != nil {
		w.t.Fatal(err)
	}
	a.subs[device] = qos
}

func (w *world) leave(a *actor) {
	if a.link == nil {
		return
	}
	a.link.Detach()
	if a.link = nil; a.keep == 0 {
		a.subs, a.owed = nil, nil
	}
}

func (w *world) send(device string) {
	payload := fmt.Sprint(len(w.device))
	w.device = append(w.device, device)
	for _, a := range w.clients {
		if qos, ok := a.subs[device]; ok && qos > 0 {
			a.owed[payload] = true
		}
	}
	w.desk.mu.Lock()
	w.desk.counts.Heard++
	w.desk.mu.Unlock()
	w.desk.process(context.Background(), Message{Subject: "cmd.t." + device, Data: []byte(payload)})
}

// listen reads what a client got, and wants it to be its own.
func (w *world) listen(a *actor) {
	if a.link == nil {
		return
	}
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	for _, o := range a.p.got {
		payload := string(o.Payload)
		w.reached[payload]++
		var n int
		if _, err := fmt.Sscan(payload, &n); err != nil || w.device[n] != o.Name {
			w.t.Fatalf("%s got %s for %s", a.name, payload, o.Name)
		}
		if _, ok := a.subs[o.Name]; !ok {
			w.t.Fatalf("%s got a command for %s, and subscribes to %v", a.name, o.Name, a.subs)
		}
		if o.QoS == 0 {
			if a.once[payload]++; a.once[payload] > 1 {
				w.t.Fatalf("%s got %s twice at QoS 0", a.name, payload)
			}
			continue
		}
		a.open = append(a.open, o.ID)
		delete(a.owed, payload)
	}
	a.p.got = nil
}

func (w *world) confirm(a *actor, n int) {
	w.listen(a)
	for ; n > 0 && a.link != nil && len(a.open) > 0; n-- {
		a.link.Acked(a.open[0], true)
		a.open = a.open[1:]
	}
}

func (w *world) check() {
	w.desk.pumps.Wait() // phones never hold one up
	for _, a := range w.clients {
		w.listen(a)
		if a.link != nil && len(a.open) > window {
			w.t.Fatalf("%s has %d unconfirmed commands", a.name, len(a.open))
		}
	}
	st := w.desk.Status()
	sum := st.Delivered + st.Expired + uint64(st.Waiting)
	for n := range maps.Values(st.Dropped) {
		sum += n
	}
	if st.Heard+st.Loaded != sum {
		w.t.Fatalf("out of balance: %+v", st)
	}
}

// finish lets everybody come back and confirm: each lasting session must have got
// what it is owed, and what was sent to a named device somebody has got.
func (w *world) finish() {
	for _, a := range w.clients {
		switch {
		case a.link == nil && a.keep > 0:
			w.connect(a, true, false)
		case a.link == nil: // a session that a kill kept from being forgotten
			w.connect(a, false, true)
		}
	}
	last := &actor{name: "last", once: map[string]int{}}
	w.clients = append(w.clients, last)
	w.connect(last, false, true)
	w.subscribe(last, onlyNamed, 1)
	for range 2 * len(w.device) {
		w.check()
		for _, a := range w.clients {
			w.confirm(a, 10_000)
		}
	}
	w.check()
	for _, a := range w.clients {
		if len(a.owed) > 0 {
			w.t.Fatalf("%s never got %v", a.name, a.owed)
		}
	}
	for n, device := range w.device {
		if device == onlyNamed && w.reached[fmt.Sprint(n)] == 0 {
			w.t.Fatalf("command %d for the named device reached nobody", n)
		}
	}
	if st := w.desk.Status(); st.Waiting != 0 {
		w.t.Fatalf("everything is confirmed, and %d wait", st.Waiting)
	}
}
