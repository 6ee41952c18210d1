// Package detector finds what is abnormal in what an agent's devices send.
//
// In: the commits of each logical agent, in order: the values of each second and the
// windows that have closed. Out: commits of its own with findings, for the tier above
// and for people.
//
// What is looked at, for each series (tenant, device, metric):
//
//   - the mean of each second, and how far apart its values are where it has several:
//     what happens fast;
//   - the mean of each window: what happens slowly;
//   - means of metrics that policy says belong together, of one second or one window: what none of them shows alone;
//   - facts that policy names: limits, the fastest change, a value that does not move,
//     a metric that no longer comes, a device that sends nothing.
//
// A counter is judged by its increase. A second or a window with less than half of the
// records that it usually has neither alarms nor teaches, nor does a second with far
// more of them: a backlog has come. Windows are judged once, in order; a later revision
// is not a new value.
//
// Metrics that belong together (joint.go) are judged in the slots in which all of them have come: in one message or in
// several, in one commit or in several. A slot that lacks one when the next begins, or has a backlog of one, is not
// judged: nothing is put in the place of a value. A value that comes late counts in the second in which it comes, and
// in the window of its own time. Each group has the budget of a series and takes the room of three.
//
// Promises: the result is a function of the commits alone; the same commits give the
// same findings, byte for byte, from any checkpoint, with the same IDs. What is wrong
// with several metrics of a device is one finding, and what is wrong with many devices
// at once is one finding that names them. Each is opened, updated and closed under one
// ID. Memory is bounded by policy; what finds no room is counted.
//
// Limits: windows are judged where the view device is grouped by device and metric
// alone. Values of a second count when they arrive; a clock that is wrong does not
// matter to them. A device that has been silent for a day is forgotten.
//
// The core is Fold (fold.go) and the files that it leans on; service.go is the shell.
// Goroutines: those of fold.Runner, one reader for all agents of the process and one
// per agent; and the subscriptions that answer questions.
package detector
