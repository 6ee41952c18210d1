// Package strays lets the tests of a package fail when goroutines are left behind.
//
//	func TestMain(m *testing.M) { strays.Main(m) }
//
// In: the tests of a package. Out: their exit code, and on stderr the goroutines that
// still run after them.
//
// Promises: who is about to end has half a minute for it. goleak alone gives up after
// half a second, which servers and clients need to end on a busy machine.
//
// Limits: goroutines are those of the process, so what a test leaves behind is only
// seen after the last one.
package strays

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end after the last test.
const patience = 30 * time.Second

// Main runs the tests and ends the process. Goroutines within one of the known
// functions, named with their package, are not ours to end.
func Main(m *testing.M, known ...string) {
	code := m.Run()
	if code == 0 {
		if err := find(patience, known...); err != nil {
			fmt.Fprintln(os.Stderr, "left behind by tests that passed:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// find waits until there is no goroutine that should not be, and names those that
// are still there after a while.
func find(within time.Duration, known ...string) error {
	var ignored []goleak.Option
	for _, name := range known {
		ignored = append(ignored, goleak.IgnoreTopFunction(name))
	}
	for end := time.Now().Add(within); ; {
		if err := goleak.Find(ignored...); err == nil || time.Now().After(end) {
			return err
		}
	}
}
