package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"weir/lab/faults/scenario"
	"weir/lab/harness"
)

// striker carries out a plan.
type striker struct {
	*site
	seed   uint64
	watch  *watch
	live   *live                        // nil: nobody looks
	before map[string]harness.Resources // as soon as devices play
	after  map[string]harness.Resources // when they have played

	rises     []rise               // what outages did to live windows
	done      []string             // what was really done and when, for the report
	paused    map[string]bool      // processes
	repeaters map[string]*repeater // by gateway
	powerCuts int
	kills     int
}

// strike carries out the steps at their times, then heals what they have left and
// waits until everything is ready.
func (k *striker) strike(steps []scenario.Step) {
	joins := k.s.Joins()
	for _, step := range steps {
		joins = k.joinUntil(step.At, joins)
		k.await(step.At)
		k.do(step)
	}
	k.joinUntil(k.s.Duration, joins)
	k.await(k.s.Duration)
	k.heal()
}

// joinUntil starts the devices that join up to a time, and returns the loads that
// are left.
func (k *striker) joinUntil(at time.Duration, joins []int) []int {
	for len(joins) > 0 && k.s.Load[joins[0]].From <= at {
		k.await(k.s.Load[joins[0]].From)
		k.join(joins[0], k.seed)
		joins = joins[1:]
	}
	return joins
}

func (k *striker) await(at time.Duration) {
	select {
	case <-time.After(time.Until(k.started.Add(at))):
	case <-k.ctx.Done():
		k.Fatalf("interrupted")
	}
}

// do carries out one step and notes it.
func (k *striker) do(step scenario.Step) {
	begun := time.Now()
	if step.Ends {
		k.end(step)
	} else {
		k.begin(step)
	}
	k.live.note(step)
	k.done = append(k.done, fmt.Sprintf("%8.3f s  %s", begun.Sub(k.started).Seconds(), step))
	k.Logf("%s", step)
}

func (k *striker) begin(step scenario.Step) {
	f, name := step.Fault, step.Target
	p, l := k.processes[name], k.link(step)
	switch step.Kind {
	case scenario.Kill:
		k.kills++
		p.Kill()
		k.launch(name)
	case scenario.Stop:
		k.stop(name)
		k.launch(name)
	case scenario.Wipe:
		p.Kill()
		if err := os.RemoveAll(p.Folder); err != nil {
			k.Errorf("wipe %s: %v", name, err)
		}
		k.launch(name)
	case scenario.Pause:
		k.signal(name, syscall.SIGSTOP)
	case scenario.Power:
		k.powerCuts++
		k.volumes[name].powerCut()
		k.launch(name)
	case scenario.Fill:
		k.volumes[name].fill()
	case scenario.ClockStep:
		k.step(k.clocks[name], f)
	case scenario.Cut:
		l.Cut()
	case scenario.Blackhole:
		l.Blackhole()
	case scenario.Deaf:
		l.Deafen()
	case scenario.Delay:
		l.Delay(f.Latency, f.Jitter)
	case scenario.Throttle:
		k.throttle(step, f.Rate)
	case scenario.Reset:
		l.Reset()
	case scenario.Unplug:
		k.cables[name].unplug()
	case scenario.Repeat:
		k.repeaters[name] = newRepeater(k.site, name, f.Percent)
	}
}

func (k *striker) end(step scenario.Step) {
	name := step.Target
	switch step.Kind {
	case scenario.Pause:
		k.signal(name, syscall.SIGCONT)
	case scenario.Fill:
		k.volumes[name].free()
		k.watch.recovers(name, time.Now())
	case scenario.ClockStep:
		k.clocks[name].step(0)
	case scenario.Unplug:
		k.cables[name].plug()
	case scenario.Repeat:
		k.repeaters[name].stop()
		delete(k.repeaters, name)
	case scenario.Deaf:
		k.link(step).Reset()
	case scenario.Throttle:
		k.throttle(step, 0)
	default:
		k.link(step).Heal()
	}
}

// link is the link that a step is about; nil where it is about none.
func (k *striker) link(step scenario.Step) *harness.Link {
	if step.Fault.Side == scenario.Devices {
		return k.doors[step.Target]
	}
	return k.links[step.Target]
}

// launch starts a process again and lets the watch measure how long that takes.
func (k *striker) launch(name string) {
	k.processes[name].Launch()
	k.paused[name] = false
	k.watch.born(name, k.processes[name])
}

func (k *striker) stop(name string) {
	p := k.processes[name]
	p.Listening() // earlier a signal is nobody's but the kernel's
	if code := p.Stop(); code != 0 {
		k.Errorf("asked to stop, %s ended with exit code %d:\n%s", name, code, p.LogTail(10))
	}
}

func (k *striker) signal(name string, s syscall.Signal) {
	k.paused[name] = s == syscall.SIGSTOP
	if err := k.processes[name].Signal(s); err != nil {
		k.Errorf("signal %v to %s: %v", s, name, err)
	}
}

func (k *striker) step(c *wallClock, f *scenario.Fault) {
	if f.To != "" {
		c.to1970()
		return
	}
	c.step(f.Step)
}

// throttle bounds a link: in the kernel where it is a cable, else in the proxy. 0
// takes the bound away.
func (k *striker) throttle(step scenario.Step, bytesPerSecond int) {
	switch c := k.cables[step.Target]; {
	case c != nil:
		c.limit(bytesPerSecond)
	case bytesPerSecond == 0:
		k.link(step).Heal()
	default:
		k.link(step).Throttle(bytesPerSecond / 1000)
	}
}

// heal ends whatever has no end of its own. Clocks stay as they are: what they
// say now is the time.
func (k *striker) heal() {
	for name, r := range k.repeaters {
		r.stop()
		delete(k.repeaters, name)
	}
	for name, paused := range k.paused {
		if paused {
			k.signal(name, syscall.SIGCONT)
		}
	}
	for _, name := range k.names() {
		if died := k.processes[name].Died(); died != "" {
			k.Fatalf("%s: %s", name, died)
		}
	}
	harness.Until(k, readyWithin, func() string {
		if waits := k.watch.unready(); len(waits) > 0 {
			return "not ready: " + strings.Join(waits, ", ")
		}
		return ""
	})
}

// readyWithin bounds the recovery after the last fault.
const readyWithin = time.Minute
