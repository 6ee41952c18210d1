package schemas

import (
	"regexp"
	"strings"
	"testing"
)

func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "acme", "pump-1", "temp", "_x.y:z/w-1", "1temp", "-a", "a.b", "a b", "é", strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 128), strings.Repeat("x", 129), "a\n"} {
		f.Add(s)
	}
	name := regexp.MustCompile(`\A[A-Za-z0-9_-]{1,64}\z`)
	metric := regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_.:/-]{0,127}\z`)
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := ValidName(s), name.MatchString(s); got != want {
			t.Errorf("ValidName(%q) = %v", s, got)
		}
		if got, want := ValidMetric(s), metric.MatchString(s); got != want {
			t.Errorf("ValidMetric(%q) = %v", s, got)
		}
		if ValidMetric(s) != ValidMetric([]byte(s)) {
			t.Errorf("ValidMetric(%q) depends on the type", s)
		}
	})
}

func TestCheckName(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if got := errorText(err); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(CheckName("tenant", "acme"), "")
	f(CheckName("tenant", "ac.me"), `tenant name "ac.me": use 1 to 64 letters, digits, '-' or '_'`)
	f(CheckRegion("north"), "")
	f(CheckRegion("no rth"), `region name "no rth": use 1 to 64 letters, digits, '-' or '_'`)
	f(CheckRegion("center"), `region name "center": it is reserved for the top tier, take another`)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
