package console

import (
	"context"
	"errors"
	"strconv"

	"weir/schemas"
	"weir/services/internal/bus"
)

// What is exported of findings, of who is told, and of what devices are refused.
var (
	findingsDesc       = describe("weir_findings_total", "counter", "Findings that were opened at a tier, by the severity that they had then.", "tier", "tenant", "detector", "severity")
	findingsOpenDesc   = describe("weir_findings_open", "gauge", "Findings that go on. One of many devices counts once, and those that it is of do not.", "tier", "severity")
	detectorSeriesDesc = describe("weir_detector_series", "gauge", "Series that the detector of an agent watches.", "agent")
	detectorValuesDesc = describe("weir_detector_values_total", "counter", "Values by what the detector did with them: judged, burst (far more than usual in a second: not judged), overflow (the series found no room) or partial (of metrics that are judged together one was not there).", "agent", "outcome")
	detectorLagDesc    = describe("weir_detector_lag_seconds", "gauge", "How far the detector of an agent is behind.", "agent")
	notifiedDesc       = describe("weir_notifications_total", "counter", "Findings by what became of telling a receiver: told, refused, or missed (entries that the outbox held no more).", "tier", "receiver", "outcome")
	notifyFailedDesc   = describe("weir_notification_failures_total", "counter", "Requests to a receiver that failed and are made again.", "tier", "receiver")
	notifyWaitingDesc  = describe("weir_notifications_waiting", "gauge", "Findings that a receiver has still to be told.", "tier", "receiver")
	commandsDesc       = describe("weir_commands_total", "counter", "Commands to devices by what became of them: heard, loaded (kept by an earlier process), delivered, expired, or dropped with a reason.", "outcome", "reason")
	commandsWaitDesc   = describe("weir_commands_waiting", "gauge", "Commands that wait for a device, or for its answer.")
	unauthorizedDesc   = describe("weir_unauthorized_total", "counter", "Connections of devices that credentials did not let in.", "reason")
	ruleHitsDesc       = describe("weir_rule_hits_total", "counter", "Items over OTLP that met the conditions of a rule, by the revision of policy; the last few revisions are kept.", "rule", "on", "revision")
	ruleDropsDesc      = describe("weir_rule_drops_total", "counter", "Items that a rule dropped.", "rule", "on", "revision")
	ruleErrorsDesc     = describe("weir_rule_errors_total", "counter", "Items on which a rule failed; what then becomes of them is for its on_error to say.", "rule", "on", "revision")
	damagedDesc        = describe("weir_damaged_messages_total", "counter", "Messages that a gateway could not read or that are not what their subject says; agent is region/partition.", "tier", "agent")
)

// foundDescs lists them all.
var foundDescs = []*described{
	findingsDesc, findingsOpenDesc, detectorSeriesDesc, detectorValuesDesc, detectorLagDesc, notifiedDesc, notifyFailedDesc, notifyWaitingDesc,
	commandsDesc, commandsWaitDesc, unauthorizedDesc, ruleHitsDesc, ruleDropsDesc, ruleErrorsDesc, damagedDesc,
}

// foundStatus is what is known of findings at one scrape.
type foundStatus struct {
	reports   []schemas.FindingReport
	receivers []schemas.ReceiverStatus
}

// foundOf asks detectors, gateways and those who tell, at all tiers that are here.
func foundOf(ctx context.Context, b *bus.Bus, here []schemas.Tier) (s foundStatus, err error) {
	var errs []error
	for _, t := range findingTiers(here) {
		reports, err := ask[[]schemas.FindingReport](ctx, b, schemas.AskFindings(t), nil)
		s.reports = append(s.reports, reports...)
		receivers, err2 := ask[[]schemas.ReceiverStatus](ctx, b, schemas.AskNotify(t), nil)
		s.receivers = append(s.receivers, receivers...)
		for _, err := range [...]error{err, err2} {
			if !errors.Is(err, bus.ErrNone) {
				errs = append(errs, err)
			}
		}
	}
	return s, errors.Join(errs...)
}

// found sends what is known of findings.
func (out sink) found(s *foundStatus) {
	type opened struct{ tier, tenant, detector, severity string }
	total, open := map[opened]uint64{}, map[[2]string]int{}
	for i := range s.reports {
		r := &s.reports[i]
		tier := string(r.Tier)
		for _, c := range r.Counts {
			total[opened{tier, c.Tenant, c.Detector, c.Severity}] += c.N
		}
		for s := schemas.Notice; s <= schemas.Critical; s++ {
			open[[2]string{tier, s.String()}] += 0
		}
		for j := range r.Findings {
			if f := &r.Findings[j]; f.Open() && f.PartOf == "" {
				open[[2]string{tier, f.Severity}]++
			}
		}
		out.detector(r)
	}
	for k, n := range total {
		out.counter(findingsDesc, n, k.tier, k.tenant, k.detector, k.severity)
	}
	for k, n := range open {
		out.gauge(findingsOpenDesc, float64(n), k[0], k[1])
	}
	for _, r := range s.receivers {
		tier := string(r.Tier)
		for outcome, n := range map[string]uint64{"told": r.Told, "refused": r.Refused, "missed": r.Missed} {
			out.counter(notifiedDesc, n, tier, r.Name, outcome)
		}
		out.counter(notifyFailedDesc, r.Failed, tier, r.Name)
		out.gauge(notifyWaitingDesc, float64(r.Waiting), tier, r.Name)
	}
}

func (out sink) detector(r *schemas.FindingReport) {
	agent, _ := schemas.CutDetector(r.Producer)
	d := r.Detector
	if d == nil {
		return
	}
	out.gauge(detectorSeriesDesc, float64(d.Series), agent)
	out.gauge(detectorLagDesc, d.Lag, agent)
	for outcome, n := range map[string]uint64{"judged": d.Values, "burst": d.Bursts, "overflow": d.Overflow, "partial": d.Partial} {
		out.counter(detectorValuesDesc, n, agent, outcome)
	}
}

// doorStatus is the part of ingest's answer about commands, credentials and rules.
type doorStatus struct {
	Commands *struct {
		Heard, Loaded, Delivered, Expired uint64
		Dropped                           map[string]uint64
		Waiting                           int
	}
	MQTT  struct{ Unauthorized map[string]uint64 }
	Rules []struct {
		Rule, On            string
		Revision            uint64
		Hits, Drops, Errors uint64
	}
}

// door sends what became of commands, who was not let in, and what rules did.
func (out sink) door(s *doorStatus) {
	for reason, n := range s.MQTT.Unauthorized {
		out.counter(unauthorizedDesc, n, reason)
	}
	for _, r := range s.Rules {
		revision := strconv.FormatUint(r.Revision, 10)
		out.counter(ruleHitsDesc, r.Hits, r.Rule, r.On, revision)
		out.counter(ruleDropsDesc, r.Drops, r.Rule, r.On, revision)
		out.counter(ruleErrorsDesc, r.Errors, r.Rule, r.On, revision)
	}
	c := s.Commands
	if c == nil {
		return
	}
	for outcome, n := range map[string]uint64{"heard": c.Heard, "loaded": c.Loaded, "delivered": c.Delivered, "expired": c.Expired} {
		out.counter(commandsDesc, n, outcome, "")
	}
	for reason, n := range c.Dropped {
		out.counter(commandsDesc, n, "dropped", reason)
	}
	out.gauge(commandsWaitDesc, float64(c.Waiting))
}

// damage sends what gateways could not read.
func (out sink) damage(checks []schemas.GatewayCheck) {
	for i := range checks {
		out.counter(damagedDesc, checks[i].Damaged, string(checks[i].Tier), checks[i].Producer)
	}
}
