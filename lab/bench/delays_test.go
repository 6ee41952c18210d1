package main

import (
	"slices"
	"strings"
	"testing"

	"weir/lab/sights"
)

func TestDelayedRow(t *testing.T) {
	fine := sights.Spread{P50: 0.5, P99: 1, Max: 1.5, Windows: 9}
	d := delayed{
		audience: audience{shape: shape{Name: "x"}}, Rate: 49_999.6, Behind: 0.05, Peak: 700e6,
		Region: tier{OnTime: fine, Final: fine}, Center: tier{OnTime: fine, Final: fine},
	}
	cell := "0.50 · 1.00 · 1.50"
	if got, want := d.row(), []string{"x", "50,000", cell, cell, cell, cell, "700", "0, verified"}; !slices.Equal(got, want) || len(got) != len(delayColumns) {
		t.Errorf("row %q, wanted %q", got, want)
	}
	if notes := d.notes(); len(notes) != 0 {
		t.Errorf("all is well, and the notes say %q", notes)
	}
	d.Region.OnTime.Max, d.Center.OnTime.Max, d.Region.Final.Max, d.Center.Final.Unseen, d.Behind = 2.1, 4.1, 4.1, 1, 0.2
	notes := strings.Join(d.notes(), "\n")
	for _, says := range []string{"on time at region up to 2.1 s, 2 s wanted", "on time at center up to", "final at region up to", "final at center: 1 of 10 windows", "0.2 s behind"} {
		if !strings.Contains(notes, "x: ") || !strings.Contains(notes, says) {
			t.Errorf("the notes do not say %q:\n%s", says, notes)
		}
	}
}
