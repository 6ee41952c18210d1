// Command weir takes telemetry from devices and keeps it exact.
//
// It is the one binary: `weir up` runs everything in one process, `weir run`
// some services, `weir sim` plays devices, `weir verify` judges, and the other
// commands look or change. Each command is one file. The package decides which
// services are joined and nothing else; what they do is in theirs.
package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	ctx, cancel := interruptible(context.Background())
	err := newRoot().ExecuteContext(ctx)
	cancel()
	if err != nil && err.Error() != "" {
		fmt.Fprintln(os.Stderr, "weir:", err)
	}
	os.Exit(exitCode(err))
}
