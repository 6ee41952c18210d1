// Package crew keeps workers running that policy names: exporters, receivers of findings.
//
// In: the documents of the bucket POLICY, as they change, and what their reader makes of
// them. Out: workers that run, each until it is wanted no more.
//
// Promises: the reader is called once all documents have been read, and after each change
// once no other follows it at once. Every goroutine is joined: a worker by Halt or Close,
// the watch before Documents returns.
//
// Limits: a document that is not valid is the reader's affair, and so is a worker that
// ends by itself: it keeps its name.
package crew
