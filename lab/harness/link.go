package harness

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Link is a TCP link to an address that can be cut, starved and healed.
type Link struct {
	Address string // to connect to, host:port

	tb    testing.TB
	proxy *toxiproxy.Proxy
}

// NewLink opens a link to an address where somebody listens sooner or later.
func NewLink(tb testing.TB, to string) *Link {
	tb.Helper()
	quiet := zerolog.New(io.Discard)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), quiet)
	l := &Link{Address: freeAddress(tb), tb: tb}
	l.proxy = toxiproxy.NewProxy(server, "link", l.Address, to)
	l.Heal()
	tb.Cleanup(l.proxy.Stop)
	return l
}

// Cut closes every connection and lets none through, as a cable that is pulled
// and noticed.
func (l *Link) Cut() {
	l.tb.Helper()
	l.proxy.Stop()
}

// Heal lets connections through again, and takes every toxic away.
func (l *Link) Heal() {
	l.tb.Helper()
	if err := l.proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		l.tb.Fatalf("open link at %s: %v", l.Address, err)
	}
	l.proxy.Toxics.ResetToxics(l.tb.Context())
}

// Blackhole keeps every connection and lets no byte through in either direction:
// nobody is told.
func (l *Link) Blackhole() {
	l.tb.Helper()
	l.poison("timeout", `{"timeout":0}`)
}

// Throttle bounds what goes up the link, in KB per second.
func (l *Link) Throttle(kilobytes int) {
	l.tb.Helper()
	l.poison("bandwidth", fmt.Sprintf(`{"rate":%d}`, kilobytes))
}

func (l *Link) poison(kind, attributes string) {
	l.tb.Helper()
	for _, direction := range []string{"upstream", "downstream"} {
		text := `{"name":"` + kind + "-" + direction + `","type":"` + kind + `","stream":"` + direction + `","attributes":` + attributes + `}`
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
			l.tb.Fatalf("poison link %s with %s: %v", l.Address, kind, err)
		}
	}
}
