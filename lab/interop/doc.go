// Package interop judges what leaves Weir with programs that others have written:
// Prometheus, its Alertmanager, and an OTLP receiver made of the collector's pdata
// and gRPC.
//
// In: the binary (flag -weir, else built from the sources), the Prometheus and the
// Alertmanager that are installed; -prometheus names a newer one, with an OTLP
// receiver. Out: pass, or which bucket or alert differs. What is not installed is
// skipped by name.
package interop
