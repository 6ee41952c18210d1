// Package window is event time for telemetry: windows, watermarks, lateness and revisions, exact for every order of
// arrival.
//
// In come the event times of records and the agent's own time, both as arguments: nothing here reads a clock, starts a
// goroutine or does I/O, so the same calls always give the same results.
//
// Out come two things. [Sources] says how far event time has come: a watermark for each device, and the agent watermark
// over all of them that no silent, lagging or fast device can hold or push. [Panes] keeps the open windows of one key
// in one view, says of each record whether it is late, and gives out the revisions of its windows: on time, late, final.
// What a window adds up is the caller's accumulator; [Counter] is one for readings of counters that may reset.
//
// Promised:
//
//   - An accepted record is in every window that holds its time and still takes records, and in each once. A revision
//     is the whole value of its part of a window, never a difference, and holds exactly the records accepted for it.
//   - A window without a record is never emitted and never final, so an ordered backlog after hours of silence is on
//     time, and so is the rest of the window in which the device fell silent. Silence closes that window, so that its
//     readers need not wait; if more comes all the same, it opens anew and the new records are another part of it. The
//     last revisions of all its parts add up to the records accepted.
//   - Each part becomes final once and never comes back. A window that was closed by what the device has sent, or by
//     force, never opens again.
//   - The watermarks of [Sources.DataWatermark] and [Sources.Low] never go back.
//   - Checkpoints (AppendBinary, Decode) are deterministic, resume exactly, and are bounds-checked when read.
//   - Accept, Advance and Low do not allocate in steady state.
//
// Limits. Hopping windows share what they add up, and a counter's windows depend on the sample before: they have one
// part only, and a record for one that silence has closed is late. All times are int64 nanoseconds since the Unix epoch
// in the years 1824 to 2116; a record outside is late everywhere. Durations are int64 nanoseconds below 36 years.
// Nothing is safe for concurrent use. Repeats are not recognized: whoever calls Accept has filtered them.
package window
