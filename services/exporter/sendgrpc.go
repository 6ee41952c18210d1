package exporter

import (
	"context"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// otlpGRPC is OTLP over gRPC, gzip.
type otlpGRPC struct {
	conn    *grpc.ClientConn
	metrics pmetricotlp.GRPCClient
	records plogotlp.GRPCClient
	form    otlpForm
	secrets *secrets
}

func dialGRPC(u *url.URL, s *secrets, form otlpForm, product string) (sender, error) {
	secure, err := s.tls()
	if err != nil {
		return nil, err
	}
	c := insecure.NewCredentials()
	if u.Scheme == "https" {
		c = credentials.NewTLS(secure)
	}
	to := u.Host
	if u.Port() == "" {
		to += ":4317"
	}
	conn, err := grpc.NewClient(to,
		grpc.WithTransportCredentials(c), grpc.WithUserAgent(product),
		grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second}}))
	if err != nil {
		return nil, err
	}
	return &otlpGRPC{conn: conn, metrics: pmetricotlp.NewGRPCClient(conn), records: plogotlp.NewGRPCClient(conn), form: form, secrets: s}, nil
}

func (s *otlpGRPC) points(points []point) try {
	request := pmetricotlp.NewExportRequestFromMetrics(s.form.metrics(points))
	return func(ctx context.Context) answer {
		ctx, err := s.withHeaders(ctx)
		if err != nil {
			return answer{verdict: again, why: err.Error()}
		}
		r, err := s.metrics.Export(ctx, request)
		if err != nil {
			return ofError(err)
		}
		return partial(r.PartialSuccess().RejectedDataPoints(), r.PartialSuccess().ErrorMessage())
	}
}

func (s *otlpGRPC) logs(logs plog.Logs) try {
	request := plogotlp.NewExportRequestFromLogs(logs)
	return func(ctx context.Context) answer {
		ctx, err := s.withHeaders(ctx)
		if err != nil {
			return answer{verdict: again, why: err.Error()}
		}
		r, err := s.records.Export(ctx, request)
		if err != nil {
			return ofError(err)
		}
		return partial(r.PartialSuccess().RejectedLogRecords(), r.PartialSuccess().ErrorMessage())
	}
}

func (s *otlpGRPC) close() { _ = s.conn.Close() }

func (s *otlpGRPC) withHeaders(ctx context.Context) (context.Context, error) {
	h, err := s.secrets.headers()
	if err != nil {
		return ctx, err
	}
	for name, values := range h {
		for _, v := range values {
			ctx = metadata.AppendToOutgoingContext(ctx, strings.ToLower(name), v)
		}
	}
	return ctx, nil
}

// ofError judges the status of an answer.
func ofError(err error) answer {
	st := status.Convert(err)
	var wait int64
	known := false
	for _, d := range st.Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok {
			wait, known = int64(r.GetRetryDelay().AsDuration()), true
		}
	}
	a := ofCode(int(st.Code()), known, wait, st.Message())
	if strings.Contains(st.Message(), "while dialing") {
		a.unsure = false
	}
	return a
}
