// Package verify proves, or disproves, that a product counted exactly what
// simulated devices sent.
//
// In: truth files, and the product's HTTP API. Out: a Report, differences in
// words, and a typed error. What must be there is recomputed from the truths'
// seeds: the product's own counters tell only when it has finished, and are
// themselves compared.
//
// What is compared:
//
//	device windows  at the regions, one by one: count, sum and digest
//	late totals     of the device view, by device and hour of event time
//	fleet windows   at the center, one by one; where the fleet view called
//	                readings late that the devices' own windows hold, windows plus
//	                late totals by hour, and the number is reported
//	ledger          of the truths' tenants, to the unit
//
// Promises: equality of a digest means the same multiset of records (chance of
// error 2^-64). Where readings are unknown (sent, never answered) a window may
// hold any of them: its count and sum must lie between the bounds, and its
// digest must fit where it holds none or all. Memory depends on devices and on
// the length of a time slice, not on the number of records.
//
// Limits: a tenant that holds records of other devices than the truths' has its
// device windows and late totals compared exactly, its fleet windows and ledger
// only from below; the report says so.
package verify
