// Package otlp turns OpenTelemetry requests into readings.
//
//	b := otlp.Metrics(request.Metrics(), otlp.Rules{…})
//	for i := range b.Items { … b.Items[i].Device, &b.Items[i].Reading … }
//
// In: decoded requests of metrics, traces and logs, and what the receiver knows
// of their sender. Out: a Batch: readings by device, and what was refused and why.
//
// A record, the unit of every count, is a data point of a metric (a summary is
// one for its count, one for its sum and one for each quantile), a span or a log
// record. Each is in exactly one place: in a reading, or in a refusal.
//
//   - Gauges, sums that go up and down, and increases since the last report are
//     samples. Sums and histograms that add up since a start keep that start and
//     the hash of all their attributes, so that their increase can be told.
//   - Histograms become sketches: exponential ones bucket for bucket, explicit ones
//     with each bucket's values at its middle. Count, sum, min and max stay exact.
//   - A span is its duration in seconds, under schemas.SpanMetric, at its end. Its
//     attributes are service.name, span.name, span.kind and status.code, as
//     spanmetrics has them, and those of its own that views look at.
//   - A log record is its severity number under schemas.LogMetric, with
//     service.name and severity. One that rules choose to be passed through keeps its
//     bytes, with resource and scope, as far as its device's limits let it (pass.go).
//
// Readings carry the hash of their request's bytes and their place in it, so that
// those of a request that is sent again are known.
//
// Limits: MaxBytes (the caller sees to it), MaxRecords, and what else a request may
// hold, measured before it is decoded. Attributes that no view looks at are left
// out. A data point that says it has no value is no record.
package otlp
