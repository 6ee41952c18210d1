package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Sim is a weir sim that plays.
type Sim struct {
	Truth string // the truth file

	p        *Product
	cmd      *exec.Cmd
	out, err bytes.Buffer
	ended    chan struct{}
	before   uint64 // records received when it began
}

// SimSummary is the last line of weir sim -o json.
type SimSummary struct {
	Run             string
	Records         int64
	Messages        int64
	Acknowledged    int64
	Unknown         int64
	Refused         int64
	Never           int64
	ConnectFailures int64 `json:"connect_failures"`
	Truth           string
}

// Simulate starts weir sim with a truth file of its own.
func (p *Product) Simulate(args ...string) *Sim {
	p.tb.Helper()
	f, err := os.CreateTemp(p.Dir, "truth-")
	if err != nil {
		p.tb.Fatal(err)
	}
	_ = f.Close()
	_ = os.Remove(f.Name()) // weir sim makes it
	s := &Sim{Truth: f.Name(), p: p, before: p.received()}
	s.cmd = p.command(append([]string{"sim", "-o", "json", "--truth", s.Truth}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.err
	if s.ended, err = spawn(s.cmd); err != nil {
		p.tb.Fatalf("start %s: %v", s.cmd, err)
	}
	p.tb.Cleanup(s.kill)
	return s
}

func (s *Sim) kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // most of the time it has ended
	<-s.ended
}

func (p *Product) received() uint64 {
	l, err := p.Balance()
	if err != nil {
		return 0
	}
	return l.Totals.Received
}

// AwaitReceived waits until the product has received so many records since the
// simulation began.
func (s *Sim) AwaitReceived(n uint64) {
	s.p.tb.Helper()
	Until(s.p.tb, readyWithin, func() string {
		select {
		case <-s.ended:
			s.p.tb.Fatalf("%s ended with exit code %d: %s", s.cmd, s.cmd.ProcessState.ExitCode(), s.err.String())
		default:
		}
		if got := s.p.received(); got < s.before+n {
			return fmt.Sprintf("the product has received %d records, wanted %d beside the %d of before", got, n, s.before)
		}
		return ""
	})
}

// Stop ends the schedule and waits until everything is settled.
func (s *Sim) Stop() SimSummary {
	s.p.tb.Helper()
	_ = s.cmd.Process.Signal(os.Interrupt) // it may have ended by itself
	return s.Wait()
}

// Wait waits until the simulation is over.
func (s *Sim) Wait() SimSummary {
	s.p.tb.Helper()
	return s.WaitWithin(commandWithin)
}

// WaitWithin waits so long at most.
func (s *Sim) WaitWithin(d time.Duration) SimSummary {
	s.p.tb.Helper()
	select {
	case <-s.ended:
	case <-time.After(d):
		s.p.tb.Fatalf("%s still runs after %v: %s", s.cmd, d, s.err.String())
	}
	var sum SimSummary
	err := json.Unmarshal(s.out.Bytes(), &sum)
	if code := s.cmd.ProcessState.ExitCode(); code != 0 || err != nil {
		s.p.tb.Fatalf("%s: exit code %d, %v: %s%s", s.cmd, code, err, s.out.String(), s.err.String())
	}
	return sum
}
