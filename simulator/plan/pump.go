package plan

import "fmt"

// Pump is a device of no plan whose pressure follows its flow. Now and then it goes against it, which nobody sees who looks
// at one of them. The values of the nth second are those of the nth second of every pump.
const (
	PumpName   = "pump-1"
	PumpLearns = 1500 * s // before the relation breaks first: it has to be known
	PumpEvery  = 1800 * s // from one break to the next: what happens all the time becomes usual
	PumpBreaks = 20 * s
)

// PumpReading is what a pump sends in its nth second.
func PumpReading(n int64) []byte {
	flow, pressure := Pump(n)
	return fmt.Appendf(nil, `{"flow":%.3f,"pressure":%.4f}`, flow, pressure)
}

// Pump is the flow of the nth second, 37 to 43, and the pressure, about 3.7 to 4.3.
func Pump(n int64) (flow, pressure float64) {
	move := wobble(2 * n)
	flow = 40 + 3*move
	if PumpBroken(n) {
		move = -move
	}
	return flow, 4 + 0.3*move + 0.003*wobble(2*n+1)
}

// PumpBroken reports whether the relation is broken in the nth second.
func PumpBroken(n int64) bool {
	since := n*s - PumpLearns
	return since >= 0 && since%PumpEvery < PumpBreaks
}

// wobble is the nth of numbers from -1 to 1 that know nothing of each other.
func wobble(n int64) float64 { return float64(mix(uint64(n+1)*golden)>>11)/(1<<52) - 1 }
