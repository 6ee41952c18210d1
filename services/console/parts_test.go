package console

import (
	"testing"

	"weir/schemas"
)

// says makes a commit announce how far the device view is final.
func says(c schemas.Commit, through int64) schemas.Commit {
	c.Views = []schemas.Progress{{View: "device", Size: 10 * second, FinalThrough: through}}
	return c
}

// deviceWindow is a revision of a part of the ten seconds from start on.
func deviceWindow(start int64, firstN uint64, revision uint32, timing schemas.Timing) schemas.Window {
	w := window("device", deviceDims, []string{"a", "d", "temp"}, start, revision, timing, 1)
	w.FirstN = firstN
	return w
}

// TestFinal plays commits of one producer to a reader and wants, after each
// entry, the timing of the window from 0 to 10 s; "" before it is there.
func TestFinal(t *testing.T) {
	const end = 10 * second
	on, late, final := schemas.OnTime, schemas.LateTiming, schemas.FinalTiming
	w := func(firstN uint64, revision uint32, timing schemas.Timing) schemas.Window {
		return deviceWindow(0, firstN, revision, timing)
	}
	c := func(n uint64, through int64, windows ...schemas.Window) schemas.Commit {
		return says(entry("r0/0", n, windows...), through)
	}
	begins := func(c schemas.Commit, first uint64) schemas.Commit { // of a run that another entry ends
		c.RunFirst, c.End, c.Views = first, false, nil
		return c
	}
	ends := func(c schemas.Commit, first uint64) schemas.Commit {
		c.RunFirst = first
		return c
	}
	epoch := func(c schemas.Commit) schemas.Commit {
		c.Epoch = schemas.Epoch{2}
		return c
	}
	type step struct {
		schemas.Commit
		want string
	}
	for name, steps := range map[string][]step{
		"by progress": {{c(1, 0, w(1, 1, on)), "on_time"}, {c(2, end-1), "on_time"}, {c(3, end), "final"}},
		"by itself":   {{c(1, 0, w(1, 1, final)), "final"}},
		"revised in the commit that passes it": {
			{c(1, 0, w(1, 1, on)), "on_time"}, {c(2, end, w(1, 2, late)), "late"}, {c(3, end+second), "late"}, {c(4, end+second, w(1, 3, final)), "final"},
		},
		"new in the commit that passes it": {{c(1, end, w(1, 1, on)), "on_time"}, {c(2, 2*end), "on_time"}, {c(3, 2*end, w(1, 2, final)), "final"}},
		"revised after it was passed, as what is held may be": {
			{c(1, end, w(1, 1, on)), "on_time"}, {c(2, end, w(1, 2, late)), "late"}, {c(3, end+second), "late"}, {c(4, end+second, w(1, 3, final)), "final"},
		},
		"amended": {
			{c(1, 0, w(1, 1, on)), "on_time"}, {c(2, end), "final"}, {c(3, end, w(3, 1, on)), "on_time"}, {c(4, 2*end), "on_time"}, {c(5, 2*end, w(3, 2, final)), "final"},
		},
		"in a run of two entries": {
			{begins(c(1, 0, w(1, 1, on)), 1), "on_time"}, {ends(c(2, end), 1), "on_time"}, {c(3, end+second), "on_time"}, {c(4, end+second, w(1, 2, final)), "final"},
		},
		"before a run of two entries that passes it": {
			{c(1, 0, w(1, 1, on)), "on_time"}, {begins(c(2, 0), 2), "on_time"}, {ends(c(3, end), 2), "final"},
		},
		"an amendment in a run that is not whole yet": {
			{c(1, end), ""}, {begins(c(2, 0, w(2, 1, on)), 2), "on_time"}, {ends(c(3, end), 2), "on_time"},
		},
		"passed by another epoch": {
			{c(1, end, w(1, 1, on)), "on_time"}, {epoch(c(1, end)), "final"},
		},
		"new in an epoch that starts over": {
			{c(1, end), ""}, {epoch(c(1, 0, w(1, 1, on))), "on_time"}, {epoch(c(2, end)), "final"},
		},
		"final before an epoch that starts over": {
			{c(1, 0, w(1, 1, on)), "on_time"}, {c(2, end), "final"}, {epoch(c(1, 0)), "final"},
		},
	} {
		s := newWindows(func(*schemas.Window) bool { return true }, room{10, 10})
		id := windowID{view: "device", tenant: "a", key: "a\x00d\x00temp", end: end}
		for i, step := range steps {
			written := new(schemas.CommitEncoder).Append(nil, &step.Commit)
			read, err := new(schemas.CommitDecoder).Decode(written, schemas.WithLocal)
			if err == nil {
				err = s.apply(read)
			}
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(s.byID[id]) > 0 {
				got = s.merged(id).Timing.String()
			}
			if got != step.want || s.final(id) != (step.want == "final" || step.want == "") {
				t.Errorf("%s: after entry %d the window is %q, want %q", name, i+1, got, step.want)
			}
		}
	}
}
