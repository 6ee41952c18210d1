package exporter

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/klauspost/compress/s2"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// httpClient posts to one receiver.
type httpClient struct {
	*http.Client
	secrets *secrets
	product string
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

func newHTTPClient(s *secrets, product string) (*httpClient, error) {
	secure, err := s.tls()
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: secure, ForceAttemptHTTP2: true,
		DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 5 * time.Second,
	}
	return &httpClient{
		secrets: s, product: product,
		Client: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// post sends a body once. judge looks at the body of a good answer.
func (c *httpClient) post(ctx context.Context, to string, body []byte, headers map[string]string, judge func([]byte, http.Header) answer) answer {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err == nil {
		r.Header, err = c.secrets.headers()
	}
	if err != nil {
		return answer{verdict: again, why: err.Error()}
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("User-Agent", c.product)
	resp, err := c.Do(r)
	if err != nil {
		return unanswered(err)
	}
	defer func() { _ = resp.Body.Close() }() // what is of interest has been read
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	a := ofStatus(resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"), time.Now()), strings.TrimSpace(string(said)))
	if a.verdict == accepted && err == nil {
		return judge(said, resp.Header)
	}
	return a // accepted, whatever cut its body
}

// unanswered judges a request without an answer: one that has found no connection
// was not stored.
func unanswered(err error) answer {
	var op *net.OpError
	dialed := errors.As(err, &op) && op.Op == "dial"
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the URL
	}
	return answer{verdict: again, unsure: !dialed, why: err.Error()}
}

// otlpHTTP is OTLP over HTTP: protobuf, gzip.
type otlpHTTP struct {
	client *httpClient
	url    *url.URL
	form   otlpForm
}

var otlpHeaders = map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}

func (s *otlpHTTP) points(points []point) try {
	body, err := pmetricotlp.NewExportRequestFromMetrics(s.form.metrics(points)).MarshalProto()
	return s.try("metrics", body, err, func(b []byte) (int64, string) {
		r := pmetricotlp.NewExportResponse()
		if r.UnmarshalProto(b) != nil {
			return 0, ""
		}
		return r.PartialSuccess().RejectedDataPoints(), r.PartialSuccess().ErrorMessage()
	})
}

func (s *otlpHTTP) logs(logs plog.Logs) try {
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	return s.try("logs", body, err, func(b []byte) (int64, string) {
		r := plogotlp.NewExportResponse()
		if r.UnmarshalProto(b) != nil {
			return 0, ""
		}
		return r.PartialSuccess().RejectedLogRecords(), r.PartialSuccess().ErrorMessage()
	})
}

func (s *otlpHTTP) try(signal string, body []byte, err error, rejected func([]byte) (int64, string)) try {
	if err != nil {
		return unwritten(err)
	}
	body, to := zipped(body), signalURL(s.url, signal)
	return func(ctx context.Context) answer {
		return s.client.post(ctx, to, body, otlpHeaders, func(said []byte, _ http.Header) answer {
			return partial(rejected(said))
		})
	}
}

func (s *otlpHTTP) close() { s.client.CloseIdleConnections() }

// partial is an answer that rejects a part: it is not sent again.
func partial(rejected int64, says string) answer {
	a := answer{verdict: accepted, rejected: uint64(max(rejected, 0))}
	if a.rejected > 0 {
		a.why = fmt.Sprintf("%d rejected: %.200s", a.rejected, says)
	}
	return a
}

// unwritten is a request that cannot be put into bytes.
func unwritten(err error) try {
	return func(context.Context) answer { return answer{verdict: refused, why: err.Error()} }
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // the level is one that there is
	_, _ = z.Write(b)                                 // into memory
	_ = z.Close()
	return out.Bytes()
}

// remoteWrite is Prometheus remote write.
type remoteWrite struct {
	client   *httpClient
	url      string
	version2 bool
}

// Headers of the two versions.
var (
	writeHeaders = map[string]string{
		"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0",
	}
	write2Headers = map[string]string{
		"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request", "Content-Encoding": "snappy",
		"X-Prometheus-Remote-Write-Version": "2.0.0",
	}
)

func (s *remoteWrite) points(points []point) try {
	body, _ := writeRequest(points, s.version2)
	body = s2.EncodeSnappy(nil, body)
	headers := writeHeaders
	if s.version2 {
		headers = write2Headers
	}
	return func(ctx context.Context) answer {
		return s.client.post(ctx, s.url, body, headers, func(_ []byte, h http.Header) answer { return s.written(h) })
	}
}

// written checks that a receiver of 2.0 has understood it: one of 1.0 may answer
// well and store nothing.
func (s *remoteWrite) written(h http.Header) answer {
	if s.version2 && h.Get("X-Prometheus-Remote-Write-Samples-Written") == "" && h.Get("X-Prometheus-Remote-Write-Histograms-Written") == "" {
		return answer{verdict: again, unsure: true, why: "the receiver does not say what it has written, so it does not know remote write 2.0: set the protocol 1.0"}
	}
	return answer{verdict: accepted}
}

// logs are not carried: policy refuses them.
func (s *remoteWrite) logs(plog.Logs) try {
	return func(context.Context) answer { return answer{verdict: accepted} }
}

func (s *remoteWrite) close() { s.client.CloseIdleConnections() }
