package ingest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// ServerTLS reads what a listener needs to speak TLS: PEM files of its certificate
// and key, and where ca is not empty those of the authorities that clients must
// have a certificate from.
func ServerTLS(cert, key, ca string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read TLS certificate %s and key %s: %w", cert, key, err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if ca == "" {
		return c, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("read TLS authorities: %w", err)
	}
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read TLS authorities %s: it has no PEM certificate", ca)
	}
	return c, nil
}

// strangerShare of the connections is the most that one address, other than this
// machine's, may hold without having said who it is.
const strangerShare = 8

// door lets connections in. It bounds how many there are, and how long they take
// to say who they are.
type door struct {
	f        *mqttFront
	listener net.Listener

	mu        sync.Mutex
	conns     map[*conn]struct{}
	strangers map[netip.Addr]int // connections that have not said who they are
	closed    bool
	served    sync.WaitGroup // connections
}

// accept lets connections in until the listener is closed. When the process has no
// file left it waits until one is free.
func (d *door) accept(establish func(c net.Conn) error) {
	for wait := retryFirst; ; {
		nc, err := d.listener.Accept()
		switch {
		case err == nil:
			wait = retryFirst
			d.admit(nc, establish)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			d.f.logger.Warn("no connection accepted: trying again", "error", err)
			time.Sleep(wait)
			wait = min(2*wait, retryMost)
		}
	}
}

func (d *door) admit(nc net.Conn, establish func(c net.Conn) error) {
	c := newConn(nc, d.f.post)
	c.from = addressOf(nc)
	if t := d.f.s.cfg.TLS; t != nil {
		c.Conn = tls.Server(nc, t)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.full(c.from) {
		d.f.refused.Add(1)
		_ = nc.Close()
		return
	}
	d.conns[c] = struct{}{}
	d.strangers[c.from]++
	d.f.accepted.Add(1)
	d.f.connections.Add(1)
	_ = nc.SetDeadline(time.Now().Add(d.f.s.cfg.ConnectWithin)) // a failure shows in the first read
	d.served.Go(func() { d.serve(c, establish) })
}

// full reports whether one more connection from an address is one too many.
func (d *door) full(from netip.Addr) bool {
	most := min(d.f.s.cfg.MaxConnections, int(d.f.s.limits.connections.Load()))
	return len(d.conns) >= most || !from.IsLoopback() && d.strangers[from] >= max(1, most/strangerShare)
}

// addressOf is where a connection comes from; the zero Addr where that is no IP
// address.
func addressOf(c net.Conn) netip.Addr {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// serve runs one connection to its end.
func (d *door) serve(c *conn, establish func(c net.Conn) error) {
	err := d.shake(c)
	if err == nil {
		err = establish(c)
	}
	if err != nil {
		d.f.logger.Debug("connection ended", "remote", c.RemoteAddr(), "error", err)
	}
	_ = c.Close()
	d.f.release(c)
	d.f.connections.Add(-1)
	d.mu.Lock()
	delete(d.conns, c)
	d.mu.Unlock()
	d.known(c)
}

// shake is the TLS handshake, where there is one, within the deadline.
func (d *door) shake(c *conn) error {
	t, ok := c.Conn.(*tls.Conn)
	if ok {
		if err := t.Handshake(); err != nil {
			d.f.handshakes.Add(1)
			d.f.logger.Warn("no TLS with a connection", "remote", c.RemoteAddr(), "error", err)
			return err
		}
	}
	return c.raw.SetWriteDeadline(time.Time{}) // the one for reading stays until it is known
}

// known notes that a connection has said who it is, or has ended.
func (d *door) known(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.known {
		return
	}
	c.known = true
	if d.strangers[c.from]--; d.strangers[c.from] == 0 {
		delete(d.strangers, c.from)
	}
}

// stop ends the listener and all connections and waits for them.
func (d *door) stop(sayGoodbye func()) {
	_ = d.listener.Close()
	d.mu.Lock()
	d.closed = true
	d.closeThose((*conn).writes) // they would not hear a goodbye for long
	d.mu.Unlock()
	sayGoodbye()
	d.mu.Lock()
	d.closeThose(func(*conn) bool { return true })
	d.mu.Unlock()
	d.served.Wait()
}

// closeThose closes some connections. d.mu is held.
func (d *door) closeThose(which func(*conn) bool) {
	for c := range d.conns {
		if which(c) {
			_ = c.Close()
		}
	}
}
