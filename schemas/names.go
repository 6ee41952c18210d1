package schemas

import "fmt"

// Longest names, in bytes.
const (
	MaxNameLen   = 64
	MaxMetricLen = 128
)

// ValidName reports whether s may name a tenant, a device, an agent or a
// region: [A-Za-z0-9_-]{1,64}.
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > MaxNameLen {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !nameByte(s[i]) {
			return false
		}
	}
	return true
}

// ValidMetric reports whether s may name a metric: [A-Za-z_][A-Za-z0-9_.:/-]{0,127}.
func ValidMetric[S string | []byte](s S) bool {
	if len(s) == 0 || len(s) > MaxMetricLen {
		return false
	}
	if c := s[0]; c != '_' && !letter(c) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !metricByte(s[i]) {
			return false
		}
	}
	return true
}

// DeviceMetric reports whether a device may name a metric so: it is valid, and
// none of Weir's own.
func DeviceMetric[S string | []byte](s S) bool {
	own := len(s) > 0 && s[0] == ReservedMetrics[0] && len(s) >= len(ReservedMetrics) && string(s[:len(ReservedMetrics)]) == ReservedMetrics
	return !own && ValidMetric(s)
}

// CheckName is ValidName with an error that names what was checked.
func CheckName(what, s string) error {
	if ValidName(s) {
		return nil
	}
	return fmt.Errorf("%s name %.80q: use 1 to %d letters, digits, '-' or '_'", what, s, MaxNameLen)
}

// CheckRegion is CheckName for a region below the top tier.
func CheckRegion(s string) error {
	if s == Center {
		return fmt.Errorf("region name %q: it is reserved for the top tier, take another", s)
	}
	return CheckName("region", s)
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func metricByte(c byte) bool { return nameByte(c) || c == '.' || c == ':' || c == '/' }

func nameByte(c byte) bool {
	return letter(c) || c >= '0' && c <= '9' || c == '_' || c == '-'
}
