package ingest

import (
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"weir/schemas"
	"weir/services/internal/otlp"
)

// httpServer is a server of OTLP over HTTP.
func (f *otlpFront) httpServer(secure *tls.Config) *http.Server {
	mux := http.NewServeMux()
	for _, signal := range []schemas.Signal{schemas.Metrics, schemas.Traces, schemas.Logs} {
		mux.HandleFunc("POST /v1/"+string(signal), func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, signal) })
	}
	return &http.Server{
		Handler: mux, TLSConfig: secure, ErrorLog: slog.NewLogLogger(f.s.logger.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: f.s.cfg.ConnectWithin, ReadTimeout: bodyWithin, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: grpcStreams, MaxReceiveBufferPerStream: grpcStreamWindow, MaxReceiveBufferPerConnection: grpcConnWindow},
	}
}

func (f *otlpFront) serve(w http.ResponseWriter, r *http.Request, signal schemas.Signal) {
	c := call{signal: signal, login: r.Header.Get("Authorization"), from: remoteAddr(r)}
	out, err := f.answerHTTP(w, r, &c)
	if c.encoding == "" {
		c.encoding = otlp.JSON // of the error, for who reads it
	}
	code := http.StatusOK
	if err != nil {
		code, out = f.httpError(w.Header(), &c, err)
	}
	w.Header().Set("Content-Type", string(c.encoding))
	w.WriteHeader(code)
	if _, err := w.Write(out); err != nil {
		f.s.logger.Debug("response not sent", "remote", r.RemoteAddr, "error", err)
	}
}

func (f *otlpFront) answerHTTP(w http.ResponseWriter, r *http.Request, c *call) ([]byte, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	e := otlp.Encoding(media)
	if err != nil || e != otlp.Protobuf && e != otlp.JSON {
		return nil, fmt.Errorf("%w %q: send %s or %s", errMedia, r.Header.Get("Content-Type"), otlp.Protobuf, otlp.JSON)
	}
	c.encoding = e
	connection := http.NewResponseController(w)
	return f.receive(r.Context(), c, body{
		read: func() ([]byte, error) { return unpacked(r) },
		cut: func() {
			if err := connection.SetReadDeadline(time.Unix(1, 0)); err != nil {
				f.s.logger.Debug("body not cut off", "remote", r.RemoteAddr, "error", err)
			}
		},
	})
}

// unpacked reads the body of a request, within bounds.
func unpacked(r *http.Request) ([]byte, error) {
	packed := io.Reader(r.Body)
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(packed)
		if err != nil {
			return nil, fmt.Errorf("%w: unpack the body: %w", errUnreadable, err)
		}
		packed = z
	default:
		return nil, fmt.Errorf("%w: content encoding %q: send gzip or none", errMedia, encoding)
	}
	b, err := io.ReadAll(io.LimitReader(packed, otlp.MaxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: read the body: %w", errUnreadable, err)
	case len(b) > otlp.MaxBytes:
		return nil, fmt.Errorf("%w: a request has at most %d bytes", errTooLong, otlp.MaxBytes)
	}
	return b, nil
}

// httpError says an error as OTLP wants it.
func (f *otlpFront) httpError(h http.Header, c *call, err error) (code int, text []byte) {
	s := &status.Status{Message: err.Error()}
	grpcCode, code, again := verdict(err)
	s.Code = int32(grpcCode)
	if again {
		h.Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	if code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="weir"`)
	}
	if c.encoding == otlp.JSON {
		text, err = protojson.Marshal(s)
	} else {
		text, err = proto.Marshal(s)
	}
	if err != nil {
		f.s.logger.Error("write a status", "error", err)
	}
	return code, text
}

func remoteAddr(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(host) // the zero Addr: that is not told
	return a.Unmap()
}
