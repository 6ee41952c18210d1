package gateway

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/lease"
)

// quick are times that a test can wait for.
var quick = lease.Times{Renew: 400 * time.Millisecond, Stale: 1500 * time.Millisecond}

// leased is the config of a gateway that shares by a bucket.
func (r *region) leased(name, bucket string, b *bus.Bus) Config {
	r.Helper()
	store, err := b.Bucket(r.Context(), bucket, 1)
	if err != nil {
		r.Fatal(err)
	}
	cfg := InboxConfig(packedInbox())
	cfg.Leases = &Leases{Store: store, Name: name, Times: quick}
	return cfg
}

// feed brings entries of many agents, a round each few milliseconds, until the
// returned func is called.
func (r *region) feed(agents int) (stop func()) {
	ctx, cancel := context.WithCancel(r.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			for i := range agents {
				agent := fmt.Sprintf("a%03d", i)
				r.put(agent, r.entry(agent))
			}
			r.pause()
		}
	})
	return func() { cancel(); wg.Wait() }
}

// owns is how many partitions a service serves.
func owns(s *Service) int { return len(s.serving()) }

// await waits for a condition.
func (r *region) await(what string, ok func() bool) {
	r.Helper()
	for until := time.Now().Add(time.Minute); !ok(); r.pause() {
		if time.Now().After(until) {
			r.Fatalf("waited in vain: %s", what)
		}
	}
}

// TestTwoGateways: gateways on one server share the partitions of a region under
// load. One dies, comes back, and the other ends in order: partitions move, and
// nothing is lost or counted twice.
func TestTwoGateways(t *testing.T) {
	r := newRegion(t)
	at1, at2, at3 := r.connect("gw1"), r.connect("gw2"), r.connect("gw1 again")
	one, end1 := r.start(r.leased("gw1", schemas.BucketLease, at1), at1)
	stopFeed := r.feed(40)
	r.await("one gateway owns all", func() bool { return owns(one) == schemas.Partitions })
	two, end2 := r.start(r.leased("gw2", schemas.BucketLease, at2), at2)
	shared := func(a, b *Service) func() bool {
		return func() bool { return owns(a) > 0 && owns(b) > 0 && owns(a)+owns(b) == schemas.Partitions }
	}
	r.await("two gateways share", shared(one, two))
	r.checks(schemas.Partitions)

	at1.Close() // it dies: nothing of it reaches the server any more
	began := time.Now()
	r.await("the other owns all", func() bool { return owns(two) == schemas.Partitions })
	t.Logf("partitions of the dead moved after %s", time.Since(began).Round(time.Millisecond))
	_ = end1()

	three, end3 := r.start(r.leased("gw1", schemas.BucketLease, at3), at3)
	r.await("they share again", shared(three, two))
	began = time.Now()
	if err := end2(); err != nil {
		t.Error(err)
	}
	r.await("the one that is left owns all", func() bool { return owns(three) == schemas.Partitions })
	t.Logf("partitions moved %s after an orderly end began", time.Since(began).Round(time.Millisecond))

	stopFeed()
	for i := range 40 {
		agent := fmt.Sprintf("a%03d", i)
		r.report(agent, 0, applied(schemas.Span{From: 1, To: r.n[agent]}))
	}
	r.wantClean(r.checks(schemas.Partitions))
	r.wantExact()
	if err := end3(); err != nil {
		t.Error(err)
	}
}

// TestOwnersOfWhatIsOpen: a partition that its owner cannot answer for, because it is
// not open yet, is nobody's to those who ask: its numbers are in no answer.
func TestOwnersOfWhatIsOpen(t *testing.T) {
	r := newRegion(t)
	at := r.connect("gw1")
	cfg := r.leased("gw1", schemas.BucketLease, at)
	cfg.Leases.Times = lease.DefaultTimes() // it loses none meanwhile
	s, end := r.start(cfg, at)
	unowned := func() int {
		o := s.Owners()
		return len(o.Unowned())
	}
	r.await("all partitions are open", func() bool { return unowned() == 0 && len(s.Owners().Owners) == schemas.Partitions })
	p := s.serving()[0]
	s.leave(p)
	if o := s.Owners(); unowned() != 1 || o.Owners[p.only] != "" {
		t.Errorf("without partition %d: %v", p.only, o.Owners)
	}
	s.enter(p)
	if unowned() != 0 {
		t.Errorf("with it: %v", s.Owners().Owners)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestTwoOwnersOfAll: two gateways that both take all partitions for theirs, as
// leases must never let them, throw each other out by the fence, again and again.
// Nothing is lost or counted twice.
func TestTwoOwnersOfAll(t *testing.T) {
	r := newRegion(t)
	at1, at2 := r.connect("gw1"), r.connect("gw2")
	one, end1 := r.start(r.leased("gw1", "ONE", at1), at1)
	two, end2 := r.start(r.leased("gw2", "TWO", at2), at2)
	stopFeed := r.feed(20)
	thrownOut := func(s *Service) func() bool { return func() bool { return owns(s) < schemas.Partitions } }
	all := func(s *Service) func() bool { return func() bool { return owns(s) == schemas.Partitions } }
	r.await("one of them owns all", func() bool { return all(one)() || all(two)() })
	r.await("one is thrown out somewhere", func() bool { return thrownOut(one)() || thrownOut(two)() })
	<-time.After(3 * quick.Stale)
	stopFeed()
	if err := end1(); err != nil {
		t.Error(err)
	}
	r.await("the other owns all", all(two))
	for i := range 20 {
		agent := fmt.Sprintf("a%03d", i)
		r.report(agent, 0, applied(schemas.Span{From: 1, To: r.n[agent]}))
	}
	r.wantClean(r.checks(schemas.Partitions))
	r.wantExact()
	if err := end2(); err != nil {
		t.Error(err)
	}
}
