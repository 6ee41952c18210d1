package aggregator

import (
	"encoding/binary"
	"strings"

	"weir/schemas"
	"weir/services/internal/fold"
)

// device is what an agent knows of one device.
type device struct {
	DeviceID
	id     int // in Fold.sources and in the bit sets of groups
	tenant *tenant
	series []*series
	own    []*group   // groups whose key holds this device
	sets   sets       // attributes that it has sent and views look at
	prints prints     // of all attributes that it has sent, as long as views count counters
	boots  []*numbers // most recently used first

	packets   packets
	requests  requests
	streams   streams
	numbered  bool
	perValue  uint64 // records in its newest numbered reading: what a missing number stands for
	forgotten uint64 // numbers lost in boots that are no longer kept
	missing   int64  // numbers known to be missing, of all boots
	holed     int64  // of these, numbers that may have been in missing frames

	firstSeen, lastSeen int64 // agent time
	records             uint64
	rate                rate

	due   int64 // least watermark at which one of its own groups has to do
	hold  int64 // least final_through likewise
	dirty bool  // a window of its own groups that came out has changed
}

// lose books numbers that turned out missing, or that came after all, and how many of
// them may have been in missing frames.
func (d *device) lose(n, holed int64) {
	d.missing, d.holed = d.missing+n, d.holed+holed
	d.tenant.deviceHole += n * int64(d.perValue)
	d.tenant.holed += holed * int64(d.perValue)
}

// sized notes how many records a numbered reading of the device has.
func (d *device) sized(n uint64) {
	if n != d.perValue {
		d.tenant.deviceHole += d.missing * int64(n-d.perValue)
		d.tenant.holed += d.holed * int64(n-d.perValue)
		d.perValue = n
	}
}

// series is one metric of one device.
type series struct {
	dev     *device
	index   int // in dev.series
	metric  string
	book    *tenant // where its records are counted
	boot    string  // of the cached hash
	hash    uint64  // schemas.SeriesIdentity with that boot
	hashed  bool
	targets []target // of records without attributes, per generation, in order
	others  map[*attrSet][]target
	early   early
}

// target are the groups that a series feeds under one generation of views.
type target struct {
	gen    *generation
	groups []*group
}

// point is a value of the series in a reading, with the identity of its record.
func (s *series) point(r *observation, v float64) schemas.Point {
	if !s.hashed || s.boot != r.boot {
		s.boot, s.hashed = strings.Clone(r.boot), true
		s.hash = schemas.SeriesIdentity(s.dev.Tenant, s.dev.Device, r.boot, s.metric)
	}
	if r.numbered {
		return schemas.Point{Time: r.time, Value: v, ID: schemas.NumberedIdentity(s.hash, r.seq)}
	}
	return schemas.Point{Time: r.time, Value: v, ID: schemas.UnnumberedIdentity(s.hash, r.time, v)}
}

// seriesOf finds the series of a metric. Devices have few: a scan beats a map,
// and names are interned, so that equal ones are the same bytes.
func (f *Fold) seriesOf(d *device, metric string) *series {
	for _, s := range d.series {
		if s.metric == metric {
			return s
		}
	}
	s := &series{dev: d, index: len(d.series), metric: metric, book: d.tenant}
	if signal := schemas.SignalOf(metric); signal != schemas.Metrics {
		s.book = f.share(d.Tenant, signal)
	}
	d.series = append(d.series, s)
	return s
}

// rate counts records over the last minute of agent time, in slots of 10 s.
type rate struct {
	slot  int64
	slots [7]uint32
}

const rateSlot = 10_000_000_000

func (r *rate) add(now int64, n uint32) {
	slot := now / rateSlot
	for ; r.slot < slot; r.slot++ {
		if slot-r.slot > int64(len(r.slots)) {
			r.slot = slot - int64(len(r.slots))
		}
		r.slots[(r.slot+1)%int64(len(r.slots))] = 0
	}
	r.slots[slot%int64(len(r.slots))] += n
}

// perSecond is the mean over the six whole slots before now's. It works on a
// copy: a question must not change the state.
func (r rate) perSecond(now int64) float64 {
	r.add(now, 0)
	var n uint32
	for i, v := range r.slots {
		if int64(i) != r.slot%int64(len(r.slots)) {
			n += v
		}
	}
	return float64(n) / 60
}

func (d *device) append(b []byte) []byte {
	for _, s := range [...]string{d.Tenant, d.Device, d.Class} {
		b = fold.AppendString(b, s)
	}
	b = fold.AppendBool(b, d.numbered)
	for _, v := range [...]uint64{d.perValue, d.forgotten, d.records} {
		b = binary.AppendUvarint(b, v)
	}
	for _, v := range [...]int64{d.missing, d.holed, d.firstSeen, d.lastSeen, d.rate.slot} {
		b = binary.AppendVarint(b, v)
	}
	for _, v := range d.rate.slots {
		b = binary.AppendUvarint(b, uint64(v))
	}
	b = binary.AppendUvarint(b, uint64(len(d.boots)))
	for _, n := range d.boots {
		b = n.append(b)
	}
	b = d.packets.append(b)
	b = d.sets.append(b)
	b = d.streams.append(d.requests.append(b))
	b = binary.AppendUvarint(b, uint64(len(d.series)))
	for _, s := range d.series {
		b = fold.AppendString(b, s.metric)
		b = s.early.append(b)
	}
	return d.prints.append(b)
}

func (f *Fold) readDevice(r *fold.StateReader, version byte) *device {
	d := f.newDevice(r.String(), r.String(), r.String())
	d.numbered = r.Bool()
	d.perValue, d.forgotten, d.records = r.Uint(), r.Uint(), r.Uint()
	if d.missing = r.Int(); version > 3 {
		d.holed = r.Int()
	}
	d.firstSeen, d.lastSeen, d.rate.slot = r.Int(), r.Int(), r.Int()
	for i := range d.rate.slots {
		d.rate.slots[i] = uint32(r.Uint())
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		d.boots = append(d.boots, readNumbers(r, version))
	}
	d.packets.read(r)
	if version > 1 {
		d.sets = f.attrs.readSets(r)
	}
	if version > 2 {
		d.requests.read(r)
		d.streams = f.readStreams(r)
	}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		s := f.seriesOf(d, f.intern(r.String()))
		if s.early.read(r); s.early.count > 0 {
			f.touched = append(f.touched, s)
		}
	}
	if version > 5 {
		d.prints.read(r)
	}
	return d
}
