package console

import (
	"context"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/parts"
)

// Windows are remembered while following for followed after the newest one, and
// looked through once in sweep.
const (
	followed = 15 * time.Minute
	sweep    = time.Minute
)

// feed turns a stream of entries into the rows that change.
type feed struct {
	query *Query
	cfg   *Config
	set   *windows
	swept int64 // windows that ended up to here have been forgotten
}

// follow hands what answers q to emit, then every change, until ctx ends or emit fails.
func follow(ctx context.Context, b *bus.Bus, q *Query, cfg *Config, emit func([]schemas.WindowRow) error) error {
	from, err := seek(ctx, b, q.stream(), q.From)
	if err != nil {
		return err
	}
	u, err := b.Usage(ctx, q.stream(), "")
	if err != nil {
		return err
	}
	f, in := feed{query: q, cfg: cfg, set: newWindows(q.wants, followerRoom)}, commits{want: q.parts()}
	return b.Read(ctx, q.stream(), from, false, func(m bus.Message) error {
		whole := false
		err := in.read(m, func(c *schemas.Commit) error {
			whole = c.End
			return f.set.apply(c)
		})
		if caughtUp := m.Seq >= u.LastSeq || m.Pending == 0; err != nil || !whole || !caughtUp {
			return err
		}
		if rows := f.rows(); len(rows) > 0 {
			return emit(rows)
		}
		return nil
	})
}

// rows are the windows that have changed since the last call. Where only final
// ones are wanted, the others wait.
func (f *feed) rows() []schemas.WindowRow {
	var rows []schemas.WindowRow
	newest := int64(0)
	for _, id := range f.set.take() {
		newest = max(newest, id.end)
		if f.query.Final && !f.set.final(id) {
			f.set.changed[id] = struct{}{}
			continue
		}
		rows = append(rows, f.cfg.rowOf(f.set.merged(id), f.query.Detail))
	}
	if horizon := newest - int64(followed); horizon > f.swept+int64(sweep) {
		f.set.forget(horizon)
		f.swept = horizon
	}
	return rows
}

// rowOf is a window as the API shows it.
func (c *Config) rowOf(t *parts.Sum, detail bool) schemas.WindowRow {
	agent := ""
	if device := t.Dim(deviceDim); device != "" && c.AgentOf != nil {
		agent = c.AgentOf(t.Key.Tenant, device)
	}
	region, _ := schemas.SplitProducer(t.Contributor)
	switch {
	case c.Region != "":
		region = c.Region // the contributor is the agent
	case region == schemas.Center:
		region = "" // the sum does not tell whence it came
	}
	r := t.Row(agent, region)
	if detail {
		r.WindowDetail = t.Detail()
	}
	return r
}
