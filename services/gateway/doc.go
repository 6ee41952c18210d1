// Package gateway merges the commits of many producers into one view of a
// region, or of the fleet.
//
// In: the outbox of the tier below, or an inbox where forwarders bring what is in
// it: commits of agents for a region, of regions' partitions for the center, in any
// order. Out: commits of its own, with merged revisions, for the tier above and for
// readers of this tier; and answers to forwarders: what is applied, and how much
// backfill may come (link.go, credits.go).
//
// Promises: each entry is applied once, by its number; a window is the sum over
// its parts of each part's latest revision, so any order of entries and any
// repeat gives the same windows. Windows say who is missing. What the producers
// say they have emitted is checked against the records in the windows applied,
// to the unit, whenever nothing is on its way.
//
// A commit of several entries counts when all of them are there. How far a producer
// is, its newest whole commit says. Where numbers are missing, its windows are
// final only as far as the commit before the first hole says, and a part that what
// is missing may revise stays in memory (space.go). After the hold time the hole is
// given up: windows become final without it and name the producer.
//
// Partitions of an inbox may be shared with other gateways by leases, each with a
// reader, a stage and a fence of its own (post.go).
//
// Log records that are passed through go on with the commit of the message that brought
// them, each once; how many came is compared with what the producers say (logs.go).
//
// Final windows of published views also go out as JSON lines, where the view
// ends and once the commit that makes them final is written: each at most once
// (publish.go). A window that has been passed by is not remembered, so what
// comes later is a line of its own, an amendment that holds only what was added.
//
// A producer whose stores may be older than what it has sent goes on in a new epoch.
// What is known here of the old one tells what a lost copy has brought: that is left
// out of what comes of the new one, and what never comes is declared (succession.go).
// A gateway below that has begun anew is told apart window by window (contest.go).
// An entry may stand for several, which an outbox at its cap had to fold: its numbers
// are applied as one, and what it says was shed is explained.
//
// Time at a gateway is the agent time in its producers' commits; it needs no
// clock and no ticks of its own. A producer that stays more than the hold time
// (2 min) behind the newest no longer holds windows back; it is named, and what
// it brings later is an amendment.
//
// Limits: a window stays in memory until its parts are final. One epoch may have
// 4,096 holes; what would make more is not taken for now.
//
// The core is Fold (fold.go); service.go is the shell. Goroutines: for each post
// those of fold.Runner and one that purges the input; the subscriptions that answer;
// those of lease.Keep.
package gateway
