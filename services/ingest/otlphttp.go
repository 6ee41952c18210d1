package ingest

import (
	"compress/gzip"
	"crypto/tls"
	"errors"
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
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"weir/schemas"
	"weir/services/internal/otlp"
	"weir/services/internal/users"
)

// httpServer is a server of OTLP over HTTP.
func (f *otlpFront) httpServer(secure *tls.Config) *http.Server {
	mux := http.NewServeMux()
	for _, signal := range []schemas.Signal{schemas.Metrics, schemas.Traces, schemas.Logs} {
		mux.HandleFunc("POST /v1/"+string(signal), func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, signal) })
	}
	return &http.Server{
		Handler: mux, TLSConfig: secure, ErrorLog: slog.NewLogLogger(f.s.logger.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: f.s.cfg.ConnectWithin, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

func (f *otlpFront) serve(w http.ResponseWriter, r *http.Request, signal schemas.Signal) {
	c := call{signal: signal, login: r.Header.Get("Authorization"), from: remoteAddr(r)}
	out, err := f.answerHTTP(r, &c)
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

// Why HTTP refuses a request before anything looks at it.
var (
	errMedia   = errors.New("unsupported media type")
	errTooLong = errors.New("too large")
)

func (f *otlpFront) answerHTTP(r *http.Request, c *call) (out []byte, err error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	e := otlp.Encoding(media)
	if err != nil || e != otlp.Protobuf && e != otlp.JSON {
		return nil, fmt.Errorf("%w %q: send %s or %s", errMedia, r.Header.Get("Content-Type"), otlp.Protobuf, otlp.JSON)
	}
	c.encoding = e
	if c.body, err = unpacked(r); err != nil {
		return nil, err
	}
	return f.take(r.Context(), c)
}

// unpacked reads the body of a request, within bounds.
func unpacked(r *http.Request) ([]byte, error) {
	body := io.Reader(r.Body)
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("%w: unpack the body: %w", errUnreadable, err)
		}
		body = z
	default:
		return nil, fmt.Errorf("%w: content encoding %q: send gzip or none", errMedia, encoding)
	}
	b, err := io.ReadAll(io.LimitReader(body, maxRequest+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: read the body: %w", errUnreadable, err)
	case len(b) > maxRequest:
		return nil, fmt.Errorf("%w: a request has at most %d bytes", errTooLong, maxRequest)
	}
	return b, nil
}

// httpError says an error as OTLP wants it.
func (f *otlpFront) httpError(h http.Header, c *call, err error) (code int, body []byte) {
	s := &status.Status{Message: err.Error()}
	why, refused := errors.AsType[users.Refusal](err)
	switch {
	case refused && !why.Later():
		h.Set("WWW-Authenticate", `Basic realm="weir"`)
		code, s.Code = http.StatusUnauthorized, int32(codes.Unauthenticated)
	case errors.Is(err, errUnreadable):
		code, s.Code = http.StatusBadRequest, int32(codes.InvalidArgument)
	case errors.Is(err, errTooLong):
		code, s.Code = http.StatusRequestEntityTooLarge, int32(codes.InvalidArgument)
	case errors.Is(err, errMedia):
		code, s.Code = http.StatusUnsupportedMediaType, int32(codes.InvalidArgument)
	case errors.Is(err, errBusy), refused:
		h.Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		code, s.Code = http.StatusTooManyRequests, int32(codes.ResourceExhausted)
	default:
		code, s.Code = http.StatusServiceUnavailable, int32(codes.Unavailable)
	}
	if c.encoding == otlp.JSON {
		body, err = protojson.Marshal(s)
	} else {
		body, err = proto.Marshal(s)
	}
	if err != nil {
		f.s.logger.Error("write a status", "error", err)
	}
	return code, body
}

func remoteAddr(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(host) // the zero Addr: that is not told
	return a.Unmap()
}
