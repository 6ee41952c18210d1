package console

import (
	"context"
	"crypto/subtle"
	"net"
	"net/http"
	"time"

	"weir/services/internal/bus"
)

// server is the HTTP server around the handler. Its requests end with ctx, so
// that those that follow a stream do not hold up the end.
func (s *Service) server(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// handler is everything that is served, behind what guards it.
func (s *Service) handler() http.Handler {
	loopback := isLoopback(s.listener.Addr().String())
	guarded := http.NewCrossOriginProtection().Handler(s.routes())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if loopback && !isLoopback(r.Host) {
			// A page of another site whose name was pointed at this machine (DNS rebinding).
			fail(w, http.StatusForbidden, errForeignHost(r.Host))
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// isLoopback reports whether host or host:port names this machine.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// operator reports whether a request comes from somebody who may write: a client
// on this machine that knows the operator's password.
func (s *Service) operator(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && s.cfg.OperatorPassword != "" && isLoopback(r.RemoteAddr) && user == bus.UserOperator &&
		subtle.ConstantTimeCompare([]byte(password), []byte(s.cfg.OperatorPassword)) == 1
}
