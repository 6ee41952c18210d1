package harness

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

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
func NewLink(tb testing.TB, to string) *Link { return NewLinkAt(tb, FreeAddress(tb), to) }

// NewLinkAt opens a link that listens at an address of this machine.
func NewLinkAt(tb testing.TB, at, to string) *Link {
	tb.Helper()
	quiet := zerolog.New(io.Discard)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), quiet)
	l := &Link{Address: at, tb: tb}
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

// Deafen lets what goes up arrive and no answer come back. It ends with Heal,
// which does not close the connections: Reset does.
func (l *Link) Deafen() {
	l.tb.Helper()
	l.add("timeout", "downstream", `{"timeout":0}`)
}

// Delay holds back every byte, in both directions.
func (l *Link) Delay(latency, jitter time.Duration) {
	l.tb.Helper()
	l.poison("latency", fmt.Sprintf(`{"latency":%d,"jitter":%d}`, latency.Milliseconds(), jitter.Milliseconds()))
}

// Reset ends every connection at once, with a TCP reset where data is on its way,
// and lets new ones through. Toxics go.
func (l *Link) Reset() {
	l.tb.Helper()
	l.Cut()
	l.Heal()
}

// Throttle bounds what goes up the link, in KB per second.
func (l *Link) Throttle(kilobytes int) {
	l.tb.Helper()
	l.poison("bandwidth", fmt.Sprintf(`{"rate":%d}`, kilobytes))
}

func (l *Link) poison(kind, attributes string) {
	l.tb.Helper()
	for _, direction := range []string{"upstream", "downstream"} {
		l.add(kind, direction, attributes)
	}
}

func (l *Link) add(kind, direction, attributes string) {
	l.tb.Helper()
	text := `{"name":"` + kind + "-" + direction + `","type":"` + kind + `","stream":"` + direction + `","attributes":` + attributes + `}`
	if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		l.tb.Fatalf("poison link %s with %s: %v", l.Address, kind, err)
	}
}
