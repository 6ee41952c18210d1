package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"weir/lab/faults/scenario"
	"weir/lab/harness"
)

// judge waits until devices have everything acknowledged, and compares what the
// tiers hold with the truth.
func (k *striker) judge() {
	played := k.settle()
	k.verify()
	if k.s.End.Loss == scenario.Declared {
		k.wantDeclared(played)
	}
	for _, name := range k.names() {
		k.judgeLedger(name)
		k.judgeInvariants(name)
	}
	k.judgeRecovery()
	k.judgeLive()
	k.judgeDisk()
	k.judgeLogs()
	k.judgeRest()
}

// settle waits until the devices are done and returns how many records they made.
func (k *striker) settle() (records uint64) {
	for _, sim := range k.sims {
		s := sim.WaitWithin(k.s.End.Drain + k.s.Duration + time.Minute)
		records += uint64(s.Records)
		if s.Unknown != 0 {
			k.Errorf("run %s: %d of %d records are not acknowledged, although the product serves", s.Run, s.Unknown, s.Records)
		}
	}
	return records
}

// verify is the judge of exactness. Where loss is allowed windows lack what is
// declared: then wantDeclared judges.
func (k *striker) verify() {
	args := []string{"verify", "--timeout", k.s.End.Verify.String(), "--http", k.processes[scenario.Center].HTTP}
	for _, region := range k.s.Topology.RegionNames() {
		args = append(args, "--region", k.processes[region].HTTP)
	}
	for _, sim := range k.sims {
		args = append(args, "--truth", sim.Truth)
	}
	center := k.processes[scenario.Center]
	r := center.DoWithin(center.Command(args...), k.s.End.Verify+time.Minute)
	switch {
	case r.Code == 0:
		k.Logf("verify: %s", lastLine(r.Stdout))
	case k.s.End.Loss == scenario.Declared && r.Code == 4:
		k.Logf("verify, where loss is allowed: %s", lastLine(r.Stdout))
	default:
		k.Errorf("verify: %s\n%s", lastLine(cmp.Or(r.Stdout, r.Stderr)), r)
	}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// wantDeclared wants every lost record declared, and no more lost than power cuts
// may take. Devices number their readings, so what is generated is what has been
// received, repeats aside, and what is declared.
func (k *striker) wantDeclared(generated uint64) {
	l, err := k.processes[scenario.Center].Balance()
	if err != nil {
		k.Errorf("ask the center for its ledger: %v", err)
		return
	}
	t := l.Totals
	if off := int64(t.Received-t.Duplicate+t.LostDeclared) - int64(generated); off != 0 {
		k.Errorf("devices made %d records; the center says %d received, %d of them repeats, %d declared lost: off by %+d",
			generated, t.Received, t.Duplicate, t.LostDeclared, off)
	}
	most := uint64(k.s.HighestRate() * scenario.MaxLoss.Seconds() * float64(k.powerCuts))
	k.Logf("%d of %d records are declared lost and %d are in doubt, in %d power cuts; allowed are %d", t.LostDeclared, generated, t.Shed, k.powerCuts, most)
	if t.LostDeclared+t.Shed > most {
		k.Errorf("%d records are lost: more than %v of load per power cut", t.LostDeclared+t.Shed, scenario.MaxLoss)
	}
}

// judgeLedger wants a closed ledger without loss. A tier counts repeats of
// devices, not of links.
func (k *striker) judgeLedger(name string) {
	var last string
	for range 50 { // tiers settle one after the other
		l, err := k.processes[name].Balance()
		switch {
		case err != nil:
			last = err.Error()
		default:
			last = harness.Unbalanced(l)
			if k.s.End.Loss == scenario.NoLoss && (l.Totals.Shed != 0 || l.Totals.LostDeclared != 0) {
				last += fmt.Sprintf(" nothing may be lost or shed: %+v", l.Totals)
			}
		}
		if last == "" {
			return
		}
		harness.Pause(200 * time.Millisecond)
	}
	k.Errorf("ledger of %s: %s", name, last)
}

var violation = regexp.MustCompile(`weir_invariant_violations_total\{invariant="(\w+)"\} ([1-9]\d*)`)

// judgeInvariants wants what the product watches itself to hold.
func (k *striker) judgeInvariants(name string) {
	page, err := k.processes[name].Get("/metrics")
	if err != nil {
		k.Errorf("read metrics of %s: %v", name, err)
		return
	}
	for _, m := range violation.FindAllStringSubmatch(string(page), -1) {
		if m[1] == "replay" && k.powerCuts > 0 {
			continue // a lost end of the journal is one, and told as such
		}
		k.Errorf("%s says that its invariant %s was broken %s times", name, m[1], m[2])
	}
}

// judgeRecovery wants processes ready in time, however busy the machine is.
func (k *striker) judgeRecovery() {
	p99 := k.watch.quantile(0.99)
	k.Logf("recovery of %d (%d more were interrupted): median %v, p99 %v, longest %v", len(k.watch.recoveries), k.watch.abandoned,
		k.watch.quantile(0.5).Round(time.Millisecond), p99.Round(time.Millisecond), k.watch.quantile(1).Round(time.Millisecond))
	if p99 > k.s.End.Ready {
		k.Errorf("recovery takes %v at p99, wanted at most %v; the load average is %.1f", p99.Round(time.Millisecond), k.s.End.Ready, loadAverage())
	}
}

func (k *striker) judgeDisk() {
	for _, name := range k.names() {
		size := int64(0)
		err := filepath.WalkDir(k.processes[name].Folder, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil // files come and go
			}
			if info, err := d.Info(); err == nil {
				if s, ok := info.Sys().(*syscall.Stat_t); ok {
					size += s.Blocks * 512
				}
			}
			return nil
		})
		if megabytes := int(size >> 20); err != nil || megabytes > k.s.End.Caps.Disk {
			k.Errorf("the data folder of %s holds %d MB, wanted at most %d (%v)", name, megabytes, k.s.End.Caps.Disk, err)
		}
	}
}

var goroutine = regexp.MustCompile(`(?m)^goroutine \d+ `)

// judgeRest compares what processes hold with what they held before the faults,
// and at last ends them with a dump of their goroutines.
func (k *striker) judgeRest() {
	caps := k.s.End.Caps
	for _, name := range k.names() {
		p, before := k.processes[name], k.before[name]
		now := p.Resources()
		cores := (k.after[name].CPU - before.CPU).Seconds() / k.s.Duration.Seconds()
		k.Logf("%-8s %v; at most %d MB RSS; %.3f cores while devices played", name, now, k.watch.peak[name]>>20, cores)
		if most, capped := caps.Cores[k.group(name)]; capped && cores > most {
			k.Errorf("%s used %.3f cores while devices played, wanted at most %g", name, cores, most)
		}
		k.judgeGroup(name)
		if now.Files > before.Files+caps.Files {
			k.Errorf("%s has %d files open, %d before the faults", name, now.Files, before.Files)
		}
		if most := caps.RSS[k.group(name)]; int(k.watch.peak[name]>>20) > most && k.s.Build != scenario.Race {
			k.Errorf("%s held %d MB, wanted at most %d", name, k.watch.peak[name]>>20, most)
		}
		n, most := k.goroutines(p), caps.Goroutines[k.group(name)]
		k.Logf("%-8s %d goroutines, at most %d may be", name, n, most)
		if n > most {
			k.Errorf("%s has %d goroutines, wanted at most %d: goroutines.txt in its folder", name, n, most)
		}
	}
}

// judgeGroup wants the kernel to have killed nobody who had used up his memory.
func (k *striker) judgeGroup(name string) {
	g := k.groups[name]
	if g == nil {
		return
	}
	c, err := g.Confined()
	if err != nil || c.Kills > 0 {
		k.Errorf("the control group of %s: %v (%v)", name, c, err)
	}
	k.Logf("%-8s limits: %v", name, c)
}

// goroutines ends a process with a dump, keeps that, and counts.
func (k *striker) goroutines(p *harness.Product) int {
	dump := p.Quit()
	if err := os.WriteFile(filepath.Join(p.Dir, "goroutines.txt"), []byte(dump), 0o644); err != nil {
		k.Errorf("keep the goroutines: %v", err)
	}
	return len(goroutine.FindAllString(dump, -1))
}
