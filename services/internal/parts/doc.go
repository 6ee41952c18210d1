// Package parts adds up the parts of a window.
//
// In: the newest revision of each part, whole. Out: their sum, as a window that
// a gateway commits or as a row that people and tools see.
//
// Promises: counts, digests, extremes, first and last do not depend on the order
// of the parts; sums do, in their last bits, so callers add in the order of
// Compare and get the same bytes each time. Sums stay finite. What one part does
// not know, the sum does not know: expected devices, clock error, values.
//
// Limits: that the parts belong to one window is the caller's to see to.
package parts
