package simulator

import "weir/simulator/truth"

// tally counts records, but for messages and breaks.
type tally struct {
	records, messages, acknowledged, refused, never int64

	copiesSent, copiesAcked int64 // of duplicate messages, second sendings
	resent                  int64

	breaks int64 // of the connection
	last   int64 // when a record was first sent, ns since the start
	behind int64 // greatest delay behind the schedule, ns
	recent int64 // the same since progress was last shown
}

func (t *tally) add(o tally) {
	t.records += o.records
	t.messages += o.messages
	t.acknowledged += o.acknowledged
	t.refused += o.refused
	t.never += o.never
	t.copiesSent += o.copiesSent
	t.copiesAcked += o.copiesAcked
	t.resent += o.resent
	t.breaks += o.breaks
	t.last = max(t.last, o.last)
	t.behind = max(t.behind, o.behind)
	t.recent = max(t.recent, o.recent)
}

// totals is the end of the truth. At QoS 0 copies arrived for sure where no
// connection broke.
func (t tally) totals(qos int) truth.Totals {
	sure := t.copiesAcked
	if qos == 0 && t.breaks == 0 {
		sure = t.copiesSent
	}
	return truth.Totals{Messages: t.messages, Copies: sure, Resent: t.resent + t.copiesSent - sure}
}
