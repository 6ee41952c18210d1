package commands

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestConnectedDevice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := NewMemory()
		b := open(t, Config{}, store)
		l, p, g := b.connect(Hello{Client: "c"})
		if g.Present || g.Keep != 0 {
			t.Errorf("granted %+v", g)
		}
		b.subscribe(l, "d0", 0)
		b.subscribe(l, "d1", 1)
		for device, reply := range map[string]string{
			"d0": `{"kept":false,"connected":1}`, "d1": `{"kept":false,"connected":1}`, "d2": "-", "d 2": `{"error":"bad_subject"}`,
		} {
			if got := b.send(device, "on"); got != reply {
				t.Errorf("%s: reply %s, want %s", device, got, reply)
			}
		}
		got := p.take()
		slices.Sort(got)
		want(t, "delivered", got, "on qos0", "on qos1 #1")
		l.Acked(7, true) // nothing of that number
		l.Acked(1, true)
		st := b.Status()
		if st.Delivered != 2 || st.Dropped[NoSession] != 1 || st.Dropped[BadSubject] != 1 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
		if n, s := store.Len(); n+s != 0 {
			t.Errorf("%d commands and %d sessions in the store of a clean session", n, s)
		}
		b.balanced()
	})
}

// A session that outlives its connection gets everything, over its own death and
// that of the process.
func TestAwayDevice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := NewMemory()
		b := open(t, Config{}, store)
		l, p, g := b.connect(lasting("c"))
		if g.Keep != time.Hour {
			t.Errorf("granted %+v", g)
		}
		b.subscribe(l, "d", 1)
		b.send("d", "1")
		b.send("d", "2")
		want(t, "connected", p.take(), "1 qos1 #1", "2 qos1 #2")
		l.Acked(1, true)
		l.Detach()
		if got := b.send("d", "3"); got != `{"kept":true,"connected":0}` {
			t.Errorf("reply %s", got)
		}
		l, p, g = b.connect(lasting("c"))
		if !g.Present || g.Subscriptions[Device{"t", "d"}] != 1 {
			t.Errorf("the session is gone: %+v", g)
		}
		want(t, "back", p.take(), "2 qos1 #2 dup", "3 qos1 #3")
		l.Detach()

		again := open(t, Config{}, store) // as after a kill: the first desk has not ended
		if st := again.Status(); st.Loaded < 2 || st.Away != 1 {
			t.Errorf("after a restart: %+v", st)
		}
		again.send("d", "4")
		l, p, g = again.connect(lasting("c"))
		if !g.Present {
			t.Error("the session is gone after a restart")
		}
		got := p.take()
		if n := len(got); n < 3 || !slices.Equal(got[n-3:], []string{fmt.Sprintf("2 qos1 #%d", n-2), fmt.Sprintf("3 qos1 #%d", n-1), fmt.Sprintf("4 qos1 #%d", n)}) {
			t.Errorf("after a restart: %q", got)
		}
		for i := range got {
			l.Acked(uint16(i+1), true)
		}
		again.balanced()
		time.Sleep(2 * purgeEvery)
		synctest.Wait()
		if n, s := store.Len(); n != 0 || s != 1 {
			t.Errorf("%d commands and %d sessions stored at the end", n, s)
		}
		b.stop()
	})
}

// A clean start, a goodbye, the end of its time and that of its user forget a
// session. Each has its bubble.
func TestSessionsEnd(t *testing.T) {
	for name, end := range map[string]func(b *bench, l *Link){
		"clean start": func(b *bench, l *Link) {
			l.Detach()
			h := lasting("c")
			h.Clean = true
			if _, _, g := b.connect(h); g.Present {
				b.t.Error("a clean start finds a session")
			}
		},
		"time": func(b *bench, l *Link) {
			l.Detach()
			time.Sleep(time.Hour + sweepEvery)
		},
		"said goodbye": func(_ *bench, l *Link) {
			l.Keep(0)
			l.Detach()
		},
		"user is gone": func(b *bench, l *Link) {
			l.Detach()
			b.Recheck(func(string, Device) bool { return false })
		},
		"unsubscribed": func(_ *bench, l *Link) {
			l.Hold()
			l.Unsubscribe(Device{"t", "d"})
			l.Detach()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := NewMemory()
				b := open(t, Config{}, store)
				l, p, _ := b.connect(lasting("c"))
				b.subscribe(l, "d", 1)
				b.send("d", "1")
				p.take()
				if name == "unsubscribed" {
					l.Acked(1, true)
				}
				end(b, l)
				time.Sleep(2 * purgeEvery)
				if got := b.send("d", "2"); got != "-" {
					t.Errorf("a command afterwards: %s", got)
				}
				b.balanced()
				if n, _ := store.Len(); n != 0 {
					t.Errorf("%d commands stored", n)
				}
				st := b.Status()
				if name != "unsubscribed" && st.Dropped[SessionEnded] != 1 || st.Dropped[NoSession] != 1 || st.Away != 0 {
					t.Errorf("%+v", st)
				}
				b.stop()
				if again := open(t, Config{}, store); name != "unsubscribed" && again.Status().Sessions != 0 {
					t.Errorf("after a restart: %+v", again.Status())
				}
			})
		})
	}
}

// A session that stays within its time stays, however the wall clock of an earlier
// process was.
func TestTimeAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := NewMemory()
		b := open(t, Config{}, store)
		l, _, _ := b.connect(lasting("c"))
		b.subscribe(l, "d", 1)
		b.send("d", "x")
		l.Detach()
		time.Sleep(59 * time.Minute)
		b.stop()
		again := open(t, Config{}, store)
		time.Sleep(59 * time.Minute)
		if _, p, g := again.connect(lasting("c")); !g.Present || len(p.take()) != 1 {
			t.Error("the session ended before its time")
		}
		for _, came := range []time.Time{{}, time.Unix(0, 0), time.Now().Add(1000 * time.Hour)} {
			if l := again.letterOf(1, Stored{Device: Device{"t", "d"}, Came: came}, time.Now()); time.Until(l.until) != 7*24*time.Hour {
				t.Errorf("a command of %v is dropped in %v", came, time.Until(l.until))
			}
		}
	})
}

// Commands for a device that is named are kept though it has no session, and
// what a clean session has not confirmed goes to the next.
func TestNamedDevice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := NewMemory()
		cfg := Config{Named: func(tenant, device string) bool { return tenant == "t" && device == "d" }}
		b := open(t, cfg, store)
		if got := b.send("d", "1"); got != `{"kept":true,"connected":0}` {
			t.Errorf("reply %s", got)
		}
		b.stop()
		b = open(t, cfg, store)
		l, p, _ := b.connect(Hello{Client: "c"})
		b.subscribe(l, "d", 1)
		want(t, "first", p.take(), "1 qos1 #1")
		b.send("d", "2")
		l.Detach()
		b.send("d", "3")
		l, p, _ = b.connect(Hello{Client: "other", Clean: true})
		b.subscribe(l, "d", 1)
		want(t, "next", p.take(), "1 qos1 #1", "2 qos1 #2", "3 qos1 #3")
		l.Acked(1, true)
		l.Acked(2, false)
		l.Acked(3, true)
		if st := b.Status(); st.Delivered != 2 || st.Dropped[Refused] != 1 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
		b.subscribe(l, "d", 0)
		if got := b.send("d", "4"); got != `{"kept":false,"connected":1}` {
			t.Errorf("QoS 0: reply %s", got)
		}
		l.Detach()
		b.send("d", "5")
		l, p, _ = b.connect(Hello{Client: "c"})
		b.subscribe(l, "d", 0)
		want(t, "at QoS 0", p.take(), "5 qos0")
		b.balanced()
		time.Sleep(2 * purgeEvery)
		synctest.Wait()
		if n, _ := store.Len(); n != 0 {
			t.Errorf("%d commands stored", n)
		}
	})
}

// A device that is named no more loses what waits for it.
func TestNamedNoMore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var gone atomic.Bool
		b := open(t, Config{Named: func(string, string) bool { return !gone.Load() }}, NewMemory())
		b.send("d", "1")
		gone.Store(true)
		time.Sleep(2 * sweepEvery)
		if st := b.Status(); st.Waiting != 0 || st.Dropped[NoSession] != 1 {
			t.Errorf("%+v", st)
		}
		b.balanced()
	})
}

func TestQoS0IsNotKept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := NewMemory()
		b := open(t, Config{}, store)
		l, _, _ := b.connect(lasting("c"))
		b.subscribe(l, "d", 0)
		l.Detach()
		if got := b.send("d", "1"); got != `{"error":"away"}` {
			t.Errorf("reply %s", got)
		}
		_, p, _ := b.connect(lasting("c"))
		b.send("d", "2")
		want(t, "back", p.take(), "2 qos0")
		p.err = errStore
		b.send("d", "3")
		b.balanced()
		if st := b.Status(); st.Dropped[Away] != 1 || st.Dropped[Unwritten] != 1 || st.Delivered != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// Two sessions of a device both get each command, and one's answer is enough.
func TestTwoSessions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := NewMemory()
		b := open(t, Config{}, store)
		l1, p1, _ := b.connect(lasting("c1"))
		l2, p2, _ := b.connect(Hello{Client: "c2"})
		b.subscribe(l1, "d", 1)
		b.subscribe(l2, "d", 1)
		if got := b.send("d", "1"); got != `{"kept":true,"connected":2}` {
			t.Errorf("reply %s", got)
		}
		want(t, "first", p1.take(), "1 qos1 #1")
		want(t, "second", p2.take(), "1 qos1 #1")
		l2.Acked(1, true)
		if st := b.Status(); st.Waiting != 1 {
			t.Errorf("the first has not confirmed: %+v", st)
		}
		l2.Detach()
		l1.Detach()
		l1, p1, _ = b.connect(lasting("c1"))
		want(t, "first again", p1.take(), "1 qos1 #1 dup")
		l1.Acked(1, false)
		if st := b.Status(); st.Delivered != 1 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
		b.balanced()
	})
}

// Users share no sessions, whatever client identifiers they choose; and a client
// that connects twice has one session, on the newer connection.
func TestSessionsAreApart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, Config{}, NewMemory())
		alice := Hello{Client: "c", User: "alice", Keep: time.Hour}
		l, p, _ := b.connect(alice)
		b.subscribe(l, "d", 1)
		b.send("d", "1")
		want(t, "alice", p.take(), "1 qos1 #1")
		_, pm, g := b.connect(Hello{Client: "c", User: "mallory", Keep: time.Hour})
		if g.Present || len(pm.take()) != 0 {
			t.Error("mallory has alice's session")
		}
		l2, p2, g := b.connect(alice)
		if !g.Present {
			t.Error("alice's second connection finds no session")
		}
		want(t, "alice's second connection", p2.take(), "1 qos1 #1 dup")
		l.Acked(1, true)
		l.Detach() // the old connection has no say
		b.send("d", "2")
		want(t, "second", p2.take(), "2 qos1 #2")
		want(t, "first", p.take())
		l2.Acked(1, true)
		l2.Acked(2, true)
		if st := b.Status(); st.Delivered != 2 {
			t.Errorf("%+v", st)
		}
		b.balanced()
	})
}

// A connection that takes nothing holds up nobody, and a device that confirms
// nothing gets a window and no more.
func TestSlowDevice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, Config{PerDevice: 20}, NewMemory())
		slow, ps, _ := b.connect(Hello{Client: "slow"})
		b.subscribe(slow, "slow", 0)
		ps.hold = make(chan struct{})
		mute, pm, _ := b.connect(Hello{Client: "mute", Window: 3})
		b.subscribe(mute, "mute", 1)
		quick, pq, _ := b.connect(Hello{Client: "quick"})
		b.subscribe(quick, "quick", 1)
		for i := range 50 {
			b.send("slow", fmt.Sprint(i))
			b.send("mute", fmt.Sprint(i))
			b.send("quick", fmt.Sprint(i))
			want(t, "quick", pq.take(), fmt.Sprintf("%d qos1 #%d", i, i+1))
			quick.Acked(uint16(i+1), true)
		}
		want(t, "mute", pm.take(), "0 qos1 #1", "1 qos1 #2", "2 qos1 #3")
		if st := b.Status(); st.Waiting != 40 || st.Dropped[QueueFull] != 60 {
			t.Errorf("%+v", st)
		}
		close(ps.hold)
		if got := ps.take(); len(got) != 21 || got[0] != "0 qos0" || got[20] != "49 qos0" {
			t.Errorf("the slow one got %q", got)
		}
		for range 40 {
			for _, m := range slices.Clone(mute.s.queue[:mute.s.flying]) {
				mute.Acked(m.id, true)
			}
			synctest.Wait()
		}
		if got := pm.take(); len(got) != 17 || got[0] != "33 qos1 #4" || got[16] != "49 qos1 #20" {
			t.Errorf("the mute one got %q", got)
		}
		b.balanced()
	})
}
