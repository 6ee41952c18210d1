// Package lease shares a fixed number of partitions among the processes that
// could all serve them, by leases in a KV bucket.
//
// In: one key of the bucket, read three times between two signs of life: who owns
// which partition, and the members with a sign of life each. Out: which partitions
// to take, keep and give up; the shell runs a func for each that it holds.
//
// Promises: every partition has, after a while without change, exactly one
// owner: the live member that ranks highest for it (rendezvous hashing), so that
// a member that comes or goes moves as few as can be. The key is written by
// compare-and-set on the revision that was read, once in two seconds by each
// member, so that nobody takes what its owner has renewed meanwhile. No clocks of
// different machines are compared: leases are stale when their owner's sign of life
// has not changed for 7 s of the observer's monotonic clock, and the owner lets go by
// its own clock before anybody can find that. An orderly end gives the leases up, so
// that others need not wait.
//
// Limits: a process that is stopped in the middle believes in its leases until it
// looks at its clock. A lease therefore avoids wasted work and nothing else: what
// must not happen twice needs a fence of its own.
//
// The core is Table (table.go); Keeper (keep.go) is the shell. Goroutines: one per
// partition held, joined by Keep.
package lease
