// Package detect finds what is abnormal in a series of numbers, one sample at a time, and rarely cries wolf.
//
// In come samples of one series: time, value, how complete the value is, how good its clock. Out comes a [Verdict] on
// each, and on request what contributed to it, in words. [New] makes a detector by name, [Kinds] lists them; the empty
// name is the one that ships, an ensemble. A [Joint] does the same for up to 16 channels of one device together.
//
// Promised:
//
//   - A verdict depends on the samples up to its own and on the [Config], on nothing else. There is no clock, no
//     goroutine, no chance, and no pass over the series.
//   - A detector restored from its state says what the one that went on says, to the last bit on the same architecture.
//     Bytes that are no state are refused and change nothing.
//   - A verdict is flagged exactly where its Alert has reached [ThresholdOf] the detector.
//   - Update allocates nothing. The ensemble takes half a microsecond and 1 KB of state.
//   - What is no number, incomplete, out of order or of a bad clock is neither judged nor learned, and counted.
//   - Detectors that are neither baselines nor facts keep an alert budget: findings per series and day on a normal
//     series, at any rate of samples. docs/detection.md says how well, on what, and what that costs in faults missed.
//
// Limits. A fault that looks like the noise cannot be told from it: eight deviations are nothing on a series whose own
// tail goes there each day. What has been abnormal for an hour is learned at full speed again and becomes normal. The
// daily profile needs two days, and before the first has passed, slow drifts are hardly found. Values beyond ±1e30 are
// refused. Nothing is safe for concurrent use.
//
// Constants are times; where samples are too far apart for them, they are as many samples. Algorithms are named where
// they are used.
package detect
