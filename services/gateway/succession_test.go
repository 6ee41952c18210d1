package gateway

import (
	"testing"

	"weir/schemas"
)

// device is a window of a device that begins at a multiple of 10 s.
func device(i int64, firstN uint64, values ...float64) schemas.Window {
	return sketched(schemas.DeviceView, "device", "d", i*10*second, firstN, values...)
}

// lossRegion is a region and an agent that has lost what it knew: it goes on in a second
// epoch, and entries of the first one are on their way still.
type lossRegion struct{ fleetFold }

func newLossRegion(t *testing.T) lossRegion {
	return lossRegion{fleetFold{t, NewFold("r01/0", schemas.TierRegion)}}
}

// told is entry n of an epoch, by which its agent has counted so many records.
func (r lossRegion) told(epoch byte, n, counted uint64, windows ...schemas.Window) {
	r.t.Helper()
	c := tellingOne("a1", n, int64(epoch)*1000+int64(n), windows...)
	c.Epoch, c.Views[0].View, c.Views[0].Emitted = schemas.Epoch{epoch}, schemas.DeviceView, counted
	c.Totals = []schemas.Total{
		{Tenant: "t", Signal: schemas.Metrics, N: counted},
		{Tenant: "t", Signal: schemas.Metrics, Stage: schemas.StageAggregator, Outcome: schemas.Counted, N: counted},
	}
	if epoch == 2 {
		c.Estate = n == 1
		c.Continues = []schemas.Continuation{{Epoch: schemas.Epoch{1}, From: 1, N: 2, Estate: 1}}
	}
	r.tell(c)
}

func (r lossRegion) want(counted, doubt uint64) {
	r.t.Helper()
	l, c := schemas.NewLedger(r.Ledgers(0)).Totals, r.Check(0)
	if l.Counted != counted || l.Shed != doubt || l.Received != counted+doubt || c.Unexplained != 0 || c.Debt != 0 {
		r.t.Errorf("want %d counted and %d in doubt: %+v, %+v", counted, doubt, l, c)
	}
}

// TestPartsOfAnHeirComeFirst: an agent that has lost its journal and its checkpoints does
// not know again what devices send twice. Of a window that both of its epochs have brought
// the one counts that came first, whichever that is.
func TestPartsOfAnHeirComeFirst(t *testing.T) {
	r := newLossRegion(t)
	r.told(1, 1, 1, device(0, 1, 5))
	r.told(2, 1, 0)
	r.told(2, 2, 4, device(0, 2, 5), device(1, 2, 5, 6, 7))
	r.told(1, 2, 5, device(1, 2, 5, 6), device(2, 2, 5, 6))
	r.want(1+3+2, 1+2)
}

// TestBacklogBehindAnHeir: what the heir has brought is forgotten in the end. Entries from
// before count all the same, but where the windows that are forgotten may be the same.
func TestBacklogBehindAnHeir(t *testing.T) {
	r := newLossRegion(t)
	r.told(2, 1, 0)
	const many = maxRecent + 4
	for n := uint64(2); n < many; n++ {
		r.told(2, n, n-1, device(100+int64(n), n, 5))
	}
	restored := NewFold("r01/0", schemas.TierRegion)
	if err := restored.Restore(r.Append(nil)); err != nil {
		t.Fatal(err)
	}
	r.Fold = restored
	r.told(1, 1, 2, device(0, 1, 5), device(101, 1, 6))
	r.told(1, 2, 4, device(102, 2, 7), device(103, 2, 8))
	r.want(many, 2)
}
