// Command bench measures Weir and prints a table of costs, one of delays, one of
// catching up and one of OTLP.
//
//	go run ./lab/bench -weir bin/weir                             # make bench
//	go run ./lab/bench -weir bin/weir -write docs/bench.md        # also puts the table into a page
//	go run ./lab/bench -weir bin/weir -quick -only "1,000"        # does it work? The figures are none
//	go run ./lab/bench -weir bin/weir -only "catch up" -journal 256MB
//
// In: the built binary and the benchmarks of the modules. Out: Markdown tables,
// or JSON, on standard output; progress on standard error.
//
// A row of costs is either a stage or a whole run. A stage is a benchmark on one core. A
// whole run is weir up in a process of its own under MQTT devices that the
// simulator plays in this one, beside the floor: a bare server under the same
// devices, rate and payload. CPU is user and system time of the server process,
// over a span as long as windows are in which all devices play. It begins between
// the end of one window and the next, so that exactly one window per series comes
// out in it; connecting and disconnecting is not in it. Runs of weir and of the
// floor alternate, and the ratio is the median over pairs.
//
// A row of delays is prompt devices and users who run weir windows --follow: how
// long after the end of a window they see all of it (weir/lab/sights). A row of
// findings is devices that send what is beyond a limit, and a user who runs weir
// findings --follow: how long after that was sent the user is told. A row of
// catching up is a weir up that starts on a journal which no fold has read
// (package backlog), looked at until its ledger has closed. They have no floor and
// run once. What is not as wanted is told below the tables.
//
// A row of exports is a weir up with span and log views under eight exporters of
// OTLP over gRPC at full speed (exports.go): CPU until all of it is in the views, for spans
// also with three rules.
//
// Promises: weir up has its default policy, but for the length and lateness of
// windows where delays are measured, 100 devices per agent and 10 agents per
// region; what the devices sent is verified after each run against the truth of
// the simulator, the ledger is compared with the journal that was written, and
// what is missing stands in the table.
//
// Limits: Linux (/proc). Server and devices share the machine, so rates are what
// both can do together. Other load makes every figure wrong: a warning says so.
// What finality costs, a minute after the end of a window, is not in the span.
// Users and devices share the machine too: a device behind its schedule makes
// windows late that Weir has no part in, and a note says so.
package main
