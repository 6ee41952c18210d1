// Package widen puts one entry in the place of several, for an outbox that is full.
//
// In: whole commits of one epoch, with all numbers from the first to the last. Out: one
// commit that stands for them all.
//
// Promises: what the tier above adds up does not change: every part that a later entry
// may revise, or that an earlier one has begun, is there with its latest revision; the
// others are added up in wider windows of the same view and key. Counts, sums, digests,
// extremes, first and last are exact, sketches are merged, and late totals stay as they
// are. Log records are kept, or left out and counted. What is shed is counted by view and tenant. Where the windows of a key overlap,
// as those of hopping views do, they are not added up.
//
// Limits: the commits must never have been sent, since a receiver applies a number once.
// Estates are not folded.
package widen
