package torture

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/lab/harness"
	"weir/schemas"
)

// TestLostFrame takes acknowledged records out of the journal before any fold has
// committed them, as a broken disk would. They are gone, and the ledger must say
// how many they were: to the unit, declared, and nothing unexplained.
func TestLostFrame(t *testing.T) {
	const tries = 10
	p := harness.Start(t, weir, "--policy", harness.FastPolicy(t))
	lost, counted := uint64(0), uint64(0)
	for try := range tries {
		operator, device := signIn(t, p), anonymous(t, p)
		send(t, device, 3)
		send(t, device, 7)
		send(t, device, 2) // nobody can miss the last frame of all
		removeFrame(t, operator, 7)
		p.Kill()
		p.Launch()
		p.Ready()
		counted += 5
		lost += awaitLoss(t, p, counted, lost+7)
		if lost > 0 {
			t.Logf("lost %d records at try %d", lost, try+1)
			return
		}
		counted += 7
	}
	t.Errorf("in %d tries the fold had always committed the frame before it was lost", tries)
}

// awaitLoss waits until the ledger has closed in one of two ways: the frame was
// committed before it was lost, so that its records are counted, or they are
// declared lost. It returns how many are.
func awaitLoss(t *testing.T, p *harness.Product, counted, lost uint64) uint64 {
	t.Helper()
	var declared uint64
	harness.Until(t, time.Minute, func() string {
		l, err := p.Balance()
		if err != nil {
			return err.Error()
		}
		switch l.Totals {
		case schemas.Account{Received: counted, Counted: counted, LostDeclared: lost}:
			declared = lost
			return ""
		case schemas.Account{Received: counted + 7, Counted: counted + 7}:
			return ""
		}
		return fmt.Sprintf("the ledger says %+v, wanted %d counted and %d declared lost", l.Totals, counted, lost)
	})
	return declared
}

func anonymous(t *testing.T, p *harness.Product) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://" + p.NATS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func signIn(t *testing.T, p *harness.Product) nats.JetStreamContext {
	t.Helper()
	o := p.Operator()
	nc, err := nats.Connect("nats://"+p.NATS, nats.UserInfo(o.User, o.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// send has so many records journaled, in one frame.
func send(t *testing.T, nc *nats.Conn, records int) {
	t.Helper()
	payload := "[1"
	for range records - 1 {
		payload += ",1"
	}
	m, err := nc.Request("tel.acme.pump-1.metrics", []byte(payload+"]"), time.Minute)
	if want := fmt.Sprintf(`{"records":%d,"journaled":%d}`, records, records); err != nil || string(m.Data) != want {
		t.Fatalf("the reply is %v, %v, wanted %s", m, err, want)
	}
}

// removeFrame deletes the newest journal message of so many records. It may be gone
// already: what is committed is purged.
func removeFrame(t *testing.T, js nats.JetStreamContext, records int) {
	t.Helper()
	const journal = "WEIR_" + schemas.StreamJournal
	info, err := js.StreamInfo(journal)
	if err != nil {
		t.Fatal(err)
	}
	var d schemas.FrameDecoder
	for seq := info.State.LastSeq; seq >= info.State.FirstSeq; seq-- {
		m, err := js.GetMsg(journal, seq)
		if errors.Is(err, nats.ErrMsgNotFound) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		head, err := d.Head(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		if head.Records == records {
			if err := js.SecureDeleteMsg(journal, seq); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}
