// Package harness starts the product as its users do, breaks it, and asks it
// what it knows.
//
//	func TestMain(m *testing.M) { os.Exit(harness.Main(m, &weir)) }   // var weir harness.Binary
//
//	p := harness.Start(t, weir, "--agents", "4", "--policy", harness.FastPolicy(t))
//	p.Kill(); p.Launch(); p.Ready()                  // kill -9, again, wait until devices are accepted
//	p.Settle("acme", schemas.Account{Received: 3, Counted: 3})
//	rows := p.Windows("--tenant", "acme", "--device", "pump-1")
//	r := p.Weir("verify", "--truth", file)           // any command: stdout, stderr, exit code
//
// In: the built binary (flag -weir, or built once per test binary). Out: exit
// codes, what is printed, what the HTTP API answers, what /proc says.
//
// Promises: every product has a folder, ports and an index of instances of its
// own; it is in a process group of its own and dies with the test. Addresses
// stay the same over restarts, so that devices find it again. Where a test
// fails, the end of the product's log is in the test's output and the folder
// stays, with its place said.
//
// Limits: Linux. The go command caches a pass of tests that start the product
// whatever becomes of the product's sources: run them with -count=1.
package harness
