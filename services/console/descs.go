package console

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// described is a metric as people look it up: its golden file is part of the
// fixed surface.
type described struct {
	name, kind, help string
	labels           []string
	desc             *prometheus.Desc
}

func describe(name, kind, help string, labels ...string) *described {
	return &described{name: name, kind: kind, help: help, labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
}

// What is exported, never with a device among the labels.
var (
	valuesDesc    = describe("weir_view_values", "native histogram", "Values of a view at the center since the start of this process; each revision of a window adds its increase.", "view", "tenant", "class", "metric")
	quantileDesc  = describe("weir_view_quantile", "gauge", "Quantile of the newest on-time window.", "view", "tenant", "class", "metric", "quantile")
	countDesc     = describe("weir_view_count", "gauge", "Records in the newest on-time window.", "view", "tenant", "class", "metric")
	meanDesc      = describe("weir_view_mean", "gauge", "Mean of the newest on-time window.", "view", "tenant", "class", "metric")
	minDesc       = describe("weir_view_min", "gauge", "Least value of the newest on-time window.", "view", "tenant", "class", "metric")
	maxDesc       = describe("weir_view_max", "gauge", "Greatest value of the newest on-time window.", "view", "tenant", "class", "metric")
	windowEndDesc = describe("weir_view_window_end_seconds", "gauge", "End of the newest on-time window, Unix time.", "view", "tenant", "class", "metric")

	recordsDesc           = describe("weir_records_total", "counter", "Records by what became of them. received is the sum of all others and of weir_records_in_flight; lost_declared stands beside the balance.", "tier", "tenant", "outcome", "reason")
	logsDesc              = describe("weir_log_records_total", "counter", "Log records that rules choose to be passed through, by what became of them: passed on by the tier, or held back on the way to it, and why. They are among weir_records_total all the same.", "tier", "tenant", "outcome", "reason")
	inFlightDesc          = describe("weir_records_in_flight", "gauge", "Records received whose outcome no emitted window or total shows yet; measured, not a remainder.")
	unexplainedDesc       = describe("weir_ledger_unexplained", "gauge", "Records that the balance of any tier cannot explain. Other than 0 is a bug and an alarm.")
	messagesDesc          = describe("weir_messages_total", "counter", "Messages from devices since the start of ingest; qos is publish or request over NATS.", "protocol", "qos")
	lagDesc               = describe("weir_lag_seconds", "gauge", "How far a stage is behind; agent is region/partition for gateways.", "tier", "agent")
	windowsDesc           = describe("weir_windows_total", "counter", "Revisions of windows that a tier has emitted.", "tier", "view", "timing")
	openSeriesDesc        = describe("weir_open_series", "gauge", "Series with an open window.", "agent")
	streamBytesDesc       = describe("weir_stream_bytes", "gauge", "Bytes in a stream.", "stream")
	streamLimitDesc       = describe("weir_stream_limit_bytes", "gauge", "Cap of a stream in bytes.", "stream")
	linkUpDesc            = describe("weir_link_up", "gauge", "1 while the tier above answers.", "tier")
	linkDebtEntriesDesc   = describe("weir_link_debt_entries", "gauge", "Entries of the outbox that the tier above has not applied.", "tier")
	linkDebtBytesDesc     = describe("weir_link_debt_bytes", "gauge", "Bytes of them.", "tier")
	linkDebtSecondsDesc   = describe("weir_link_debt_seconds", "gauge", "Age of the oldest of them.", "tier")
	linkAheadDesc         = describe("weir_link_ahead_entries", "gauge", "Entries that the tier above has and this outbox never had, as found since the start: it is an older copy.", "tier")
	linkSentDesc          = describe("weir_link_sent_bytes_total", "counter", "Bytes sent to the tier above since the start, after packing.", "tier")
	partitionsOwnedDesc   = describe("weir_partitions_owned", "gauge", "Partitions of the tier that a gateway owns; every gateway of it says the same.", "tier", "member")
	partitionsUnownedDesc = describe("weir_partitions_unowned", "gauge", "Partitions of the tier that nobody owns: for longer than 30 s, a region stands still.", "tier")
	policyRevisionDesc    = describe("weir_policy_revision", "gauge", "Policy revision in force.", "agent")
	policyInvalidDesc     = describe("weir_policy_invalid_total", "counter", "Policy documents that were refused; the last good one stays.")
	violationsDesc        = describe("weir_invariant_violations_total", "counter", "Times that something that always holds did not.", "invariant")
	buildInfoDesc         = describe("weir_build_info", "gauge", "1, labeled with the program's version.", "version", "revision", "go")
)

// descs lists them all.
var descs = append([]*described{
	valuesDesc, quantileDesc, countDesc, meanDesc, minDesc, maxDesc, windowEndDesc,
	recordsDesc, logsDesc, inFlightDesc, unexplainedDesc, messagesDesc, lagDesc, windowsDesc, openSeriesDesc,
	streamBytesDesc, streamLimitDesc, linkUpDesc, linkDebtEntriesDesc, linkDebtBytesDesc, linkDebtSecondsDesc, linkAheadDesc, linkSentDesc, partitionsOwnedDesc, partitionsUnownedDesc, policyRevisionDesc, policyInvalidDesc, violationsDesc, buildInfoDesc,
}, slices.Concat(exportDescs, foundDescs, serverDescs)...)
