package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// exitInterrupted is the exit code after a second signal.
const exitInterrupted = 130

// interruptible returns a context that ends with the first signal that asks the
// process to end. A second one ends the process at once: what was acknowledged
// is safe.
func interruptible(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, endSignals()...)
	go func() {
		<-signals
		cancel()
		for first := time.Now(); time.Since(first) < sameSignal; {
			<-signals
		}
		os.Exit(exitInterrupted)
	}()
	return ctx, cancel
}

// sameSignal is how soon after the first a signal is the same one that came on
// two ways: timeout(1) and some supervisors signal the process and its group.
const sameSignal = 200 * time.Millisecond

// endSignals are the signals that ask for an end: that of a terminal that goes
// away too, unless the process was started to outlive it.
func endSignals() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}
