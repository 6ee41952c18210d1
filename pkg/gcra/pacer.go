package gcra

// Lane is one of the three kinds of traffic that a Pacer tells apart.
type Lane int

// The lanes, in the order in which they go first.
const (
	Alert Lane = iota
	Live
	Backfill
	Lanes int  = iota
	None  Lane = -1
)

// Shares say how lanes share a budget. The bursts follow from the rate: one quarter of a second of it, but for Backfill
// one twentieth of a second of its share.
type Shares struct {
	Rate     int64   // units per second, of all lanes together; 0 or less: there is no limit, lanes only go in order
	Reserve  float64 // of the burst: what only Alert may use, 0 to 1
	Backfill float64 // of the rate: the most that Backfill gets while Live flows, 0 to 1
	Least    float64 // of the rate: what Backfill gets even where Live would take everything; at most Backfill
	Quiet    int64   // ns after the last of Live from which it no longer counts as flowing
}

// Pacer says which of three lanes sends next, and when. Alert goes first and always finds its reserve; then Live; then
// Backfill, with at most its share of the rate while Live flows, and with all that is left where Live is quiet. Only
// for its least share Backfill goes before Live, so that no lane starves another for good.
//
// In any interval of length T all lanes together get at most rate·T + burst, and Backfill, while Live flows, at most
// its share·T + its burst. An amount larger than a burst passes when the burst is whole, and what is too much is
// waited for afterwards; the bounds then grow by the largest amount.
type Pacer struct {
	unlimited bool
	all       Bucket
	share     Bucket // of Backfill while Live flows
	least     Bucket // of Backfill, before Live
	reserve   int64  // units of all that stay for Alert
	quiet     int64
	flowed    int64 // when Live last had something to send
}

// NewPacer is a pacer whose lanes have been silent.
func NewPacer(s Shares) *Pacer {
	burst := max(s.Rate/4, 1)
	share := func(part float64) Bucket {
		rate := int64(float64(s.Rate) * min(max(part, 0), 1))
		return New(Limit{Rate: rate, Burst: max(rate/20, 1)})
	}
	return &Pacer{
		unlimited: s.Rate <= 0, all: New(Limit{Rate: s.Rate, Burst: burst}),
		share: share(s.Backfill), least: share(min(s.Least, s.Backfill)),
		reserve: int64(float64(burst) * min(max(s.Reserve, 0), 1)), quiet: s.Quiet, flowed: -horizon,
	}
}

// Next takes what the first amount in each lane is, 0 where nothing waits. It names the lane whose amount passes at time
// now, and takes it from the budget. Else it names None and when to ask again, in ns from now, if nothing changes
// before: Never where nothing waits.
func (p *Pacer) Next(now int64, waiting [Lanes]int64) (lane Lane, wait int64) {
	if waiting[Live] > 0 {
		p.flowed = max(p.flowed, now)
	}
	lane, first := p.first(now, waiting)
	switch {
	case lane == None:
		return None, Never
	case p.unlimited:
		return lane, 0
	}
	n := waiting[lane]
	wait = p.room(now, lane, n)
	if lane == Backfill {
		wait = max(wait, p.shareWait(now, n))
	}
	if wait > 0 {
		return None, min(wait, first)
	}
	p.all.Take(now, n)
	if lane == Backfill {
		p.takeShare(now, n)
	}
	return lane, 0
}

// first is the lane that nobody else may go before, and how long that is so: ns.
func (p *Pacer) first(now int64, waiting [Lanes]int64) (lane Lane, until int64) {
	switch {
	case waiting[Alert] > 0:
		return Alert, Never
	case waiting[Live] > 0 && waiting[Backfill] > 0 && !p.unlimited:
		until := max(p.shareWait(now, waiting[Backfill]), whole(&p.least, now, waiting[Backfill]))
		if until == 0 {
			return Backfill, Never
		}
		return Live, until
	case waiting[Live] > 0:
		return Live, Never
	case waiting[Backfill] > 0:
		return Backfill, Never
	}
	return None, Never
}

// room is how long until the budget has room for an amount of a lane, ns.
func (p *Pacer) room(now int64, l Lane, n int64) int64 {
	kept := p.reserve
	if l == Alert {
		kept = 0
	}
	return p.all.Wait(now, min(n, p.all.limit.Burst-kept)+kept)
}

// shareWait is how long until Backfill may have more, as far as its share goes, ns.
func (p *Pacer) shareWait(now, n int64) int64 {
	return min(whole(&p.share, now, n), max(p.flowed+p.quiet-now, 0))
}

func (p *Pacer) takeShare(now, n int64) {
	if now < p.flowed+p.quiet {
		p.share.Take(now, n)
	}
	if whole(&p.least, now, n) == 0 {
		p.least.Take(now, n)
	}
}

// whole is how long until a bucket holds an amount, or all that it can hold, ns.
func whole(b *Bucket, now, n int64) int64 { return b.Wait(now, max(min(n, b.limit.Burst), 1)) }
