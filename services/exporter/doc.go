// Package exporter brings final windows beyond Weir: to OpenTelemetry receivers and to Prometheus.
//
// In: the outbox of a region or of the center, and the exporters that policy names. Out: requests to receivers (OTLP
// over HTTP and gRPC, remote write 1.0 and 2.0), a record of what has been sent, and answers about how it stands.
//
// Promises:
//
//   - A final window is exported once and never rewritten. What comes for it later is exported as an increase: as a
//     point of its own, behind the newest one of a sum, or marked as an amendment where points are deltas.
//   - Buckets are those of the sketch, index for index; counts, sums and times are exact.
//   - Nothing is given up while the outbox has it: a receiver that is down, hangs or is busy is tried again for ever,
//     with full jitter, under a breaker, no sooner than it asks for. What it refuses for good is counted.
//   - A crash at any point loses nothing. At most one batch is sent twice, and it is the same to the bit: harmless for
//     sums, counted for deltas.
//   - Of the records that producers have emitted each is in a point, in a part that may still be revised, or counted as
//     shed, unreadable or overlapping. What fell out of a full outbox is known to the record.
//   - Exporters do not wait for each other, and nobody waits for them.
//
// The core is in values. finals.go tells from entries which parts are final; cumulative.go makes sums of them; core.go
// joins both into a fold whose state can be kept and whose points are the same each time; batch.go and cursor.go say
// what goes at once and what is written down before it goes; otlp.go, otlplogs.go, otlppassed.go, labels.go and
// remotewrite.go write what receivers read; answer.go and retry.go say what an answer means. The shell is carry.go (one
// goroutine for each exporter: reads, sends, waits), send*.go, keep.go, secrets.go and service.go (follows policy).
//
// Goroutines: Run owns one that watches policy and one for each exporter, and joins them.
//
// Limits: one request of an exporter at a time is on its way, of at most 2,000 points or log records. An exporter
// keeps at most 200,000 open parts and 20,000 sums; further series are added to one of the value weir.overflow.
package exporter
