// Package breaker stops calls to something that fails or hangs, and tries it again with a few probes.
//
// In come the caller's time, who asks, and how calls ended, all as arguments: nothing here reads a clock, starts a
// goroutine or does I/O. Out comes whether a call may go, and if not, how long to wait.
//
// A [Breaker] is closed (calls go), open (none goes until a pause is over) or half-open (a few probes go). It counts calls
// over the last ten slices of time and opens when, of enough of them, too large a part failed, or when too many failed
// in a row. Slow successes count as failures; calls that the caller gave up count as nothing.
//
// Promised:
//
//   - It opens only for cause: each change of state keeps the [Evidence] it was made on, and [Transition.Justified] tells
//     whether that is enough. Programs check it at run time as the tests do.
//   - What began before the last change of state says nothing about now: permits carry a generation, and one of an
//     earlier generation is ignored when it comes back.
//   - A probe that never comes back holds nothing up: its lease ends, which counts as a failure.
//   - At most Config.Probes probes are in flight.
//   - A time that goes back is taken as the newest one seen. Nothing allocates.
//
// Limits. Times are int64 nanoseconds of a clock that should be monotonic. Nothing is safe for concurrent use.
package breaker
