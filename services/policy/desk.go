package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/schemas"
)

// How long a hub thinks before it answers, in ns.
const (
	// hold is how long a question waits for news. Who asks waits longer.
	hold = int64(20 * time.Second)
	// doubt is how long beyond that a question waits whose asker knows a newer
	// revision than this hub: another hub may answer it, or this one catches up.
	doubt = int64(5 * time.Second)
	// quiet is how long the bucket must rest before what it holds is handed on, so
	// that edits that belong together, and copies of them, go together.
	quiet = int64(250 * time.Millisecond)
	// restless is the longest wait for quiet.
	restless = int64(2 * time.Second)
)

// Bounds of a desk.
const (
	maxQuestion = 1 << 10 // bytes
	maxWaiting  = 1 << 13 // questions; one more is turned away
	maxEach     = 2       // of these by one name, as of two gateways of a region; one more takes the place of the first
	maxNames    = 1 << 16 // of agents whose group is remembered

	// Answers go out at up to burstBytes in each burst, ns: a change of what
	// thousands wait for must not fill the queues of a link.
	burstBytes = 4 << 20
	burst      = int64(100 * time.Millisecond)
)

// desk answers questions about layers: at once if there is news for who asks,
// else when there is, or after a while. Time is an argument: ns, > 0, of a clock
// that does not step.
type desk struct {
	region  string            // that answers; schemas.Center: it answers regions
	out     *handout          // nil: not known yet
	waiting []waiter          // in the order in which they came
	asking  map[string]int    // waiting questions by name, > 0
	groups  map[string]string // of agents that have asked

	changed, last int64 // first and newest change that is not handed on; 0: none
	burstEnds     int64 // of the present burst
	burstLeft     int   // bytes
}

// waiter is a question that waits.
type waiter struct {
	who   string
	q     schemas.DesiredQuestion
	until int64 // then it is answered whatever there is
	reply reply
}

// reply sends an answer.
type reply func(data []byte)

// delivery is an answer to be sent.
type delivery struct {
	reply reply
	data  []byte
}

func newDesk(region string) *desk {
	return &desk{region: region, asking: map[string]int{}, groups: map[string]string{}}
}

// ask takes a question of a name. A question that makes no sense is answered so
// and returned as error.
func (d *desk) ask(now int64, who string, question []byte, r reply) ([]delivery, error) {
	q, err := d.read(who, question)
	if err != nil {
		return []delivery{{r, problem(err)}}, err
	}
	if _, known := d.groups[who]; known || len(d.groups) < maxNames {
		d.groups[who] = q.Group
	}
	w := waiter{who, q, now + hold, r}
	if d.goes(now, w) {
		return []delivery{d.deliver(w)}, nil
	}
	if len(d.waiting) >= maxWaiting {
		return []delivery{{r, problem(fmt.Errorf("%d questions wait here: ask again later", maxWaiting))}}, nil
	}
	var out []delivery
	if d.asking[who] >= maxEach {
		out = append(out, delivery{d.drop(who), problem(fmt.Errorf("%s has asked again", who))})
	}
	d.asking[who]++
	d.waiting = append(d.waiting, w)
	return out, nil
}

// read checks that a question is asked by whom it is about.
func (d *desk) read(who string, question []byte) (q schemas.DesiredQuestion, err error) {
	if err = schemas.CheckName("asker's", who); err != nil {
		return q, err
	}
	if len(question) > maxQuestion {
		return q, fmt.Errorf("question of %s: %d bytes: it may have %d", who, len(question), maxQuestion)
	}
	if err = json.Unmarshal(question, &q); err != nil {
		return q, fmt.Errorf("question of %s: %w", who, err)
	}
	switch {
	case d.region == schemas.Center && (q.Agent != "" || q.Region != who || q.Group != ""):
		return q, fmt.Errorf("%s asks as agent %q of region %q: the center answers regions, each about itself", who, q.Agent, q.Region)
	case d.region != schemas.Center && q.Agent != who:
		return q, fmt.Errorf("%s asks as agent %q: an agent may ask about itself only", who, q.Agent)
	case d.region != schemas.Center && q.Region != d.region:
		return q, fmt.Errorf("agent %s says that it is of region %q, and asks region %s: correct its configuration", who, q.Region, d.region)
	}
	return q, placeOf(q).check()
}

// drop takes the first question of a name, which has one, off the desk.
func (d *desk) drop(who string) reply {
	i := slices.IndexFunc(d.waiting, func(w waiter) bool { return w.who == who })
	r := d.waiting[i].reply
	d.waiting = slices.Delete(d.waiting, i, i+1)
	d.leave(who)
	return r
}

// leave counts a question of a name as gone.
func (d *desk) leave(who string) {
	if d.asking[who]--; d.asking[who] == 0 {
		delete(d.asking, who)
	}
}

// note says that the layers have changed.
func (d *desk) note(now int64) {
	if d.changed == 0 {
		d.changed = now
	}
	d.last = now
}

// publish hands on the layers as they are now.
func (d *desk) publish(layers map[string]layer) {
	d.out, d.changed, d.last = newHandout(maps.Clone(layers)), 0, 0
}

// tick answers what is to be answered by now.
func (d *desk) tick(now int64, layers map[string]layer) []delivery {
	if d.changed > 0 && now >= d.settles() {
		d.publish(layers)
	}
	return d.release(now)
}

// settles is when changes are handed on, unless there are more.
func (d *desk) settles() int64 { return min(d.last+quiet, d.changed+restless) }

// next is when tick has something to do at the latest; 0: when something happens.
func (d *desk) next(now int64) (at int64) {
	sooner := func(t int64) {
		if at == 0 || t < at {
			at = t
		}
	}
	if d.changed > 0 {
		sooner(d.settles())
	}
	if len(d.waiting) > 0 {
		sooner(now + int64(time.Second))
		if d.burstLeft <= 0 {
			sooner(d.burstEnds)
		}
	}
	return at
}

// close answers every question with what there is.
func (d *desk) close() (out []delivery) {
	for _, w := range d.waiting {
		out = append(out, delivery{w.reply, d.answer(w.q)})
	}
	d.waiting, d.asking = nil, map[string]int{}
	return out
}

// release takes the questions that are to be answered off the desk.
func (d *desk) release(now int64) (out []delivery) {
	keep := d.waiting[:0]
	for _, w := range d.waiting {
		if !d.goes(now, w) {
			keep = append(keep, w)
			continue
		}
		d.leave(w.who)
		out = append(out, d.deliver(w))
	}
	clear(d.waiting[len(keep):])
	d.waiting = keep
	return out
}

// goes reports whether a question is answered now: it is due, and the burst has
// room.
func (d *desk) goes(now int64, w waiter) bool {
	if now >= d.burstEnds {
		d.burstEnds, d.burstLeft = now+burst, burstBytes
	}
	return d.burstLeft > 0 && d.due(now, w)
}

func (d *desk) deliver(w waiter) delivery {
	data := d.answer(w.q)
	d.burstLeft -= len(data)
	return delivery{w.reply, data}
}

// due reports whether a question is answered now.
func (d *desk) due(now int64, w waiter) bool {
	if d.silent() {
		return now >= w.until
	}
	has, there := revisionOf(w.q.Hash), d.out.revision(w.q)
	return w.q.Hash == "" || there > has || now >= w.until && there == has || now >= w.until+doubt
}

// silent reports whether nothing is known that could be wanted of anybody. An
// empty bucket that never held a document says nothing: it may be the new one of
// a hub that lost its disk, or has not heard from the hub above yet.
func (d *desk) silent() bool { return d.out == nil || d.out.newest == 0 }

func (d *desk) answer(q schemas.DesiredQuestion) []byte {
	if d.silent() {
		return problem(fmt.Errorf("no policy was ever set at %s", d.region))
	}
	return d.out.answer(q)
}

// revision is that of the newest layer that concerns an agent, or a region at
// the center; 0: none.
func (d *desk) revision(who string) uint64 {
	switch group, known := d.groups[who]; {
	case d.silent():
		return 0
	case d.region == schemas.Center:
		return d.out.revision(schemas.DesiredQuestion{Region: who})
	case known:
		return d.out.revision(schemas.DesiredQuestion{Agent: who, Region: d.region, Group: group})
	default:
		return max(d.out.groups, d.out.revision(schemas.DesiredQuestion{Agent: who, Region: d.region}))
	}
}

// told is an answer as it is read: one with an error says why there is none.
type told struct {
	schemas.DesiredAnswer
	Error string `json:"error,omitempty"`
}

// problem is the answer to who cannot get one.
func problem(err error) []byte {
	data, err := json.Marshal(told{Error: err.Error()})
	if err != nil {
		panic(fmt.Sprintf("BUG: encode an error: %v", err))
	}
	return data
}
