package exporter

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"weir/schemas"
)

// try sends one request once.
type try func(ctx context.Context) answer

// sender speaks to one receiver.
type sender interface {
	points(points []point) try
	logs(logs plog.Logs) try
	close()
}

// dial makes the sender of an exporter. Nothing is sent yet.
func dial(e *schemas.Exporter, dir string, product string) (sender, error) {
	u, err := url.Parse(e.Endpoint)
	if err != nil {
		return nil, err
	}
	s := &secrets{dir: dir, Exporter: *e}
	form := otlpForm{delta: e.Temporality == schemas.Delta, signedSum: e.SignedSum, resource: e.Resource}
	switch e.Protocol {
	case schemas.ProtocolGRPC:
		return dialGRPC(u, s, form, product)
	case schemas.ProtocolHTTP:
		c, err := newHTTPClient(s, product)
		return &otlpHTTP{client: c, url: u, form: form}, err
	case schemas.ProtocolRemoteWrite1, schemas.ProtocolRemoteWrite2:
		c, err := newHTTPClient(s, product)
		return &remoteWrite{client: c, url: u.String(), version2: e.Protocol == schemas.ProtocolRemoteWrite2}, err
	}
	return nil, fmt.Errorf("protocol %q is not known", e.Protocol)
}

// signalURL is where a signal goes over HTTP: an endpoint without a path has those
// of the specification; one that names the path of metrics has its neighbors.
func signalURL(u *url.URL, signal string) string {
	to := *u
	switch base, isMetrics := strings.CutSuffix(strings.TrimSuffix(u.Path, "/"), "/v1/metrics"); {
	case isMetrics, base == "":
		to.Path = base + "/v1/" + signal
	default:
		to.Path = base
	}
	return to.String()
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(value string, now time.Time) int64 {
	if value == "" {
		return 0
	}
	if d, err := time.ParseDuration(value + "s"); err == nil {
		return max(0, int64(d))
	}
	if at, err := time.Parse(time.RFC1123, value); err == nil {
		return max(0, int64(at.Sub(now)))
	}
	return 0
}
