package console

import (
	"context"
	"errors"

	"weir/schemas"
	"weir/services/internal/bus"
)

// What is exported of exporters. Their points are data points of receivers; records
// are those of the windows in them.
var (
	exportPointsDesc   = describe("weir_export_points_total", "counter", "Data points by how their sending ended: accepted, rejected for good, or repeated, which counts sendings whose points may have been stored before.", "exporter", "tier", "outcome")
	exportLogsDesc     = describe("weir_export_log_records_total", "counter", "Log records, findings among them, by how their sending ended: accepted, rejected for good, repeated, which counts sendings that may have been stored before, or shed because the outbox was full.", "exporter", "tier", "outcome")
	exportRecordsDesc  = describe("weir_export_records_total", "counter", "Records of final windows by what became of them: shown in points, unreadable, overlapping (hopping windows that a sum leaves out), or shed because the outbox was full.", "exporter", "tier", "outcome")
	exportRequestsDesc = describe("weir_export_requests_total", "counter", "Requests since the start of the exporter, by result: sent or failed; failed ones are sent again.", "exporter", "tier", "result")
	exportResetsDesc   = describe("weir_export_resets_total", "counter", "Times that cumulative series began anew because what they held was lost.", "exporter", "tier")
	exportLagDesc      = describe("weir_export_lag_seconds", "gauge", "Age of the oldest commit that is not sent; 0 where all is.", "exporter", "tier")
	exportBreakerDesc  = describe("weir_export_breaker_state", "gauge", "0 closed, 1 half-open, 2 open.", "exporter", "tier")
	exportSeriesDesc   = describe("weir_export_series", "gauge", "Cumulative series that an exporter keeps.", "exporter", "tier")
)

// exportDescs are part of descs.
var exportDescs = []*described{
	exportPointsDesc, exportLogsDesc, exportRecordsDesc, exportRequestsDesc, exportResetsDesc, exportLagDesc, exportBreakerDesc, exportSeriesDesc,
}

// exportsOf are the exporters of some tiers.
func exportsOf(ctx context.Context, b *bus.Bus, tiers []schemas.Tier) (all []schemas.ExportStatus, err error) {
	for _, t := range tiers {
		list, failed := ask[[]schemas.ExportStatus](ctx, b, schemas.Ask("export", string(t)), nil)
		if errors.Is(failed, bus.ErrNone) {
			continue
		}
		all, err = append(all, list...), errors.Join(err, failed)
	}
	return all, err
}

// exports sends how the exporters stand.
func (out sink) exports(all []schemas.ExportStatus) {
	for i := range all {
		e := &all[i]
		tier := string(e.Tier)
		for outcome, n := range map[string]uint64{"accepted": e.Points, "rejected": e.Rejected, "repeated": e.Repeated} {
			out.counter(exportPointsDesc, n, e.Name, tier, outcome)
		}
		for outcome, n := range map[string]uint64{"shown": e.Shown, "unreadable": e.Unreadable, "overlapping": e.Overlapping, "shed": e.Shed} {
			out.counter(exportRecordsDesc, n, e.Name, tier, outcome)
		}
		out.counter(exportRequestsDesc, e.Requests-e.Failed, e.Name, tier, "sent")
		out.counter(exportRequestsDesc, e.Failed, e.Name, tier, "failed")
		for outcome, n := range map[string]uint64{"accepted": e.Logs, "rejected": e.LogsRejected, "repeated": e.LogsRepeated, "shed": e.LogsShed} {
			out.counter(exportLogsDesc, n, e.Name, tier, outcome)
		}
		out.counter(exportResetsDesc, e.Resets, e.Name, tier)
		out.gauge(exportLagDesc, e.Lag, e.Name, tier)
		out.gauge(exportBreakerDesc, map[string]float64{"half-open": 1, "open": 2}[e.Breaker], e.Name, tier)
		out.gauge(exportSeriesDesc, float64(e.Series), e.Name, tier)
	}
}

// off is how many records exporters miss without a reason.
func (o *observation) off() (n uint64) {
	for i := range o.exports {
		n += o.exports[i].Off
	}
	return n
}
