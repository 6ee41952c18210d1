// Package torture kills the built weir with signal 9 while devices send, also
// while it recovers, and pours bad messages into it among good ones.
//
//	go test -count=1 ./lab/torture                                  what make test does
//	go test -count=1 -timeout 0 ./lab/torture -kills 500 -fuzz-messages 1000000
//	go test -count=1 ./lab/torture -run Kills -kills 10 -seed 42    the run that failed
//
// In: the binary and a seed. Out: pass, or what weir verify and the ledger say.
//
// Promises: what happens to a run and when is a function of its seed, as far as a
// schedule of a real machine can be; the truth is the simulator's, or counted by
// the generator of bad messages, and never the product's.
package torture

import (
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"weir/lab/harness"
)

var weir harness.Binary

var (
	kills        = flag.Int("kills", 50, "how often to kill, ten times per run")
	fuzzMessages = flag.Int("fuzz-messages", 100_000, "how many bad messages to mix with as many good ones")
	firstSeed    = flag.Uint64("seed", 0, "of the first run; 0: any")
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m, &weir)) }

// seed is that of run i.
func seed(i int) uint64 {
	if *firstSeed == 0 {
		*firstSeed = 1 + rand.Uint64N(1_000_000)
	}
	return *firstSeed + uint64(i)
}

// chance is the run's source of chance.
func chance(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
