package commands

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/services/internal/strays"
)

func TestMain(m *testing.M) { strays.Main(m) }

// inBubble runs a test in fake time.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// phone is a device's connection under test.
type phone struct {
	mu   sync.Mutex
	got  []Delivery
	hold chan struct{} // while it is not nil, Deliver waits for it
	err  error
}

func (p *phone) Deliver(out Delivery) error {
	p.mu.Lock()
	hold := p.hold
	p.mu.Unlock()
	if hold != nil {
		<-hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	p.got = append(p.got, out)
	return nil
}

// take returns what came since the last call, as text: payload, QoS, identifier, dup.
func (p *phone) take() (got []string) {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.got {
		s := fmt.Sprintf("%s qos%d", o.Payload, o.QoS)
		if o.QoS > 0 {
			s += fmt.Sprintf(" #%d", o.ID)
		}
		if o.Dup {
			s += " dup"
		}
		got = append(got, s)
	}
	p.got = nil
	return got
}

// bench is a desk under test.
type bench struct {
	*Desk
	t    *testing.T
	stop func()
}

// open loads and runs a desk until the bubble's test ends or it is stopped.
func open(t *testing.T, cfg Config, store Store) *bench {
	t.Helper()
	d := New(cfg, store, nil)
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Run(ctx)
	}()
	b := &bench{Desk: d, t: t}
	b.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(b.stop)
	return b
}

// send publishes a command and returns its reply.
func (b *bench) send(device, payload string) string { return b.sendFor(device, payload, 0) }

func (b *bench) sendFor(device, payload string, expires time.Duration) string {
	reply := "-"
	b.Take(Message{Subject: "cmd.t." + device, Data: []byte(payload), Expires: expires, Reply: func(data []byte, _ ...string) error {
		reply = string(data)
		return nil
	}})
	synctest.Wait()
	return reply
}

// connect attaches a client with a new phone.
func (b *bench) connect(h Hello) (*Link, *phone, Granted) {
	p := &phone{}
	l, g := b.Attach(h, p)
	l.Begin()
	return l, p, g
}

// lasting is a client whose session is kept for an hour.
func lasting(client string) Hello { return Hello{Client: client, Keep: time.Hour} }

func (b *bench) subscribe(l *Link, device string, qos byte) {
	b.t.Helper()
	if err := l.Subscribe(Device{"t", device}, qos); err != nil {
		b.t.Fatal(err)
	}
}

// balanced wants every command to have one outcome, or to wait.
func (b *bench) balanced() {
	b.t.Helper()
	synctest.Wait()
	st := b.Status()
	sum := st.Delivered + st.Expired + uint64(st.Waiting)
	for n := range maps.Values(st.Dropped) {
		sum += n
	}
	if st.Heard+st.Loaded != sum {
		b.t.Errorf("out of balance: %+v", st)
	}
	if st.Waiting == 0 && st.Bytes != 0 {
		b.t.Errorf("nothing waits, and takes %d bytes", st.Bytes)
	}
}

// faulty is a store whose calls fail on demand.
type faulty struct {
	*Memory
	mu      sync.Mutex
	failing string // the calls that fail, by name
}

var errStore = errors.New("no room")

// fail says which calls fail from now on.
func (f *faulty) fail(calls string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = calls
}

func (f *faulty) try(call string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Contains(f.failing, call) {
		return errStore
	}
	return nil
}

func (f *faulty) Keep(ctx context.Context, c Stored) (uint64, error) {
	if err := f.try("keep"); err != nil {
		return 0, err
	}
	return f.Memory.Keep(ctx, c)
}

func (f *faulty) Drop(ctx context.Context, dev Device, below uint64) error {
	if err := f.try("drop"); err != nil {
		return err
	}
	return f.Memory.Drop(ctx, dev, below)
}

func (f *faulty) Remember(ctx context.Context, key string, r Record) (uint64, error) {
	if err := f.try("remember"); err != nil {
		return 0, err
	}
	return f.Memory.Remember(ctx, key, r)
}
