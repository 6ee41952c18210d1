package notify

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
)

func receiver(kind schemas.ReceiverKind) schemas.Receiver {
	return schemas.Receiver{
		Name: "ops", Kind: kind, Severity: "warning", GroupBy: []schemas.GroupWord{"tenant", "kind"},
		GroupWait: schemas.Duration(second), GroupInterval: schemas.Duration(30 * second), Repeat: schemas.Duration(60 * second), Rate: 30,
	}
}

func found(id uint64, revision uint32, state schemas.FindingState, severity schemas.Severity) schemas.Finding {
	f := schemas.Finding{
		ID: id, Revision: revision, State: state, Severity: severity, Tenant: "acme", Kind: schemas.Silent, Device: fmt.Sprint("pump-", id),
		Origin: "a001", Started: 1763760000 * second, Updated: 1763760000*second + int64(revision)*second, Detector: "silent", Says: "it is silent",
	}
	if state == schemas.FindingClosed {
		f.Ended = f.Updated
	}
	return f
}

func open(id uint64) schemas.Finding {
	return found(id, 1, schemas.FindingOpen, schemas.Warning)
}

// TestOneMessageForAGroup: what comes within the wait is told together, the next
// message of the group only after its interval, in its newest revision.
func TestOneMessageForAGroup(t *testing.T) {
	q := newQueue(receiver(schemas.Webhook), 0)
	q.take(1, []schemas.Finding{open(1), open(2)}, 0)
	q.take(2, []schemas.Finding{found(9, 1, schemas.FindingOpen, schemas.Notice)}, 0) // not severe enough
	m, next := q.due(0)
	if m != nil || next != second {
		t.Fatalf("a message at once, or next at %d", next)
	}
	if q.cursor() != 0 {
		t.Errorf("cursor %d before anything was told", q.cursor())
	}
	m, _ = q.due(second)
	if m == nil || len(m.items) != 2 || m.group["kind"] != "silent" {
		t.Fatalf("message %+v", m)
	}
	id := m.id
	q.miss(second, 0, 1)
	if m, next = q.due(second + 1); m != nil || next != 2*second {
		t.Errorf("after a failure it is sent at once, or at %d", next)
	}
	if m, _ = q.due(2 * second); m == nil || m.id != id {
		t.Fatalf("the repeat has another id")
	}
	q.done(m, 2*second)
	if q.cursor() != 2 {
		t.Errorf("cursor %d after everything was told, want 2", q.cursor())
	}
	q.take(3, []schemas.Finding{found(1, 2, schemas.FindingUpdate, schemas.Warning)}, 3*second) // says nothing new
	q.take(4, []schemas.Finding{found(2, 2, schemas.FindingUpdate, schemas.Critical)}, 3*second)
	q.take(5, []schemas.Finding{found(2, 3, schemas.FindingClosed, schemas.Critical)}, 4*second)
	m, next = q.due(4 * second)
	if m != nil || next != 32*second {
		t.Fatalf("the group's next message is due at %d, want after its interval", next)
	}
	m, _ = q.due(32 * second)
	var n Notice
	if err := json.Unmarshal(m.notice("ops"), &n); err != nil {
		t.Fatal(err)
	}
	if len(n.Findings) != 1 || n.Findings[0].State != "closed" || n.Status != "closed" || n.Severity != "critical" || n.Version != 1 {
		t.Errorf("notice %+v", n)
	}
	if q.cursor() != 3 {
		t.Errorf("cursor %d while message 4 waits, want 3", q.cursor())
	}
	q.done(m, 32*second)
	if q.cursor() != 5 || q.waiting != 0 {
		t.Errorf("cursor %d, %d wait", q.cursor(), q.waiting)
	}
}

// TestAlertmanagerHearsAgain: what is open is sent again until it is over, also after
// a restart.
func TestAlertmanagerHearsAgain(t *testing.T) {
	q := newQueue(receiver(schemas.Alertmanager), 0)
	q.take(1, []schemas.Finding{open(1)}, 0)
	m, _ := q.due(0)
	if m == nil || len(m.items) != 1 {
		t.Fatal("it is not told at once")
	}
	q.done(m, 0)
	m, next := q.due(second)
	if m != nil || next != 60*second {
		t.Fatalf("next at %d, want at the repeat", next)
	}
	again := newQueue(receiver(schemas.Alertmanager), q.cursor())
	f := open(1)
	again.begin([]schemas.FindingRow{f.Row()}, false, 0)
	if m, _ = again.due(0); m == nil || len(m.rows) != 1 {
		t.Fatalf("after a restart it is not sent again: %+v", m)
	}
	again.done(m, 0)
	again.take(2, []schemas.Finding{found(1, 2, schemas.FindingClosed, schemas.Warning)}, second)
	if m, _ = again.due(second); m == nil {
		t.Fatal("its end is not told")
	}
	var alerts []alert
	if err := json.Unmarshal(m.alerts(1763760000*second, 60*second), &alerts); err != nil {
		t.Fatal(err)
	}
	if len(alerts) != 1 || alerts[0].EndsAt != schemas.RowTime(1763760002*second) || alerts[0].Labels["device"] != "pump-1" || alerts[0].Labels["severity"] != "warning" {
		t.Errorf("alerts %+v", alerts)
	}
	again.done(m, second)
	if m, next = again.due(3600 * second); m != nil {
		t.Errorf("what is over is sent again, next at %d", next)
	}
}

// TestQueue: whatever comes, whatever fails and wherever it begins anew, each finding
// is told in its newest state in the end; nothing waits below the cursor, and no more
// messages go than the rate allows.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := receiver(rapid.SampledFrom([]schemas.ReceiverKind{schemas.Webhook, schemas.Alertmanager}).Draw(t, "kind"))
		cfg.GroupInterval = schemas.Duration(rapid.Int64Range(0, 20*second).Draw(t, "interval"))
		q, now := newQueue(cfg, 0), int64(0)
		var log [][]schemas.Finding
		state := map[uint64]schemas.Finding{}
		told := map[uint64]uint32{}
		started, sent := int64(0), 0
		send := func(fails bool) {
			for {
				m, _ := q.due(now)
				if m == nil {
					return
				}
				if sent++; float64(sent) > float64(cfg.Rate)/60*float64(now-started)/second+float64(cfg.Rate)/6+1 {
					t.Fatalf("%d messages in %d s", sent, (now-started)/second)
				}
				if fails {
					q.miss(now, 0, 0.5)
					return
				}
				for _, it := range m.items {
					told[it.id] = max(told[it.id], it.row.Revision)
				}
				q.done(m, now)
			}
		}
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			now += rapid.Int64Range(0, 5*second).Draw(t, "time")
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0: // it begins anew from the cursor
				at := q.cursor()
				q, started, sent = newQueue(cfg, at), now, 0
				for i := at; i < uint64(len(log)); i++ {
					q.take(i+1, log[i], now)
				}
			case 1, 2:
				send(true)
			case 3, 4:
				send(false)
			default:
				id := rapid.Uint64Range(1, 6).Draw(t, "id")
				f, known := state[id]
				switch {
				case !known:
					f = open(id)
				case !f.Open():
					continue
				default:
					f = found(id, f.Revision+1, rapid.SampledFrom([]schemas.FindingState{schemas.FindingUpdate, schemas.FindingClosed}).Draw(t, "state"), schemas.Critical)
				}
				state[id] = f
				log = append(log, []schemas.Finding{f})
				q.take(uint64(len(log)), log[len(log)-1], now)
			}
			for _, b := range q.batches {
				for _, it := range b.items {
					if it.seq <= q.cursor() {
						t.Fatalf("finding %d of message %d waits, and the cursor is at %d", it.id, it.seq, q.cursor())
					}
				}
			}
		}
		for range 100 {
			now += 60 * second
			send(false)
		}
		for id, f := range state {
			if !f.Open() && told[id] != f.Revision || told[id] == 0 {
				t.Fatalf("finding %d is told up to revision %d, and is %+v", id, told[id], f)
			}
		}
		if q.waiting != 0 || q.cursor() != uint64(len(log)) {
			t.Fatalf("%d wait in the end, and the cursor is at %d of %d", q.waiting, q.cursor(), len(log))
		}
	})
}

// TestSign: the signature is that of openssl dgst -sha256 -hmac over TIMESTAMP.BODY.
func TestSign(t *testing.T) {
	const want = "sha256=1695673eb5e73c94a14fc7c0f001972ef4bc7df4010217ca0e8bd1a33b62aa2f"
	if got := Sign([]byte("a secret"), 1763760000, []byte(`{"version":1}`)); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

// TestOneStandsForMany: what a finding of many devices stands for is not told by
// itself, unless it was before.
func TestOneStandsForMany(t *testing.T) {
	q := newQueue(receiver(schemas.Webhook), 0)
	q.take(1, []schemas.Finding{open(1)}, 0)
	m, _ := q.due(second)
	q.done(m, second)
	q.take(2, []schemas.Finding{open(2), open(3)}, 40*second)
	many := open(9)
	many.Device, many.Devices, many.Parts = "", 3, []uint64{1, 2, 3}
	q.take(3, []schemas.Finding{many}, 40*second)
	q.take(4, []schemas.Finding{found(2, 2, schemas.FindingClosed, schemas.Warning)}, 41*second)
	q.take(5, []schemas.Finding{found(1, 2, schemas.FindingClosed, schemas.Warning)}, 41*second)
	m, _ = q.due(60 * second)
	if m == nil || len(m.items) != 2 || m.items[0].id != 9 || m.items[1].id != 1 {
		t.Fatalf("told of %+v, want of the one of many, and the end of what was told", m)
	}
}
