package producttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"weir/schemas"
)

// RoundTrip answers a request without a network: a Product is the transport of
// an HTTP client.
func (p *Product) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// ServeHTTP answers the part of the API that the verifier asks.
func (p *Product) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Answer != nil {
		if code := p.Answer(r.URL.Path); code != http.StatusOK {
			http.Error(w, "not now", code)
			return
		}
	}
	t := p.tenant(r.FormValue("tenant"))
	out := json.NewEncoder(w)
	switch r.URL.Path {
	case "/api/v1/policy":
		fmt.Fprintf(w, `{"views":[{"name":"device","size":%q,"allowed_lateness":%q},{"name":"fleet","size":%q,"allowed_lateness":%q}]}`,
			p.Size, p.Lateness, p.Size, p.Lateness)
	case "/api/v1/ledger":
		_ = out.Encode(p.ledger())
	case "/api/v1/late":
		t.writeLate(out)
	case "/api/v1/windows":
		n := p.writeWindows(out, t, r)
		_ = out.Encode(map[string]any{"end": true, "windows": n})
	default:
		http.NotFound(w, r)
	}
}

type object = map[string]any

func (p *Product) ledger() object {
	tenants, all := object{}, map[string]int64{}
	var reasons []object
	for name, t := range p.tenants {
		row := map[string]int64{"received": 0}
		for outcome, n := range t.ledger {
			row[string(outcome)] = n
			row["received"] += n
		}
		for k, n := range row {
			all[k] += n
		}
		tenants[name] = row
		for why, n := range t.reasons {
			reasons = append(reasons, object{"stage": schemas.StageIngest, "outcome": schemas.Rejected, "reason": why, "n": n})
		}
	}
	return object{"totals": all, "tenants": tenants, "reasons": reasons}
}

func (t *tenant) writeLate(out *json.Encoder) {
	for name, d := range t.devices {
		for hour, sum := range d.late {
			_ = out.Encode(sum.line("device", object{"device": name, "metric": "temp"}, object{"hour": stamp(hour)}))
		}
	}
	for hour, sum := range t.late {
		_ = out.Encode(sum.line("fleet", object{"class": "default", "metric": "temp"}, object{"hour": stamp(hour)}))
	}
}

func (p *Product) writeWindows(out *json.Encoder, t *tenant, r *http.Request) int {
	from, errFrom := time.Parse(time.RFC3339Nano, r.FormValue("from"))
	to, errTo := time.Parse(time.RFC3339Nano, r.FormValue("to"))
	if errFrom != nil || errTo != nil {
		return 0
	}
	n := 0
	write := func(view string, key object, windows map[int64]*total) {
		for start, sum := range windows {
			if start >= from.UnixNano() && start < to.UnixNano() {
				n++
				_ = out.Encode(sum.line(view, key, object{"start": stamp(start), "end": stamp(start + int64(p.Size)), "timing": p.timing(start)}))
			}
		}
	}
	if r.FormValue("view") == "fleet" {
		write("fleet", object{"class": "default", "metric": "temp"}, t.fleet)
		return n
	}
	for name, d := range t.devices {
		if strings.HasPrefix(name, r.FormValue("device_prefix")) {
			write("device", object{"device": name, "metric": "temp"}, d.windows)
		}
	}
	return n
}

func (p *Product) timing(start int64) string {
	if p.Timing == nil {
		return "final"
	}
	return p.Timing(start)
}

func (t *total) line(view string, key, more object) object {
	more["view"], more["key"] = view, key
	more["count"], more["sum"], more["digest"] = t.count, t.sum, fmt.Sprintf("%x", t.digest)
	return more
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
