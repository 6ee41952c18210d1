package schemas

// Match says which records a view holds. Every field that is set must match;
// the zero Match holds all.
type Match struct {
	Tenant string            `json:"tenant,omitempty" jsonschema:"Name with * for any text and ? for one character."`
	Class  string            `json:"class,omitempty" jsonschema:"Class with * for any text and ? for one character."`
	Device string            `json:"device,omitempty" jsonschema:"Name with * for any text and ? for one character."`
	Metric string            `json:"metric,omitempty" jsonschema:"Name with * for any text and ? for one character."`
	Attrs  map[string]string `json:"attrs,omitempty" jsonschema:"Attributes and the value that each must have."`
}

// IsZero reports whether m holds every record.
func (m Match) IsZero() bool {
	return m.Tenant == "" && m.Class == "" && m.Device == "" && m.Metric == "" && len(m.Attrs) == 0
}

// Holds reports whether a record matches. attr is its attribute of a key, empty
// where there is none.
func (m *Match) Holds(tenant, class, device, metric string, attr func(key string) string) bool {
	for key, want := range m.Attrs {
		if attr(key) != want {
			return false
		}
	}
	return globOrAll(m.Tenant, tenant) && globOrAll(m.Class, class) && globOrAll(m.Device, device) && globOrAll(m.Metric, metric)
}

func globOrAll(pattern, name string) bool { return pattern == "" || Glob(pattern, name) }

// Glob reports whether name matches a pattern in which * stands for any text
// and ? for one character. It takes at most len(pattern) · len(name) steps.
func Glob(pattern, name string) bool {
	p, n := 0, 0
	star, resume := -1, 0 // the last star, and where the text after it was tried
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// validGlob reports whether the pattern may match some name: its bytes are
// those of names, * and ?.
func validGlob(pattern string, valid func(byte) bool, longest int) bool {
	if pattern == "" || len(pattern) > longest {
		return false
	}
	for i := range len(pattern) {
		if c := pattern[i]; c != '*' && c != '?' && !valid(c) {
			return false
		}
	}
	return true
}
