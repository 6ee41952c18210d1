package console

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/schemas"
	"weir/services/internal/bus"
)

// Invariants whose violations are counted.
const (
	invariantLedger   = "ledger"   // received is the sum of all outcomes and what is in flight
	invariantWindows  = "windows"  // the windows that a tier applied hold the records that its producers say
	invariantReplay   = "replay"   // a commit made again after a restart is the one that was written
	invariantRevision = "revision" // a revision holds all that the one before held
	invariantExport   = "export"   // exporters have read all records that their producers have emitted, or know why not
)

// metrics is what /metrics serves. It collects when it is scraped. Safe for
// concurrent use.
type metrics struct {
	cfg     Config
	observe func(context.Context) (observation, error)
	created time.Time // of the cumulative series

	mu         sync.Mutex // guards what follows
	exporter   *exporter
	next       uint64          // sequence of CENTER_OUTBOX to read next; 0: not begun
	startedAt  uint64          // the newest one at start: up to it nothing counts
	unbalanced map[string]bool // invariants that did not hold at the scrape before
	violations map[string]uint64
}

func newMetrics(cfg Config, observe func(context.Context) (observation, error), now time.Time) *metrics {
	return &metrics{
		cfg: cfg, observe: observe, created: now, exporter: newExporter(),
		unbalanced: map[string]bool{}, violations: map[string]uint64{invariantLedger: 0, invariantWindows: 0},
	}
}

// follow feeds the exporter from the center's outbox until ctx ends. Called
// again after an error, it goes on where it was.
func (m *metrics) follow(ctx context.Context, b *bus.Bus, report func(error)) error {
	u, err := b.Usage(ctx, schemas.StreamCenterOutbox, "")
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	in := commits{want: schemas.WithLocal}
	return b.Read(ctx, schemas.StreamCenterOutbox, m.begin(u.LastSeq), false, func(msg bus.Message) error {
		err := in.read(msg, func(c *schemas.Commit) error { return m.apply(c, msg.Seq) })
		if err != nil {
			report(err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.next = msg.Seq + 1
		return nil
	})
}

// begin is the sequence to read from. What is there at the first time, up to
// newest, does not count.
func (m *metrics) begin(newest uint64) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next == 0 {
		m.next, m.startedAt = 1, newest
	}
	return m.next
}

func (m *metrics) apply(c *schemas.Commit, seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.exporter.apply(c, seq <= m.startedAt)
}

// Describe names no metric: the labels of views that are grouped by attributes are
// known only once they are there. A test holds what is served to descs.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// scrapeTimeout bounds what a scrape asks others for.
const scrapeTimeout = 5 * time.Second

// Collect sends everything as it is now. What could not be had is left out: a
// gap is honest, a zero is not.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	o, err := m.observe(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
	}
	out := sink(ch)
	out.records(&o)
	out.services(&o, m.cfg)
	out.link(o.link, o.wall)
	out.exports(o.exports)
	out.owners(o.owners)
	out.found(&o.found)
	out.door(&o.ingest.doorStatus)
	out.damage(o.checks)
	out.server(o.server)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.judge(&o)
	for name, n := range m.violations {
		out.counter(violationsDesc, n, name)
	}
	out.counter(violationsDesc, m.exporter.violated, invariantRevision)
	out.counter(violationsDesc, o.differ(), invariantReplay)
	out.counter(violationsDesc, o.off(), invariantExport)
	for id, s := range m.exporter.series {
		out.histogram(id, s, m.created)
		out.newest(id, s)
	}
}

// differ is how many commits were made again and differed, at all tiers.
func (o *observation) differ() (n uint64) {
	for i := range o.agents {
		n += o.agents[i].Differ
	}
	for i := range o.checks {
		n += o.checks[i].Differ
	}
	for i := range o.found.reports {
		if d := o.found.reports[i].Detector; d != nil {
			n += d.Differ
		}
	}
	return n
}

// judge counts invariants that have ceased to hold since the scrape before.
func (m *metrics) judge(o *observation) {
	ledger, windows := newBalance(o.agents, nil).Totals.Unexplained, newBalance(nil, o.checks).Totals.Unexplained
	for name, unexplained := range map[string]int64{invariantLedger: ledger, invariantWindows: windows} {
		if unexplained != 0 && !m.unbalanced[name] {
			m.violations[name]++
		}
		m.unbalanced[name] = unexplained != 0
	}
}

// sink takes metrics.
type sink chan<- prometheus.Metric

func (out sink) counter(d *described, v uint64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d.desc, prometheus.CounterValue, float64(v), clean(labels)...)
}

func (out sink) gauge(d *described, v float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d.desc, prometheus.GaugeValue, v, clean(labels)...)
}

// clean makes label values of any bytes valid.
func clean(labels []string) []string {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "�")
	}
	return labels
}

// records sends what became of the records. Where nobody has some of the partitions no
// counter is told: one that is less for a while counts all of itself again afterwards.
func (out sink) records(o *observation) {
	whole := o.owners == nil || len(o.owners.Unowned()) == 0
	if len(o.agents) > 0 {
		for id, n := range outcomes(o.agents) {
			if whole {
				out.counter(recordsDesc, n, string(o.tier), id.tenant, id.outcome, id.reason)
			}
		}
		balance := newBalance(o.agents, o.checks)
		out.gauge(inFlightDesc, float64(balance.Totals.InFlight))
		out.gauge(unexplainedDesc, float64(balance.Totals.Unexplained))
	}
	for id, n := range o.passing() {
		out.counter(logsDesc, n, string(id.tier), id.tenant, id.outcome, id.reason)
	}
	for id, n := range revisions(o.checks) {
		if whole {
			out.counter(windowsDesc, n, id.tier, id.view, id.timing)
		}
	}
	for _, m := range o.ingest.Messages {
		out.counter(messagesDesc, m.N, m.Protocol, m.QoS)
	}
}

// services sends how the services are.
func (out sink) services(o *observation, cfg Config) {
	for i := range o.agents {
		a := &o.agents[i]
		out.gauge(lagDesc, a.Lag, string(o.tier), a.Agent)
		out.gauge(openSeriesDesc, float64(a.Series), a.Agent)
		out.gauge(policyRevisionDesc, float64(a.Config), a.Agent)
	}
	for i := range o.checks {
		out.gauge(lagDesc, o.checks[i].Lag, string(o.checks[i].Tier), o.checks[i].Producer)
	}
	for _, s := range o.streams {
		out.gauge(streamBytesDesc, float64(s.bytes), s.name)
		out.gauge(streamLimitDesc, float64(s.limit), s.name)
	}
	if o.policy != nil {
		out.counter(policyInvalidDesc, o.policy.Invalid)
	}
	out.gauge(buildInfoDesc, 1, cfg.Version, cfg.Revision, cfg.GoVersion)
}

// histogram sends a cumulative series, with exemplars of its newest window.
func (out sink) histogram(id seriesID, s *series, created time.Time) {
	n := s.values.Native()
	names, values := id.labels()
	h, err := prometheus.NewConstNativeHistogram(valuesDesc.with(names), n.Count, n.Sum, n.Positive.Map(), n.Negative.Map(),
		n.ZeroCount, n.Schema, n.ZeroThreshold, created, clean(append([]string{id.view, id.tenant, id.class, id.metric}, values...))...)
	if x := s.exemplars(); err == nil && len(x) > 0 {
		h, err = prometheus.NewMetricWithExemplars(h, x...)
	}
	if err != nil {
		h = prometheus.NewInvalidMetric(valuesDesc.desc, err)
	}
	out <- h
}

// exemplars are those of the newest window.
func (s *series) exemplars() (out []prometheus.Exemplar) {
	for _, e := range s.total().Exemplars.ByTime() {
		labels := prometheus.Labels{"trace_id": e.TraceHex()}
		if span := e.SpanHex(); span != "" {
			labels["span_id"] = span
		}
		out = append(out, prometheus.Exemplar{Value: e.Value, Labels: labels, Timestamp: time.Unix(0, e.Time)})
	}
	return out
}

// quantiles are those of the newest window that are exported.
var quantiles = [...]float64{0.5, 0.9, 0.99}

// newest sends the newest window of a series.
func (out sink) newest(id seriesID, s *series) {
	t := s.total()
	if t.Count == 0 {
		return
	}
	names, values := id.labels()
	gauge := func(d *described, v float64, more ...string) {
		labels := slices.Concat([]string{id.view, id.tenant, id.class, id.metric}, more, values)
		out <- prometheus.MustNewConstMetric(d.with(names), prometheus.GaugeValue, v, clean(labels)...)
	}
	for _, q := range quantiles {
		if v := t.Quantile(q); v != nil {
			gauge(quantileDesc, *v, strconv.FormatFloat(q, 'g', -1, 64))
		}
	}
	gauge(countDesc, float64(t.Count))
	gauge(meanDesc, t.Sum/float64(t.Count))
	gauge(minDesc, t.Min)
	gauge(maxDesc, t.Max)
	gauge(windowEndDesc, float64(t.End)/1e9)
}
