package commands

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := NewMemory()
		b := open(t, Config{Largest: 1000, Bytes: 8000, Sessions: 1}, store)
		l, _, _ := b.connect(lasting("c"))
		for _, device := range []string{"d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9"} {
			b.subscribe(l, device, 1)
		}
		l.Detach()
		if got := b.send("d1", strings.Repeat("x", 1001)); got != `{"error":"too_large"}` {
			t.Errorf("too large: %s", got)
		}
		if _, _, g := b.connect(lasting("another")); g.Keep != 0 {
			t.Errorf("one session too many is kept: %+v", g)
		}
		if _, _, g := b.connect(Hello{Client: strings.Repeat("x", maxClient+1), Keep: time.Hour}); g.Keep != 0 {
			t.Errorf("a session of a long name is kept: %+v", g)
		}
		big := strings.Repeat("x", 700)
		b.send("d1", big)
		b.send("d1", big) // more than an eighth of all bytes: the first goes
		if st := b.Status(); st.Dropped[QueueFull] != 1 || st.Waiting != 1 {
			t.Errorf("%+v", st)
		}
		full := 0
		for _, device := range []string{"d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9"} {
			if b.send(device, big) == `{"error":"full"}` {
				full++
			}
		}
		if st := b.Status(); full != 1 || st.Bytes > 8000 || int(st.Dropped[Full]) < full {
			t.Errorf("%d refused, %+v", full, st)
		}
		b.balanced()
	})
}

// More at once than can be looked at is refused and counted.
func TestOverrun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := New(Config{}, NewMemory(), nil) // not running: nothing is looked at
		refused := 0
		for range inboxBytes/60_000 + 10 {
			d.Take(Message{Subject: "cmd.t.d", Data: make([]byte, 60_000), Reply: func(data []byte, header ...string) error {
				if string(data) == `{"error":"overrun"}` && header[0] == ErrorHeader && header[1] == "overrun" {
					refused++
				}
				return nil
			}})
		}
		if refused != 10+1 && refused != 10 || int(d.Status().Dropped[Overrun]) != refused {
			t.Errorf("%d refused, %+v", refused, d.Status())
		}
	})
}

func TestSessionsOfADevice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, Config{}, NewMemory())
		for i := range perBox {
			l, _, _ := b.connect(Hello{Client: string(rune('a' + i))})
			b.subscribe(l, "d", 1)
			b.subscribe(l, "d", 0)
		}
		l, _, _ := b.connect(Hello{Client: "z"})
		if l.Subscribe(Device{"t", "d"}, 1) == nil {
			t.Error("no bound on the sessions of a device")
		}
	})
}

func TestExpiry(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := NewMemory()
		b := open(t, Config{}, store)
		l, p, _ := b.connect(lasting("c"))
		b.subscribe(l, "d", 1)
		b.sendFor("d", "flying", time.Minute)
		want(t, "connected", p.take(), "flying qos1 #1")
		time.Sleep(2 * time.Minute)
		l.Acked(1, true) // late, and still
		l.Detach()
		b.sendFor("d", "short", 10*time.Second)
		b.sendFor("d", "long", 2*time.Minute)
		b.send("d", "for ever")
		time.Sleep(time.Minute)
		_, p, _ = b.connect(lasting("c"))
		synctest.Wait()
		if g := p.got; len(g) != 2 || g[0].Expires != time.Minute || g[1].Expires != 0 {
			t.Errorf("got %+v", g)
		}
		want(t, "back", p.take(), "long qos1 #2", "for ever qos1 #3")
		if st := b.Status(); st.Expired != 1 || st.Delivered != 1 {
			t.Errorf("%+v", st)
		}
		b.stop()
		b = open(t, Config{}, store)
		time.Sleep(90 * time.Second)
		_, p, _ = b.connect(lasting("c"))
		want(t, "after a restart", p.take(), "for ever qos1 #1")
		if st := b.Status(); st.Expired != 1 {
			t.Errorf("%+v", st)
		}
		time.Sleep(8 * 24 * time.Hour)
		b.balanced()
	})
}

// A client is not sent what it cannot read.
func TestLargestOfClient(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, Config{}, NewMemory())
		h := lasting("c")
		h.Largest = 5
		l, p, _ := b.connect(h)
		b.subscribe(l, "d", 1)
		b.send("d", "123456")
		b.send("d", "12345")
		want(t, "small", p.take(), "12345 qos1 #1")
		if st := b.Status(); st.Dropped[TooLarge] != 1 {
			t.Errorf("%+v", st)
		}
		b.balanced()
	})
}

// A store that fails costs durability and says so; deliveries go on.
func TestStoreFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := &faulty{Memory: NewMemory()}
		b := open(t, Config{Named: func(_, device string) bool { return device == "named" }}, store)
		l, p, _ := b.connect(lasting("c"))
		store.fail("remember")
		if l.Subscribe(Device{"t", "d"}, 1) == nil {
			t.Error("a subscription that is not stored is granted")
		}
		store.fail("")
		b.subscribe(l, "d", 1)
		store.fail("keep")
		if got := b.send("d", "1"); got != `{"kept":false,"connected":1}` {
			t.Errorf("connected: %s", got)
		}
		if got := b.send("named", "1"); got != `{"error":"not_stored"}` {
			t.Errorf("named: %s", got)
		}
		want(t, "connected", p.take(), "1 qos1 #1")
		store.fail("drop")
		b.send("d", "2")
		l.Acked(1, true)
		l.Acked(2, true)
		time.Sleep(3 * purgeEvery)
		if n, _ := store.Len(); n != 1 {
			t.Errorf("%d commands stored", n)
		}
		store.fail("")
		time.Sleep(2 * purgeEvery)
		if n, _ := store.Len(); n != 0 {
			t.Errorf("%d commands stored after the store is well", n)
		}
		b.balanced()
	})
}

// Nothing is left of ten thousand devices that came and went.
func TestNothingStays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, Config{}, NewMemory())
		for i := range 10_000 {
			name := "d" + string(rune('a'+i%26)) + strings.Repeat("x", i/26%50)
			l, p, _ := b.connect(Hello{Client: name, Keep: time.Duration(i%2) * time.Minute})
			if err := l.Subscribe(Device{"t", name}, byte(i%3/2)); err != nil {
				t.Fatal(err)
			}
			b.Take(Message{Subject: "cmd.t." + name, Data: []byte("on")})
			if i%1000 == 0 {
				p.take()
			}
			l.Detach()
		}
		time.Sleep(10 * time.Minute)
		b.balanced()
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.boxes)+len(b.sessions)+len(b.dirty)+len(b.forget)+b.lasting+int(b.bytes) != 0 {
			t.Errorf("%d boxes, %d sessions, %d dirty, %d to forget, %d lasting, %d bytes", len(b.boxes), len(b.sessions), len(b.dirty), len(b.forget), b.lasting, b.bytes)
		}
	})
}

func TestDocumentedReasons(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/users.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range []Reason{BadSubject, TooLarge, NoSession, Away, QueueFull, Full, Overrun, NotStored, SessionEnded, Unwritten, Refused} {
		if !strings.Contains(string(doc), "`"+string(why)+"`") {
			t.Errorf("the reference does not explain %s", why)
		}
	}
}
