// Package gcra limits rates: a token bucket in the form of the generic cell rate algorithm, and a pacer that shares one
// budget between three lanes.
//
// In come the caller's time and amounts, both as arguments: nothing here reads a clock, starts a goroutine or does I/O.
// Out comes whether an amount may pass now, and if not, how long to wait.
//
// Promised of a [Bucket]:
//
//   - What passes in any interval of length T, wherever it begins, is at most rate·T + burst, to the unit. Arithmetic is
//     exact: no fraction is lost or gained over any number of steps, at one unit a second as at 10^18.
//   - It never starves: an amount up to the burst passes when the wait that was named is over, and not one nanosecond
//     earlier, unless others have passed in between.
//   - A time that goes back mints nothing. It is as if time stood still until the clock is where it was.
//   - Nothing allocates.
//
// Promised of a [Pacer]: its doc says who goes first and how much of the rate each lane has.
//
// Limits. Times are int64 nanoseconds of a clock that should be monotonic, between -2^62 and 2^62 (146 years each way);
// times beyond are taken as these. A burst that takes more than 73 years to come back counts as one that takes so long.
// A Resize counts what is owed in units: where the clock stands back at that moment, the time that it lacks counts too.
// Nothing is safe for concurrent use.
//
// The algorithm is that of ITU-T I.371, annex A, with the theoretical arrival time kept as an exact fraction.
package gcra
