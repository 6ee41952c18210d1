package scenario

import (
	"fmt"
	"regexp"
	"strconv"
)

var nameRange = regexp.MustCompile(`^(.*?)([0-9]{1,4})\.\.(.*?)([0-9]{1,4})$`)

// expandRanges makes a01..a10 ten names. What is no range stays as it is: check
// says what is wrong with it.
func expandRanges(names []string) (all []string) {
	for _, name := range names {
		m := nameRange.FindStringSubmatch(name)
		if m == nil || m[1] != m[3] || len(m[2]) != len(m[4]) || m[2] > m[4] {
			all = append(all, name)
			continue
		}
		from, _ := strconv.Atoi(m[2]) // they are digits
		to, _ := strconv.Atoi(m[4])
		for i := from; i <= to; i++ {
			all = append(all, fmt.Sprintf("%s%0*d", m[1], len(m[2]), i))
		}
	}
	return all
}

// AtMost leaves so many agents at the most, an equal share of each region. It fails
// where the scenario names one that is gone.
func (s *Scenario) AtMost(agents int) error {
	t := &s.Topology
	share := max(1, agents/len(t.Regions))
	for region, names := range t.Regions {
		t.Regions[region] = names[:min(share, len(names))]
	}
	if found := s.check(); len(found) > 0 {
		return fmt.Errorf("scenario %s with %d agents: %s: %s", s.Name, agents, found[0].path, found[0].wrong)
	}
	return nil
}
