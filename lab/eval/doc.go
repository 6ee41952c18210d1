// Command eval measures every detector of pkg/detect and says so in one page.
//
// In: labeled series in a folder (lab/testdata/nab where none is named) and seeds. Out: Markdown on standard output,
// and with -write in the marked block of a page.
//
// Measured are: NAB's score at the threshold as shipped, at one taken over from other series, and at the best one
// chosen by looking at the labels; false findings on healthy noise; injected faults found at the alert budget, and
// how late; pairs of channels whose relation breaks; that no verdict depends on what follows; time, memory and allocations. With -weir all verdicts are taken
// from the built binary a second time and must be those of the library.
//
// Promised: the same flags and seed give the same page, times of the machine aside. It ends with exit code 1 where a
// verdict depends on the future, or the binary disagrees with the library: those are bugs, all else is a result.
//
// Limits: it judges series by series, one value at a time, but for pairs of channels that go together. Windows, findings and people are judged elsewhere.
package main
