// Package fold is the shell of every stage: it reads a durable stream in order,
// hands each message to a pure core, writes what comes out as a fenced commit,
// and checkpoints now and then.
//
// In: messages of one stream, read once per process and dispatched to stages.
// Out: commits on each stage's outbox subject, checkpoints on its state subject.
//
// Promises: state and outputs are a function of the messages alone, so the same
// input gives the same commits, byte for byte, from any checkpoint. A commit is
// written behind exactly the entry before it, or not at all. After a restart the
// newest whole checkpoint is restored, the input behind it is folded again, and
// commits that exist are made again and compared, not written. What a power cut
// took from a stream is told and stepped over, never counted twice (lostinput.go).
// A stage whose core can (Renewer) ends its epoch where its stores may be older than
// what it has sent, or have lost something, and goes on in a new one (plan.go says
// when, renew.go how).
// Where two processes own one stage, the one that was stopped for a while ends at
// its next commit, and cannot put its old state before the newer one.
//
// Goroutines: Run owns one reader and one goroutine per stage; it joins them.
//
//	reader   reads the stream, routes each message; fed by the stream; ends with ctx
//	stage    owns one core: applies, commits, checkpoints; fed by the reader; ends when the reader has ended
//	hear     asks the tier above, for a stage that began without anything, until it answers; ends with the stage
//
// Limits: a stage whose outbox is full waits, and with it, in the end, the
// reader: input then waits in its stream.
package fold
