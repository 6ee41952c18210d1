// Package forwarder brings an outbox to the tier above, over a link that may be
// down for days.
//
// In: the outbox stream of an agent or of a region's partitions, and the grants of
// the tier above: what it has applied, and how much backfill may come. Out: the
// entries without their local part, packed, into the inbox above; reports of what
// is still to be brought; and purges of what is done with.
//
// Promises:
//
//   - Every entry of the outbox is sent until the tier above says that it has applied
//     it. Nothing is known but the outbox and those answers: each link starts over
//     from them, and so does each process. An entry may come twice; whoever applies
//     it knows its number.
//   - An entry is removed here only when it is applied above, and never the newest
//     whole commit of a producer, nor what follows it: that is the fold's fence and
//     anchor. Nothing is removed before the tier above has spoken of the newest epoch.
//   - What is made while the link is up goes at once and in order; what was made
//     before goes oldest first, within the credit of its producer, and within its
//     share of the budget while something live flows. Entries of other kinds than
//     commits are alerts: they go before all others, and need no credit.
//   - An entry that the tier above has stored and lost is sent again when something
//     that was sent later turns out to be applied.
//   - While the link is down and an agent's outbox is nearly full, the oldest entries
//     that were never sent become one that stands for all of them, in wider windows;
//     when that gives no more room, the oldest are shed and counted (room.go). A mark
//     in the outbox remembers over restarts since when nothing was sent.
//   - A message that cannot be decoded is counted, told and passed by: above, its
//     number is a debt. One of a newer version stops the service.
//
// The pure core is backlog (backlog.go), over a source for each subject (source.go)
// and a space for each of its epochs (entry.go); beside it stand the parts that say
// what may go now: pkg/gcra for the budget, credit.go, and dispatch.go for queues,
// the window of a slow link and the pause of a full inbox.
//
// Goroutines: Run owns them all and joins them. service.go holds what touches the
// clock.
//
//	watch   reads the outbox once and goes on: notes each entry, queues what is new; ends with ctx
//	carry   probes until the tier above answers, then runs a cycle until the link fails; ends with ctx
//	  fetch   one for alerts, one for backfill: reads what waits again, and queues it; ends with the cycle
//	  pump    strips, packs and sends what is queued, in the order of the lanes; ends with the cycle
//	  report  reports, and takes the answers; ends with the cycle
//	purge   removes what is applied and makes room, every few seconds; ends with ctx
//
// A link is lost when a message comes to no good end, other than for want of room,
// or when nothing has come down for ten seconds. While nobody owns the partition
// above, so that reports have no answer, what is live goes on into its inbox.
//
// Limits: an entry that is not applied above costs 32 bytes of memory. At most 4 MiB
// of live entries, 1 MiB of alerts and 1 MiB of backfill are queued, or one larger
// entry of each; live entries that find no room become backfill. All entries go to
// one partition above: that is how an agent's name and the center are placed.
package forwarder
