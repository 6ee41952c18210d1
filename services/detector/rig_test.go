package detector

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"testing"

	"weir/pkg/detect"
	"weir/schemas"
	"weir/services/internal/fold"
)

const t0 = int64(1763760000 * second)

// rig plays an agent whose commits a detector folds.
type rig struct {
	t     testing.TB
	agent string
	now   int64 // agent time, whole seconds
	n     uint64
	seq   uint64
	noise *rand.Rand
	enc   schemas.CommitEncoder
	log   []fold.Message // everything that was said
	next  schemas.Commit // news for the next commit
	in    schemas.CommitDecoder
	fold  *Fold
	told  []schemas.Finding
}

func newRigOf(t testing.TB, compile Compile) *rig {
	return &rig{t: t, agent: "a001", now: t0, noise: rand.New(rand.NewSource(1)), fold: NewFold("a001", compile)}
}

// newRig is a rig with plain detectors: what becomes of a finding does not depend on
// how it was found.
func newRig(t testing.TB) *rig {
	rules := plainRules()
	r := newRigOf(t, ruled(&rules))
	r.configure()
	return r
}

// plainRules are the defaults with plain detectors.
func plainRules() Rules {
	rules := *DefaultSettings().Rules("", "")
	rules.New = func(c detect.Config) detect.Detector { return &plain{counter: c.Counter} }
	return rules
}

// plain flags what is eight deviations from what it has learned so far.
type plain struct {
	n, mean, m2 float64
	at          int64
	last        float64
	counter     bool
	seen        detect.Contribution
}

const plainLevel = 8

func (p *plain) Update(s detect.Sample) detect.Verdict {
	x := s.Value
	if s.Completeness < 0.5 {
		return detect.Verdict{Tail: 1}
	}
	if p.counter {
		elapsed, before := float64(s.Time-p.at)/second, p.last
		first := p.at == 0
		p.at, p.last = s.Time, x
		if first || x < before {
			return detect.Verdict{Tail: 1}
		}
		x = (x - before) / elapsed
	}
	z := 0.0
	if p.n > 20 {
		z = math.Abs(x-p.mean) / max(math.Sqrt(p.m2/p.n), 1e-9)
	}
	p.seen = detect.Contribution{Feature: "value", Share: 1, Observed: x, Expected: p.mean}
	if z >= plainLevel {
		return detect.Verdict{Score: z, Alert: z, Tail: 1e-12, Flag: true}
	}
	p.n++
	d := x - p.mean
	p.mean += d / p.n
	p.m2 += d * (x - p.mean)
	return detect.Verdict{Score: z, Alert: z, Tail: 0.1}
}

func (p *plain) Threshold() float64 { return plainLevel }

func (p *plain) Explain(dst []detect.Contribution) []detect.Contribution { return append(dst, p.seen) }

func (p *plain) AppendState(b []byte) []byte {
	for _, v := range []float64{p.n, p.mean, p.m2, p.last, float64(p.at)} {
		b = fold.AppendFloat(b, v)
	}
	return b
}

func (p *plain) RestoreState(b []byte) ([]byte, error) {
	r := fold.StateReader{B: b}
	p.n, p.mean, p.m2, p.last, p.at = r.Float(), r.Float(), r.Float(), r.Float(), int64(r.Float())
	return r.B, r.Err
}

// value is what one series does in a second: ten values around a mean.
func (r *rig) value(device, metric string, mean, sigma float64) schemas.Early {
	e := schemas.Early{Tenant: "acme", Device: device, Metric: metric}
	for range 10 {
		r.add(&e, mean+sigma*r.noise.NormFloat64())
	}
	return e
}

func (r *rig) add(e *schemas.Early, v float64) {
	sum := e.Mean*float64(e.Count) + v
	e.Count++
	e.Mean, e.Last = sum/float64(e.Count), v
	if e.Count == 1 {
		e.Min, e.Max = v, v
	}
	e.Min, e.Max = min(e.Min, v), max(e.Max, v)
}

// second says what one second held and returns the findings that it led to.
func (r *rig) second(early ...schemas.Early) []schemas.Finding {
	r.t.Helper()
	r.now += second
	return r.commit(early, nil)
}

// commit says a commit at the present time.
func (r *rig) commit(early []schemas.Early, windows []schemas.Window) []schemas.Finding {
	r.t.Helper()
	r.n++
	r.seq++
	c := r.next
	r.next = schemas.Commit{}
	c.Producer, c.Epoch, c.N, c.RunFirst, c.End = r.agent, schemas.Epoch{1}, r.n, r.n, true
	c.Time, c.Wall, c.Early, c.Windows = r.now+3_000_000, r.now+5_000_000, early, windows
	m := fold.Message{Subject: schemas.AgentOutbox(r.agent, schemas.KindCommit), Seq: r.seq, Data: r.enc.Append(nil, &c)}
	r.log = append(r.log, m)
	out := r.apply(m)
	r.told = append(r.told, out...)
	return out
}

// apply folds a message, and passes what comes out through its bytes.
func (r *rig) apply(m fold.Message) []schemas.Finding {
	r.t.Helper()
	res, err := r.fold.Apply(m)
	if err != nil {
		r.t.Fatal(err)
	}
	if res == nil {
		return nil
	}
	var out []schemas.Finding
	for _, c := range fold.Entries(schemas.Detector(r.agent), 0, m, res, 1<<20) {
		c, err := r.in.Decode(new(schemas.CommitEncoder).Append(nil, c), schemas.WithAll)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, c.Findings...)
	}
	return out
}

// devices are the names of some devices.
func devices(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("pump-%02d", i+1))
	}
	return names
}

// normal plays seconds in which all devices send as usual.
func (r *rig) normal(seconds int, names ...string) (out []schemas.Finding) {
	r.t.Helper()
	for range seconds {
		var early []schemas.Early
		for _, d := range names {
			early = append(early, r.value(d, "temp", 50, 1), r.value(d, "load", 200, 5))
		}
		out = append(out, r.second(early...)...)
	}
	return out
}

func show(f []schemas.Finding) string {
	s := ""
	for i := range f {
		s += fmt.Sprintf("\n  %s %d %s %s %s %s%s: %s", schemas.RowID(f[i].ID)[:4], f[i].Revision, f[i].State, f[i].Severity, f[i].Kind, f[i].Device, f[i].Metric, f[i].Says)
	}
	return s
}

func row(f *schemas.Finding) string {
	b, _ := json.MarshalIndent(f.Row(), "", " ")
	return string(b)
}
