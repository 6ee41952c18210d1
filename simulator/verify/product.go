package verify

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// product asks the HTTP API. What a server that is starting or restarting does
// is an *UnreachableError, which callers may wait out.
type product struct {
	base    string   // of the center, or of all tiers
	regions []string // where they run apart
	client  *http.Client
}

// at lists whom to ask for what regions hold.
func (p *product) at(q question) []string {
	if q.Get("tier") == "region" && len(p.regions) > 0 {
		return p.regions
	}
	return []string{p.base}
}

// window is a merged window of the product.
type window struct {
	device, class, metric string
	start, end            int64
	sum                   sum
	exact                 bool // its sum is a whole number of units, as simulated sums are
	final                 bool
}

// lateTotal is what a view calls late in an hour of event time.
type lateTotal struct {
	device, class, metric string
	hour                  int64
	sum                   sum
	exact                 bool
}

// view is the policy's word on windows.
type view struct{ size, lateness time.Duration }

// question is the parameters of a request.
type question = url.Values

// views asks for the sizes of the views, by name.
func (p *product) views(ctx context.Context) (map[string]view, error) {
	var answer struct {
		Views []struct {
			Name     string `json:"name"`
			Size     string `json:"size"`
			Lateness string `json:"allowed_lateness"`
		} `json:"views"`
	}
	if err := p.one(ctx, "/api/v1/policy", &answer); err != nil {
		return nil, err
	}
	views := map[string]view{}
	for _, v := range answer.Views {
		size, err := time.ParseDuration(v.Size)
		lateness, errLate := time.ParseDuration(cmp.Or(v.Lateness, "0s"))
		if err := errors.Join(err, errLate); err != nil || size < time.Millisecond {
			return nil, fmt.Errorf("read policy: view %q has size %q and lateness %q: %w", v.Name, v.Size, v.Lateness, err)
		}
		views[v.Name] = view{size, lateness}
	}
	return views, nil
}

// ledger asks for the ledger.
func (p *product) ledger(ctx context.Context) (ledger, error) {
	var l ledger
	err := p.one(ctx, "/api/v1/ledger", &l)
	return l, err
}

// windows passes each window of the answer to yield until that returns false.
func (p *product) windows(ctx context.Context, q question, yield func(window) bool) error {
	q.Set("detail", "1")
	more := true
	for _, base := range p.at(q) {
		err := p.lines(ctx, base+"/api/v1/windows", q, true, func(l *line) (bool, error) {
			w, err := l.window()
			more = err == nil && yield(w)
			return more, err
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// late passes each late total of the tenant to yield.
func (p *product) late(ctx context.Context, q question, yield func(view string, t lateTotal)) error {
	for _, base := range append([]string{p.base}, p.regions...) {
		err := p.lines(ctx, base+"/api/v1/late", q, false, func(l *line) (bool, error) {
			t, err := l.late()
			if err == nil {
				yield(l.View, t)
			}
			return true, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// line is a line of either list.
type line struct {
	View string `json:"view"`
	Key  struct {
		Device string `json:"device"`
		Class  string `json:"class"`
		Metric string `json:"metric"`
	} `json:"key"`
	Start  string          `json:"start"`
	End    json.RawMessage `json:"end"` // text, or true in the last line
	Hour   string          `json:"hour"`
	Count  int64           `json:"count"`
	Sum    float64         `json:"sum"`
	Digest string          `json:"digest"`
	Timing string          `json:"timing"`
}

func (l *line) last() bool { return string(l.End) == "true" }

func (l *line) window() (window, error) {
	var text string
	if err := json.Unmarshal(l.End, &text); err != nil {
		return window{}, fmt.Errorf("end %.40s: %w", l.End, err)
	}
	start, err := parseTime(l.Start)
	end, errEnd := parseTime(text)
	s, exact, errSum := l.sum()
	w := window{
		device: l.Key.Device, class: l.Key.Class, metric: l.Key.Metric,
		start: start, end: end, sum: s, exact: exact, final: l.Timing == "final",
	}
	return w, errors.Join(err, errEnd, errSum)
}

func (l *line) late() (lateTotal, error) {
	start, err := parseTime(l.Hour)
	s, exact, errSum := l.sum()
	return lateTotal{l.Key.Device, l.Key.Class, l.Key.Metric, start, s, exact}, errors.Join(err, errSum)
}

func (l *line) sum() (sum, bool, error) {
	digest, err := strconv.ParseUint(l.Digest, 16, 64)
	units := l.Sum * unitsPerOne
	return sum{l.Count, int64(units), digest}, units == float64(int64(units)), err
}

func parseTime(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UnixNano(), err
}

// one asks for a single object.
func (p *product) one(ctx context.Context, path string, into any) error {
	body, err := p.get(ctx, p.base+path, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return cut(p.base+path, err)
	}
	return nil
}

// lines asks for a list. A list of windows ends in a line {"end":true}: without
// it the answer was cut off.
func (p *product) lines(ctx context.Context, address string, q question, ends bool, yield func(*line) (bool, error)) error {
	body, err := p.get(ctx, address, q)
	if err != nil {
		return err
	}
	defer body.Close()
	in := bufio.NewReaderSize(body, 1<<16)
	for {
		text, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(text) == 0 && !ends {
			return nil
		}
		if err != nil {
			return cut(address, fmt.Errorf("before the last line: %w", err))
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return fmt.Errorf("read %s: line %.80q: %w", address, text, err)
		}
		if l.last() {
			return nil
		}
		if more, err := yield(&l); err != nil {
			return fmt.Errorf("read %s: line %.200q: %w", address, text, err)
		} else if !more {
			return nil
		}
	}
}

func (p *product) get(ctx context.Context, address string, q question) (io.ReadCloser, error) {
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, &UnreachableError{host(address), err}
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // only to say more
	err = fmt.Errorf("GET %s: %s: %s", address, response.Status, text)
	if response.StatusCode == http.StatusServiceUnavailable || response.StatusCode == http.StatusBadGateway {
		return nil, &UnreachableError{host(address), err}
	}
	return nil, err
}

// cut says that an answer ended early: the product went away.
func cut(address string, err error) error {
	return &UnreachableError{host(address), fmt.Errorf("the answer to %s was cut off: %w", address, err)}
}

// host is the part of a URL before its path.
func host(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
