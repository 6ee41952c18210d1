package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"weir/schemas"
	"weir/services/internal/bus"
)

// readDevices asks for the devices of every agent. Parameters: tenant, device,
// device_prefix, agent.
func readDevices(ctx context.Context, b *bus.Bus, v url.Values) ([]schemas.Device, error) {
	agents, err := ask[[]schemas.AgentLedger](ctx, b, schemas.AskLedger, nil)
	if err != nil {
		return nil, err
	}
	var all []schemas.Device
	for i := range agents {
		if a := v.Get("agent"); a != "" && a != agents[i].Agent {
			continue
		}
		devices, err := agentDevices(ctx, b, agents[i].Agent)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(devices, func(d schemas.Device) bool { return !wantsDevice(v, &d) })...)
	}
	slices.SortFunc(all, func(a, b schemas.Device) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Device, b.Device), strings.Compare(a.Agent, b.Agent))
	})
	return all, nil
}

// deviceStatus is what ingest answers of a device: what it refused never reaches
// an aggregator as the device's.
type deviceStatus struct {
	Tenant, Device, Agent string
	First, Last           time.Time
	Rejected              map[schemas.Reason]uint64 // since the start of ingest
}

// agentDevices joins what aggregator and ingest know of an agent's devices.
func agentDevices(ctx context.Context, b *bus.Bus, agent string) ([]schemas.Device, error) {
	devices, err := ask[[]schemas.Device](ctx, b, schemas.AskDevices, []byte(agent))
	if err != nil {
		return nil, err
	}
	refusals, err := ask[[]deviceStatus](ctx, b, schemas.Ask("ingest", "devices"), []byte(agent))
	if err != nil && !errors.Is(err, bus.ErrNone) {
		return nil, err
	}
	return join(devices, refusals), nil
}

// join adds refusals to their devices, and devices of which nothing was accepted.
func join(devices []schemas.Device, refusals []deviceStatus) []schemas.Device {
	type name struct{ tenant, device string }
	at := make(map[name]int, len(devices))
	for i := range devices {
		at[name{devices[i].Tenant, devices[i].Device}] = i
	}
	for _, r := range refusals {
		if len(r.Rejected) == 0 {
			continue
		}
		if i, ok := at[name{r.Tenant, r.Device}]; ok {
			devices[i].Rejected = r.Rejected
			continue
		}
		devices = append(devices, schemas.Device{
			Tenant: r.Tenant, Device: r.Device, Agent: r.Agent, Rejected: r.Rejected,
			FirstSeen: r.First.UTC().Format(time.RFC3339Nano), LastSeen: r.Last.UTC().Format(time.RFC3339Nano),
		})
	}
	return devices
}

func wantsDevice(v url.Values, d *schemas.Device) bool {
	return (v.Get("tenant") == "" || v.Get("tenant") == d.Tenant) &&
		(v.Get("device") == "" || v.Get("device") == d.Device) &&
		strings.HasPrefix(d.Device, v.Get("device_prefix"))
}

// parkedDefault is how many samples are shown unless told; parkedMax at most.
const (
	parkedDefault = 100
	parkedMax     = 10_000
)

// readParked reads the newest samples of refused messages, oldest first.
// Parameters: tenant, device, reason, limit.
func readParked(ctx context.Context, b *bus.Bus, v url.Values) ([]json.RawMessage, error) {
	p := params{values: v}
	limit := p.count("limit")
	if p.err != nil {
		return nil, p.err
	}
	if limit == 0 {
		limit = parkedDefault
	}
	limit = min(limit, parkedMax)
	var newest []json.RawMessage
	err := b.Read(ctx, schemas.StreamParked, 1, true, func(m bus.Message) error {
		if !wantsSample(v, m.Data) {
			return nil
		}
		if newest = append(newest, m.Data); len(newest) >= 2*limit {
			newest = slices.Delete(newest, 0, len(newest)-limit)
		}
		return nil
	})
	return newest[max(0, len(newest)-limit):], err
}

// wantsSample reports whether a sample is asked for. What is no JSON object was
// not written by ingest and cannot be shown.
func wantsSample(v url.Values, data []byte) bool {
	var s struct{ Tenant, Device, Reason string }
	if json.Unmarshal(data, &s) != nil {
		return false
	}
	for name, is := range map[string]string{"tenant": s.Tenant, "device": s.Device, "reason": s.Reason} {
		if want := v.Get(name); want != "" && want != is {
			return false
		}
	}
	return true
}
