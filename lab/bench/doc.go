// Command bench measures Weir and prints one table.
//
//	go run ./lab/bench -weir bin/weir                             # make bench
//	go run ./lab/bench -weir bin/weir -write docs/bench.md        # also puts the table into a page
//	go run ./lab/bench -weir bin/weir -quick -only "1,000"        # does it work? The figures are none
//
// In: the built binary and the benchmarks of the modules. Out: a Markdown table,
// or JSON, on standard output; progress on standard error.
//
// A row is either a stage or a whole run. A stage is a benchmark on one core. A
// whole run is weir up in a process of its own under MQTT devices that the
// simulator plays in this one, beside the floor: a bare server under the same
// devices, rate and payload. CPU is user and system time of the server process,
// over a span as long as windows are in which all devices play. It begins between
// the end of one window and the next, so that exactly one window per series comes
// out in it; connecting and disconnecting is not in it. Runs of weir and of the
// floor alternate, and the ratio is the median over pairs.
//
// Promises: weir up has its default policy, 100 devices per agent and 10 agents
// per region; what the devices sent is verified after each run against the truth
// of the simulator, and what is missing stands in the table.
//
// Limits: Linux (/proc). Server and devices share the machine, so rates are what
// both can do together. Other load makes every figure wrong: a warning says so.
// What finality costs, a minute after the end of a window, is not in the span.
package main
