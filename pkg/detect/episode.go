package detect

// What an open alert does.
const (
	openWeight  = 0.1    // of learning while it is open
	openCap     = 3600.0 // s that learning is limited for, or at least calmSamples
	calmTime    = 30.0   // s of calm until it closes, or at least calmSamples
	calmSamples = 30     // intervals
	calmBlocks  = 2      // of the slow band, where it has a say and is not alone
	calmSlow    = 9000.0 // s, where it is alone; also between two of its flags
	calmFactor  = 10     // calm is what comes more often than so many budgets
)

// An episode is the time from a flag until the return to normal.
type episode struct {
	open   bool
	slowly bool  // the slow band has opened it, or said so since
	opened int64 // ns
	loud   int64 // newest time that was not calm, ns
	told   int64 // newest flag of the slow band, ns; 0: none
}

// An opinion is what an episode is told of a sample.
type opinion struct {
	often  float64 // findings a day that would come of such a sample
	slowly float64 // the same of the slow band; +Inf where it has nothing to say
	fresh  bool    // the slow band is above its recent peak
	loud   bool    // the slow band is not calm
	alone  bool    // the slow band sees every sample
}

// weight is how much of a sample is learned.
func (e *episode) weight(t int64, interval float64) float64 {
	if e.open && float64(t-e.opened)/second < max(openCap, calmSamples*interval) {
		return openWeight
	}
	return 1
}

// update reports whether a sample is flagged: it begins an episode, or the slow band says again, after a long time, that
// it has never been so bad.
func (e *episode) update(t int64, interval, budget float64, o opinion) (flag bool) {
	if o.slowly <= budget && o.fresh && e.again(t, interval) && (o.alone || !e.open || e.slowly) {
		flag, e.told = true, t
	}
	flag = flag || o.often <= budget && !e.open
	if flag && !e.open {
		e.open, e.opened, e.slowly = true, t, false
	}
	e.slowly = e.slowly || o.slowly <= budget
	if flag || o.loud || o.often <= calmFactor*budget {
		e.loud = t
	}
	if e.open && float64(t-e.loud)/second > e.hold(interval, o.alone) {
		e.open, e.slowly = false, false
	}
	return flag
}

// again reports whether the slow band may flag, after its last one.
func (e *episode) again(t int64, interval float64) bool {
	return e.told == 0 || float64(t-e.told)/second > max(calmSlow, calmSamples*interval)
}

// hold is how long it must be calm until the episode is over, s.
func (e *episode) hold(interval float64, alone bool) float64 {
	hold := max(calmTime, calmSamples*interval)
	switch {
	case e.slowly && alone:
		return max(hold, calmSlow)
	case e.slowly:
		return max(hold, calmBlocks*blockLength/second)
	}
	return hold
}

func (e *episode) fields(c *codec) {
	c.flag(&e.open)
	c.flag(&e.slowly)
	c.i64(&e.opened)
	c.i64(&e.loud)
	c.i64(&e.told)
}
