// Package interop judges what leaves Weir with programs that others have written:
// Prometheus, and an OTLP receiver made of the collector's pdata and gRPC.
//
// In: the binary (flag -weir, else built from the sources) and the Prometheus that
// is installed; -prometheus names a newer one, with an OTLP receiver. Out: pass, or
// which bucket differs. What is not installed is skipped by name.
package interop
