package bus

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"weir/schemas"
)

// proxy passes TCP connections on to an address until it is cut.
type proxy struct {
	t    testing.TB
	to   string
	addr string
	wg   sync.WaitGroup

	mu    sync.Mutex
	l     net.Listener // nil: cut
	conns []net.Conn
}

func newProxy(t testing.TB, to string) *proxy {
	t.Helper()
	p := &proxy{t: t, to: to, addr: freeAddr(t)}
	p.heal()
	t.Cleanup(func() {
		p.cut()
		p.wg.Wait()
	})
	return p
}

// heal listens, always at the same address.
func (p *proxy) heal() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.l = l
	p.mu.Unlock()
	p.wg.Go(func() { p.accept(l) })
}

func (p *proxy) accept(l net.Listener) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = from.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, from, to)
		if p.l != l {
			_, _ = from.Close(), to.Close()
		}
		p.mu.Unlock()
		pipe := func(a, b net.Conn) {
			_, _ = io.Copy(a, b)
			_, _ = a.Close(), b.Close()
		}
		p.wg.Go(func() { pipe(from, to) })
		p.wg.Go(func() { pipe(to, from) })
	}
}

// cut ends every connection and takes no more.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.l == nil {
		return
	}
	_ = p.l.Close()
	p.l = nil
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// TestCut: a link that is cut is noticed, what is in flight fails, each message
// once, and within two seconds of its healing messages arrive again.
func TestCut(t *testing.T) {
	t.Parallel()
	r := region(t, Config{})
	p := newProxy(t, r.LeafAddr())
	a := agent(t, "a1", Upstream{URL: "nats-leaf://" + p.addr})
	s := sender(t, a, "a1")

	for range 3 {
		results := make(chan error, flightMessages)
		p.cut()
		for range flightMessages {
			if err := s.Send(t.Context(), inbox("a1"), make([]byte, 1000), func(err error) { results <- err }); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		for range flightMessages {
			// What was sent before the cut was noticed is lost; after that nobody is there.
			if err := <-results; !errors.Is(err, ErrLost) && !isNone(err) {
				t.Fatalf("sent over a cut link: %v", err)
			}
		}
		if d := time.Since(began); d > busy*2*time.Second {
			t.Errorf("the last of what was in flight failed after %v", d)
		}
		await(t, "the link is down", 2*time.Second, func() bool { return !a.LinkUp() })
		if _, err := s.Ask(t.Context(), schemas.Desired("r01", "a1"), nil); !isNone(err) && !errors.Is(err, ErrLost) {
			t.Errorf("asked over a cut link: %v", err)
		}

		p.heal()
		began = time.Now()
		await(t, "the first message after the cut", 10*time.Second, func() bool { return send(t, s, inbox("a1"), "x") == nil })
		t.Logf("the first message is stored %v after the heal", time.Since(began).Round(time.Millisecond))
		if d := time.Since(began); d > busy*2*time.Second {
			t.Errorf("the first message is stored only %v after the heal", d)
		}
		if !a.LinkUp() {
			t.Error("the link is said to be down")
		}
	}
}
