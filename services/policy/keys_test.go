package policy

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckKey(t *testing.T) {
	for key, wrong := range map[string]string{
		DefaultKey:               "",
		RegionKey("r01"):         "",
		GroupKey("small-boxes"):  "",
		AgentKey("a_001"):        "",
		"":                       "no such layer",
		"agent":                  "1 to 64",
		"agent.":                 "1 to 64",
		"agent.a.b":              "1 to 64",
		"group.ü":                "1 to 64",
		"region.center":          "reserved",
		"tenant.x":               "no such layer",
		"default.x":              "no such layer",
		"Agent.a":                "no such layer",
		strings.Repeat("x", 999): "no such layer",
	} {
		err := CheckKey(key)
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%.20q: %v, want %q", key, err, wrong)
		}
	}
}

func TestLayersOf(t *testing.T) {
	for _, c := range []struct {
		place Place
		want  string
	}{
		{Place{}, "default agent.a"},
		{Place{Region: "r"}, "default region.r agent.a"},
		{Place{Group: "g"}, "default group.g agent.a"},
		{Place{"r", "g"}, "default region.r group.g agent.a"},
	} {
		got := c.place.LayersOf("a")
		if strings.Join(got, " ") != c.want || !slices.IsSortedFunc(got, byLayer) {
			t.Errorf("%+v: %v, want %s", c.place, got, c.want)
		}
	}
}
