// Package policy brings documents of the KV bucket POLICY from where they are
// written to the agents, and puts them in force.
//
// In: revisions of the keys `default`, `region.NAME`, `group.NAME` and
// `agent.NAME`, in the order in which they were written. There are three services
// on such a bucket, of which each tier runs what it needs:
//
//   - Service, where agents run: gives each agent the document that results from
//     its layers on top of what is built in, with a revision and the event time
//     from which its views hold, to a function that journals it; and says in the
//     bucket STATE what was handed over.
//   - Hub, at a region and the center: checks what is written, and tells the tier
//     below on weir.desired what is wanted of it.
//   - Cache, where there is a tier above: keeps the bucket as the Hub there wants it.
//
// Promises: a document is refused that is not valid, alone or on top of the
// default, or by which agents would differ in what they share. The refusal names
// the key, the revision and the field, is logged and counted, and the last good
// document stays, also over restarts, as long as the bucket remembers it; what was
// refused is never handed on. A layer that is good concerns those below it only;
// an agent whose layers do not go together stays as it is until they do. A change
// of windows is announced at least half a minute ahead and cuts no window of the
// old or the new size. What an agent has already is handed to it again at each
// start with the same revision and time, so that repeating it changes nothing.
//
// A Cache changes nothing while it does not hear from above, and nothing for a
// layer that cannot be. Once it hears, what is written above stands, whatever was
// written here; keys that do not concern it are let be. A Hub holds a question
// whose asker is up to date until there is news, so that an edit is in force two
// tiers below in about half a second. Questions that wait, their answers and what
// is sent at once are bounded. A bucket that never held a document wants nothing
// of anybody: it may be that of a Hub that lost its disk.
//
// Limits: revisions count in each bucket by itself. The first document that an
// agent ever gets holds from the beginning of time. Who deletes a key wants what
// is below it. All documents of a bucket together have at most 3 MiB.
//
// Cores, without clock or bus: layers (which documents are good), desired (what
// agents should have), takesEffect (effect.go), handout and desk (what a Hub
// answers, and when), mirror (what a Cache edits).
//
//	goroutine            owns             fed by                ends
//	Service.Run, Hub.Run the fold         a watch on the bucket with ctx
//	Hub.attend           timing of a desk the desk              with ctx
//	Cache.Run            mirror, bucket   answers, Nudge        with ctx
//	Cache.ask            one question     Nudge                 with the answer
//
// Questions are taken by goroutines of the bus; a Hub's lock guards its cores.
package policy
