// Package aggregator folds an agent's journal into windows.
//
// In: the frames of each logical agent, in order. Out: commits with revisions of
// windows, late totals, early values of each second, log records that are passed
// through, and the ledger's totals.
//
// Promises: the result is a function of the journal alone; the same journal
// gives the same commits, byte for byte, from any checkpoint. Each record of a
// frame ends in exactly one outcome: counted, late or duplicate. A reading that
// is repeated is counted once, and its log record is passed through once. A frame number that is missing is declared with
// the number of records that it held.
//
// Where the region knows more of an agent than the agent's stores do, or a store is
// lost, results go on in a new epoch: nothing counts twice, and what is missing is
// declared (renew.go).
//
// Limits: repeats are found within one agent. Memory grows with devices, series
// and open windows, never with time.
//
// The core is Fold (fold.go) and the files it leans on; service.go is the shell.
// Goroutines: those of fold.Runner, one reader for all agents of the process and
// one per agent, and one that answers questions.
package aggregator
