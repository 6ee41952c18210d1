// Package policy puts documents of the KV bucket POLICY in force.
//
// In: revisions of the keys `default` and `agent.NAME`, in the order in which
// they were written. Out: for each agent the document that results from these
// layers on top of what is built in, with a revision and the event time from
// which its views hold, handed to a function that journals it; and, in the bucket
// STATE, what was handed over.
//
// Promises: a document is refused that is not valid, alone or on top of the
// default, or by which agents would differ in what they share. The refusal names
// the field, is logged and counted, and the last good document stays, also over
// restarts, as long as the bucket remembers it; one agent's bad layer concerns
// that agent alone. A change of windows is announced at least half a minute ahead
// and cuts no window of the old or the new size. What an agent has already is
// handed to it again at each start with the same revision and time, so that
// repeating it changes nothing.
//
// Limits: two layers. The first document that an agent ever gets holds from the
// beginning of time. Who deletes a key wants what is below it.
//
// The core is desired (desired.go), which folds revisions into documents, and
// takesEffect (effect.go); service.go is the shell. Goroutines: the one of Run,
// which watches the bucket and calls Apply, and one of the bus that answers
// status questions.
package policy
