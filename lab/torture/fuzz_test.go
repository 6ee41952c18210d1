package torture

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/lab/harness"
	"weir/schemas"
)

// senders pour the messages in: so many connections of each kind.
var senders = []struct {
	name string
	n    int
	pour func(p *harness.Product, m *mixer, messages int) (tally, error)
}{
	{"mqtt-0", 2, pourMQTT((*harness.Device).Send)},
	{"mqtt-1", 4, pourMQTT((*harness.Device).SendAcknowledged)},
	{"nats", 4, pourNATS},
}

// TestFuzz mixes bad messages one to one with good ones and wants every good
// record counted, and every bad message under its one reason.
func TestFuzz(t *testing.T) {
	s := seed(0)
	t.Logf("seed %d", s)
	p := harness.New(t, weir)
	p.Flags("--agents", "2", "--policy", patientPolicy(t, p))
	p.Launch()
	p.Ready()
	before := p.Resources()
	want := pourAll(t, p, s, 2**fuzzMessages)
	t.Logf("sent %d good records and %d bad messages: %v", want.good, want.bad(), want.rejected)
	p.Settle("", schemas.Account{Received: want.good + want.bad(), Counted: want.good, Rejected: want.bad()})
	l := p.Ledger()
	if wrong := harness.Unbalanced(l); wrong != "" {
		t.Error(wrong)
	}
	if got := harness.Rejections(l); !maps.Equal(got, want.rejected) {
		t.Errorf("rejected are %v, wanted %v", got, want.rejected)
	}
	wantNoLeak(t, before, p.Resources())
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// patientPolicy has short windows, so that the ledger closes soon, and so much
// lateness that no stall of the machine makes a good record late.
func patientPolicy(t *testing.T, p *harness.Product) string {
	t.Helper()
	name := filepath.Join(p.Dir, "policy.json")
	err := os.WriteFile(name, []byte(`{"views":[{"name":"device","size":"1s","allowed_lateness":"20s"},{"name":"fleet","size":"1s","allowed_lateness":"20s"}]}`), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// pourAll sends so many messages over all connections at once.
func pourAll(t *testing.T, p *harness.Product, seed uint64, messages int) tally {
	connections := 0
	for _, s := range senders {
		connections += s.n
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	sum, begun := newTally(), time.Now()
	for _, s := range senders {
		for i := range s.n {
			m := &mixer{chance(seed + uint64(i)), fmt.Sprintf("%s-%d", s.name, i)}
			all.Go(func() {
				sent, err := s.pour(p, m, messages/connections)
				mu.Lock()
				defer mu.Unlock()
				if sum.add(sent); err != nil {
					t.Errorf("%s: %v", m.name, err)
				}
			})
		}
	}
	all.Wait()
	t.Logf("%d messages in %v", messages, time.Since(begun).Round(time.Millisecond))
	if t.Failed() {
		t.FailNow()
	}
	return sum
}

// pourMQTT sends over one MQTT connection.
func pourMQTT(send func(*harness.Device, string, []byte) error) func(*harness.Product, *mixer, int) (tally, error) {
	return func(p *harness.Product, m *mixer, messages int) (tally, error) {
		sent, d := newTally(), p.Connect(m.name)
		for i := range messages {
			x := m.message(i%2 == 0)
			if err := send(d, "tel/"+x.tenant+"/"+x.device+"/"+x.signal, x.payload); err != nil {
				return sent, fmt.Errorf("message %d, %.200q: %w", i, x.payload, err)
			}
			sent.note(x)
		}
		return sent, d.Close()
	}
}

// askEvery is how many publishes go with one request. Who only publishes over
// NATS is not told to slow down, and more than the journal takes is shed.
const askEvery = 50

// pourNATS sends over one NATS connection: publishes, and a request now and then.
func pourNATS(p *harness.Product, m *mixer, messages int) (tally, error) {
	sent := newTally()
	nc, err := nats.Connect("nats://" + p.NATS)
	if err != nil {
		return sent, err
	}
	defer nc.Close()
	for i := range messages {
		x := m.message(i%2 == 0)
		subject := "tel." + x.tenant + "." + x.device + "." + x.signal
		if i%askEvery < 2 { // of two in a row one is good
			err = ask(nc, subject, x)
		} else {
			err = nc.Publish(subject, x.payload)
		}
		if err != nil {
			return sent, fmt.Errorf("message %d, %.200q: %w", i, x.payload, err)
		}
		sent.note(x)
	}
	return sent, nc.Flush()
}

// ask sends a request and wants the reply that the message deserves.
func ask(nc *nats.Conn, subject string, x message) error {
	answer, err := nc.Request(subject, x.payload, time.Minute)
	if err != nil {
		return err
	}
	var said struct {
		Records, Journaled int
		Error              schemas.Reason
		Rejected           []struct {
			Reason schemas.Reason
			N      int
		}
	}
	if err := json.Unmarshal(answer.Data, &said); err != nil {
		return err
	}
	reason, rejected := said.Error, 0
	for _, r := range said.Rejected {
		reason, rejected = r.Reason, rejected+r.N
	}
	ok := said.Journaled == x.good && reason == x.reason
	if said.Error == "" {
		ok = ok && said.Records == x.good+rejected && rejected == min(1, len(x.reason))
	} else {
		ok = ok && answer.Header.Get("Weir-Error") == string(x.reason)
	}
	if !ok {
		return errors.New("the reply is " + string(answer.Data) + ", wanted " + fmt.Sprintf("%d good records and reason %q", x.good, x.reason))
	}
	return nil
}

func wantNoLeak(t *testing.T, before, after harness.Resources) {
	t.Helper()
	t.Logf("before: %v; after: %v", before, after)
	if after.Files > before.Files+40 || after.Threads > before.Threads+40 || after.RSS > 600e6 {
		t.Error("the product holds more than it should")
	}
}
