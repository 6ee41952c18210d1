package console

import (
	"slices"
	"testing"

	"weir/schemas"
)

// TestAttributesAreLabels: views that are grouped by attributes are served beside those that are not, with a label for
// each attribute, and the labels of the others stay as they are.
func TestAttributesAreLabels(t *testing.T) {
	r := whole(t)
	r.follow()
	site := window("site", []string{"attrs.site", "metric", "attrs.floor-1"}, []string{"demo", "north", "temp", "a\x00b"}, r.now, 1, schemas.OnTime, 5, 7)
	r.commit(schemas.GatewayOutbox(schemas.Center, 0, schemas.KindCommit), entry("center/0", 1, fleet("pump", r.now, 1, 1, 2, 3), site))
	r.follow()
	families := r.scrape(asProtobuf)
	m := value(families, "weir_view_values", "attr_floor_1=a\uFFFDb", "attr_site=north", "class=", "metric=temp", "tenant=demo", "view=site")
	if m == nil || m.GetHistogram().GetSampleCount() != 2 {
		t.Errorf("view by attributes: %v", m)
	}
	if value(families, "weir_view_quantile", "attr_floor_1=a\uFFFDb", "attr_site=north", "class=", "metric=temp", "quantile=0.5", "tenant=demo", "view=site") == nil {
		t.Errorf("no quantile of it")
	}
	if value(families, "weir_view_values", "class=pump", "metric=temp", "tenant=demo", "view=fleet") == nil {
		t.Errorf("the fixed labels have changed: %v", families["weir_view_values"])
	}
}

func TestAttributeLabels(t *testing.T) {
	got := schemas.AttributeLabels([]string{"metric", "attrs.a.b", "attrs.a-b", "attrs.a_b", "attrs.é"})
	if want := []string{"", "attr_a_b", "attr_a_b_2", "attr_a_b_3", "attr__"}; !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
}

func TestExportersAreServed(t *testing.T) {
	r := whole(t)
	families := r.scrape(asText)
	if m := value(families, "weir_export_breaker_state", "exporter=prom", "tier=center"); m.GetGauge().GetValue() != 2 {
		t.Errorf("breaker: %v", m)
	}
	for outcome, want := range map[string]float64{"accepted": 0, "rejected": 2, "repeated": 0} {
		m := value(families, "weir_export_log_records_total", "exporter=prom", "outcome="+outcome, "tier=center")
		if m == nil || m.GetCounter().GetValue() != want {
			t.Errorf("log records %s: %v, want %v", outcome, m, want)
		}
	}
	if m := value(families, "weir_export_points_total", "exporter=prom", "outcome=accepted", "tier=center"); m.GetCounter().GetValue() != 7 {
		t.Errorf("points: %v", m)
	}
}
