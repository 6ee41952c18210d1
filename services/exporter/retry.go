package exporter

// Waits between tries, ns.
const (
	firstWait   = 500_000_000
	longestWait = 30_000_000_000
	mostAsked   = 600_000_000_000 // what a receiver may ask for
)

// waitFor is how long to wait after so many tries that failed in a row, ns: full
// jitter, which is any time up to a bound that doubles (Brooker 2015), but no less
// than the receiver asks for. chance is from 0 to 1.
func waitFor(tries int, asked int64, chance float64) int64 {
	bound := int64(longestWait)
	if tries < 7 {
		bound = min(bound, int64(firstWait)<<max(tries-1, 0))
	}
	return max(int64(chance*float64(bound)), min(asked, mostAsked))
}
