// Package gateway merges the commits of many producers into one view of a
// region, or of the fleet.
//
// In: the outbox of the tier below, in stream order: commits of agents for a
// region, of regions' partitions for the center. Out: commits of its own, with
// merged revisions, for the tier above and for readers of this tier.
//
// Promises: each entry is applied once, by its number; a window is the sum over
// its parts of each part's latest revision, so any order of producers and any
// repeat gives the same windows. Windows say who is missing. What the producers
// say they have emitted is checked against the records in the windows applied,
// to the unit.
//
// Final windows of published views also go out as JSON lines, where the view
// ends and once the commit that makes them final is written: each at most once
// (publish.go). A window that has been passed by is not remembered, so what
// comes later is a line of its own, an amendment that holds only what was added.
//
// Time at a gateway is the agent time in its producers' commits; it needs no
// clock and no ticks of its own. A producer that stays more than the hold time
// (2 min) behind the newest no longer holds windows back; it is named, and what
// it brings later is an amendment.
//
// Limits: a window stays in memory until its parts are final.
//
// The core is Fold (fold.go); service.go is the shell. Goroutines: those of
// fold.Runner, one that purges the input, and the subscription that answers.
package gateway
