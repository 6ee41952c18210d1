package simulator

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/simulator/plan"
	"weir/simulator/producttest"
	"weir/simulator/truth"
	"weir/simulator/verify"
)

// house runs a small product behind MQTT in memory, and kills its connections.
type house struct {
	product *producttest.Product
	mu      sync.Mutex
	down    bool
	conns   []net.Conn
	dials   int
}

func newHouse() *house {
	p := &producttest.Product{Size: 10 * time.Second, Lateness: time.Minute, Now: func() int64 { return time.Now().UnixNano() }}
	return &house{product: p}
}

func (h *house) dial(context.Context) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dials++
	if h.down {
		return nil, errors.New("nobody listens")
	}
	ours, theirs := producttest.Pipe()
	h.conns = append(h.conns, theirs)
	go func() { _ = h.product.ServeMQTT(theirs, func() bool { return false }) }() // ends with the connection
	return ours, nil
}

// set kills all connections, or lets new ones in.
func (h *house) set(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
	for _, c := range h.conns {
		c.Close()
	}
	h.conns = nil
}

// kill breaks everything for some time, again and again.
func (h *house) kill(ctx context.Context, every, outage time.Duration) {
	for ctx.Err() == nil {
		pause(ctx, every)
		h.set(true)
		pause(ctx, outage)
		h.set(false)
	}
}

func options(t *testing.T) Options {
	o := DefaultOptions()
	o.MQTT, o.Devices, o.Rate, o.For = "memory:1883", 30, 5, 90*time.Second
	o.Faults = plan.Faults{Late: 4, TooLate: 4, Reorder: 4, Duplicate: 4, Future: 4, Malformed: 4}
	o.Truth = filepath.Join(t.TempDir(), "truth")
	return o
}

// act plays a run in the house, in fake time.
func (h *house) act(ctx context.Context, t *testing.T, o Options) (Summary, []Progress) {
	t.Helper()
	o, spec, err := o.ready()
	if err != nil {
		t.Fatal(err)
	}
	pause(ctx, time.Hour) // fake time begins with the year 2000; what is older is refused
	var shown []Progress
	s, err := newRun(o, spec, h.dial, func(p Progress) { shown = append(shown, p) }).play(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s, shown
}

func (h *house) verify(t *testing.T, o Options) Report {
	t.Helper()
	r, err := verify.Against(t.Context(), VerifyOptions{Truth: []string{o.Truth}, HTTP: "memory:80"}, h.product)
	if err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	return r
}

func TestRunsAreEqual(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"QoS 0":       func(o *Options) { o.QoS = 0 },
		"QoS 1":       func(o *Options) { o.QoS = 1 },
		"batch":       func(o *Options) { o.Batch, o.QoS = 7, 1 },
		"burst":       func(o *Options) { o.Pattern = plan.Burst },
		"slow device": func(o *Options) { o.Rate, o.QoS = 0.1, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, o := newHouse(), options(t)
				change(&o)
				s, shown := h.act(t.Context(), t, o)
				if s.Unknown != 0 || s.Never != 0 || s.BehindSeconds != 0 || s.ConnectFailures != 0 || len(shown) < 90 {
					t.Errorf("summary %+v, %d progress lines", s, len(shown))
				}
				if o.QoS == 1 && s.Acknowledged != s.Records {
					t.Errorf("%d acknowledged of %d", s.Acknowledged, s.Records)
				}
				h.verify(t, o)
			})
		})
	}
}

// TestQoS1IsExactThroughKills breaks all connections every few seconds. Each
// reading must be counted once, and known to be.
func TestQoS1IsExactThroughKills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, o := newHouse(), options(t)
		o.QoS = 1
		killing, stop := context.WithCancel(t.Context())
		var killer sync.WaitGroup
		killer.Go(func() { h.kill(killing, 5*time.Second, 1500*time.Millisecond) })
		s, shown := h.act(t.Context(), t, o)
		stop()
		killer.Wait()
		if s.Unknown != 0 || s.Acknowledged != s.Records || s.Records != count(t, o) {
			t.Errorf("summary %+v", s)
		}
		if s.ConnectFailures < 100 || s.BehindSeconds == 0 {
			t.Errorf("nothing broke: %+v", s)
		}
		if last := shown[len(shown)-1]; last.Summary.Records != s.Records {
			t.Errorf("last progress %+v, summary %+v", last, s)
		}
		h.verify(t, o)
	})
}

// count is how many records the truth's plan has.
func count(t *testing.T, o Options) int64 {
	return countWhere(t, o, func(*plan.Plan, plan.Message) bool { return true })
}

func countWhere(t *testing.T, o Options, match func(*plan.Plan, plan.Message) bool) (n int64) {
	t.Helper()
	tr, err := truth.Load(o.Truth)
	if err != nil {
		t.Fatal(err)
	}
	for d := range tr.Devices {
		for c := (plan.Cursor{Device: d}); c.Index < tr.Plan.Messages(d, tr.Plan.For); {
			if m := tr.Plan.Next(&c); match(tr.Plan, m) {
				n += tr.Plan.Records(m)
			}
		}
	}
	return n
}

func TestQoS0SaysWhatIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, o := newHouse(), options(t)
		killing, stop := context.WithCancel(t.Context())
		var killer sync.WaitGroup
		killer.Go(func() { h.kill(killing, 35*time.Second, 3*time.Second) })
		s, _ := h.act(t.Context(), t, o)
		stop()
		killer.Wait()
		if s.Unknown == 0 || s.Never == 0 || s.Unknown > s.Records*2/3 {
			t.Errorf("summary %+v", s)
		}
		if r := h.verify(t, o); r.Records < 1000 || r.Unknown == 0 {
			t.Errorf("report %+v", r)
		}
	})
}

func TestCancelEndsTheScheduleAndDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, o := newHouse(), options(t)
		o.QoS, o.For = 1, 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour+30*time.Second)
		defer cancel()
		s, _ := h.act(ctx, t, o)
		if s.Seconds < 28 || s.Seconds > 31 || s.Acknowledged != s.Records || s.Unknown != 0 {
			t.Errorf("summary %+v", s)
		}
		h.verify(t, o)
	})
}

func TestDrainGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, o := newHouse(), options(t)
		o.QoS, o.Drain = 1, 10*time.Second
		time.AfterFunc(time.Hour+60*time.Second, func() { h.set(true) })
		began := time.Now()
		s, _ := h.act(t.Context(), t, o)
		if took := time.Since(began) - time.Hour; took < 100*time.Second || took > 102*time.Second {
			t.Errorf("took %v, want 90 s and 10 s of drain", took)
		}
		if s.Never == 0 || s.Acknowledged+s.Unknown != s.Records || s.Records+s.Never != count(t, o) {
			t.Errorf("summary %+v of %d records", s, count(t, o))
		}
		h.verify(t, o)
	})
}

func TestNobodyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, o := newHouse(), options(t)
		h.down = true
		o, spec, err := o.ready()
		if err != nil {
			t.Fatal(err)
		}
		_, err = newRun(o, spec, h.dial, func(Progress) {}).play(t.Context())
		var away *UnreachableError
		if !errors.As(err, &away) || !strings.Contains(err.Error(), "nobody listens") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCancelWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, o := newHouse(), options(t)
		h.down = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour+time.Second)
		defer cancel()
		s, _ := h.act(ctx, t, o)
		if s.Records != 0 || s.Truth != "" || s.ConnectFailures == 0 {
			t.Errorf("summary %+v", s)
		}
	})
}

func TestTruthFileIsKept(t *testing.T) {
	o := options(t)
	if err := os.WriteFile(o.Truth, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Run(t.Context(), o, nil)
	var wrong *OptionsError
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "exists") {
		t.Errorf("got %v", err)
	}
}

func TestSummary(t *testing.T) {
	s := Summary{Run: "abc", Records: 10, Messages: 5, Acknowledged: 9, Unknown: 1, RecordsPerSecond: 2.5, Seconds: 4, Truth: "t"}
	var line, table strings.Builder
	if err := errors.Join(s.WriteJSON(&line), s.WriteTable(&table)); err != nil {
		t.Fatal(err)
	}
	want := `{"run":"abc","records":10,"messages":5,"acknowledged":9,"unknown":1,"refused":0,"records_per_second":2.5,"seconds":4,"connect_failures":0,"truth":"t"}` + "\n"
	if line.String() != want {
		t.Errorf("%s, want %s", line.String(), want)
	}
	if !strings.Contains(table.String(), "records sent      10 in 5 messages, 4.0 s, 2 per second") {
		t.Errorf("%s", table.String())
	}
}

func TestOptionsSayAllThatIsWrong(t *testing.T) {
	_, err := Run(t.Context(), Options{QoS: 2, Tenant: "a b"}, nil)
	var wrong *OptionsError
	if !errors.As(err, &wrong) {
		t.Fatalf("got %v", err)
	}
	o := DefaultOptions()
	o.MQTT, o.NATS, o.Devices = "a", "b", 0
	_, err = Run(t.Context(), o, nil)
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "either") || !strings.Contains(err.Error(), "devices 0") {
		t.Errorf("got %v", err)
	}
}

func TestOpenFilesAreNamed(t *testing.T) {
	if !canTry {
		t.Skip("no limit is known here")
	}
	if err := openFiles(1); err != nil {
		t.Error(err)
	}
	err := openFiles(1 << 60)
	if err == nil || !strings.Contains(err.Error(), "ulimit -n") {
		t.Errorf("got %v", err)
	}
}
