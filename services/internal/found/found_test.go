package found

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"weir/schemas"
	"weir/services/internal/fold"
)

func finding(id uint64, tenant string) *schemas.Finding {
	return &schemas.Finding{
		ID: id, Revision: 1, State: schemas.FindingOpen, Severity: schemas.Warning, Origin: "a001", Tenant: tenant, Kind: schemas.Silent, Detector: "silent",
		Device: "pump-1", Devices: 1, Says: "it is silent",
	}
}

// TestCommon: what all have stays, what one has not goes, and for good.
func TestCommon(t *testing.T) {
	var c Common
	for _, class := range []string{"pump", "boiler", "pump"} {
		c.Note("region", "north")
		c.Note("class", class)
		c.Note("agent", "")
	}
	if want := []schemas.Attr{{Key: "region", Value: "north"}}; !reflect.DeepEqual(c.Attrs(), want) {
		t.Errorf("they share %v, want %v", c.Attrs(), want)
	}
	if c.One("region") != "north" || c.One("class") != "" || c.One("metric") != "" {
		t.Errorf("region %q, class %q, metric %q", c.One("region"), c.One("class"), c.One("metric"))
	}
}

// TestKeep: the newest stay.
func TestKeep(t *testing.T) {
	var list []schemas.Finding
	for id := range uint64(7) {
		list = Keep(list, finding(id, "acme"), 3)
	}
	if len(list) != 3 || list[0].ID != 4 || list[2].ID != 6 {
		t.Errorf("kept %+v", list)
	}
}

// TestState: counts and lists are read as they were written, and add up to what was counted.
func TestState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var counts Counts
		var list []schemas.Finding
		tenants := rapid.SliceOf(rapid.SampledFrom([]string{"acme", "demo", "zeta"})).Draw(t, "tenants")
		for i, tenant := range tenants {
			o := finding(uint64(i+1), tenant)
			counts.Add(o)
			list = Keep(list, o, 10)
		}
		r := &fold.StateReader{B: Append(counts.Append(nil), list)}
		var again Counts
		again.Read(r)
		if read := Read(r); r.Done() != nil || !reflect.DeepEqual(again, counts) || len(read) != len(list) {
			t.Fatalf("%v and %d findings, read %v and %d: %v", counts, len(list), again, len(read), r.Err)
		}
		sum := uint64(0)
		for _, row := range counts {
			sum += row.N
		}
		if sum != uint64(len(tenants)) {
			t.Fatalf("%d counted, %d came", sum, len(tenants))
		}
	})
}
