package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// otlpListeners are the open listeners of OTLP.
type otlpListeners struct {
	grpc, http net.Listener // nil: none
	server     *grpc.Server
	web        *http.Server
	served     sync.WaitGroup
}

// open listens where the configuration says.
func (f *otlpFront) open() (*otlpListeners, error) {
	l := &otlpListeners{}
	var err error
	if l.grpc, err = listenOTLP("gRPC", f.s.cfg.OTLPGRPC); err != nil {
		return nil, err
	}
	if l.http, err = listenOTLP("HTTP", f.s.cfg.OTLPHTTP); err != nil {
		l.close()
		return nil, err
	}
	if l.grpc != nil {
		l.server = f.grpcServer(f.s.cfg.TLS)
		l.served.Go(func() { f.ended("gRPC", l.server.Serve(l.grpc)) })
	}
	if l.http != nil {
		l.web = f.httpServer(f.s.cfg.TLS)
		l.served.Go(func() { f.ended("HTTP", serveHTTP(l.web, l.http)) })
	}
	return l, nil
}

func serveHTTP(s *http.Server, l net.Listener) error {
	if s.TLSConfig != nil {
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}

// ended says why a server ended that was not told to.
func (f *otlpFront) ended(what string, err error) {
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		f.s.logger.Error("OTLP is no longer taken", "over", what, "error", err)
	}
}

// listenOTLP listens on an address; nil if it is empty.
func listenOTLP(what, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("accept OTLP over %s: %w", what, err)
	}
	return &crowd{Listener: l}, nil
}

// maxCallers bounds the connections of a listener; one more is closed at once.
const maxCallers = 2000

// crowd is a listener with bounded connections.
type crowd struct {
	net.Listener
	open atomic.Int64
}

// Accept waits for a connection for which there is room.
func (l *crowd) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= maxCallers {
			return &caller{Conn: c, of: l}, nil
		}
		l.open.Add(-1)
		_ = c.Close() // who comes again later may find room
	}
}

// caller is one connection of a crowd.
type caller struct {
	net.Conn
	of   *crowd
	once sync.Once
}

// Close makes room for another.
func (c *caller) Close() error {
	c.once.Do(func() { c.of.open.Add(-1) })
	return c.Conn.Close()
}

// farewellWithin is how long requests may take that are there when the service stops.
const farewellWithin = 2 * time.Second

// close ends the listeners and what is served, and waits for it.
func (l *otlpListeners) close() {
	ctx, cancel := context.WithTimeout(context.Background(), farewellWithin)
	defer cancel()
	if l.server != nil {
		stop := context.AfterFunc(ctx, l.server.Stop)
		l.server.GracefulStop()
		stop()
	}
	if l.web != nil && l.web.Shutdown(ctx) != nil {
		_ = l.web.Close()
	}
	for _, open := range []net.Listener{l.grpc, l.http} {
		if open != nil {
			_ = open.Close() // its server has, unless there was none
		}
	}
	l.served.Wait()
}

// OTLPAddrs are the addresses of the OTLP listeners; nil before Ready or without one.
func (s *Service) OTLPAddrs() (overGRPC, overHTTP net.Addr) {
	l := s.listening.Load()
	if l == nil {
		return nil, nil
	}
	return addrOf(l.grpc), addrOf(l.http)
}

func addrOf(l net.Listener) net.Addr {
	if l == nil {
		return nil
	}
	return l.Addr()
}
