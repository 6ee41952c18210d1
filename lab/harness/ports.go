package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// Ports are taken below the ephemeral range: devices that try again and again to
// reach a port in it, while nobody listens, can be given that very port for
// their own end, and then hold it against the product.
const (
	firstPort = 20000
	lastPort  = 32000
)

// ports counts the ports tried by this process, from anywhere on: what has been
// handed out and is not listened on yet is not handed out again.
var ports = func() *atomic.Uint32 {
	n := new(atomic.Uint32)
	n.Store(rand.Uint32N(lastPort - firstPort))
	return n
}()

// FreeAddress is an address of this machine on which nobody listens now.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	var last error
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+ports.Add(1)%(lastPort-firstPort)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
		last = err
	}
	tb.Fatalf("find a free port from %d to %d: %v", firstPort, lastPort, last)
	return ""
}
