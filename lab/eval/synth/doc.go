// Package synth makes series whose truth is known: healthy noise of several families, and faults laid over it.
//
// In: a source of chance, the time between samples, and the time of each sample. Out: values.
//
// Promised: the same chance gives the same series, and a source needs constant memory. Sizes of faults are in
// standard deviations of the family's own noise, spans in seconds.
//
// Limits: families are caricatures. What holds on them holds for them; it is a floor, not a proof.
package synth
