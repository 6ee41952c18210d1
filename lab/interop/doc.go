// Package interop judges what enters and leaves Weir with programs that others have
// written: Prometheus and its Alertmanager, the collector of OpenTelemetry and its
// generator telemetrygen, and an OTLP receiver made of the collector's pdata and gRPC.
//
// In: the binary (flag -weir, else built from the sources), the Prometheus and the
// Alertmanager that are installed; -prometheus names a newer one, with an OTLP receiver,
// -collector and -telemetrygen name the other two. Out: pass, or which bucket, alert or
// count differs. What is not there is skipped by name.
package interop
