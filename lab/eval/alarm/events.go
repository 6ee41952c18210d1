package alarm

import "weir/lab/eval/nab"

// Events is what flags mean to those who are told.
type Events struct {
	Windows int
	Found   int     // windows within which a flag was set
	Opened  int     // findings in all
	False   int     // findings that opened outside all windows
	Delays  []int64 // of the windows that were found: first flag less beginning, ns
}

// Judge looks at the rows from first on; windows that end before it are left out. The slices are per row.
func Judge(flags []bool, times []int64, windows []nab.Window, first int) Events {
	var e Events
	var edges Edges
	next, found := 0, false
	for next < len(windows) && windows[next].Right < first {
		next++
	}
	e.Windows = len(windows) - next
	for i := first; i < len(flags); i++ {
		if next < len(windows) && i > windows[next].Right {
			next, found = next+1, false
		}
		inside := next < len(windows) && i >= windows[next].Left
		opens := edges.Add(flags[i])
		if opens && !inside {
			e.False++
		}
		if inside && flags[i] && !found {
			found = true
			e.Found++
			e.Delays = append(e.Delays, times[i]-times[windows[next].Left])
		}
	}
	e.Opened = edges.Opened
	return e
}

// Plus adds the events of other series.
func (e Events) Plus(o Events) Events {
	return Events{
		Windows: e.Windows + o.Windows, Found: e.Found + o.Found, Opened: e.Opened + o.Opened, False: e.False + o.False,
		Delays: append(e.Delays[:len(e.Delays):len(e.Delays)], o.Delays...),
	}
}
