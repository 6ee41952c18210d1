package ingest

import (
	"compress/flate"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"weir/schemas"
	"weir/services/internal/otlp"
	"weir/services/internal/users"
)

// Requests are read as bytes: their hash and their depth are wanted before they
// are decoded.

// bytesCodec hands requests and responses over as they are on the wire.
type bytesCodec struct{}

// Name says that they are protobuf.
func (bytesCodec) Name() string { return "proto" }

// Marshal takes a *[]byte.
func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("marshal %T: only bytes are sent", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
}

// Unmarshal fills a *[]byte.
func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("unmarshal %T: only bytes are read", v)
	}
	*b = data.Materialize()
	return nil
}

// otlpServices are the services of OTLP by their names in its protocol.
var otlpServices = map[string]schemas.Signal{
	"opentelemetry.proto.collector.metrics.v1.MetricsService": schemas.Metrics,
	"opentelemetry.proto.collector.trace.v1.TraceService":     schemas.Traces,
	"opentelemetry.proto.collector.logs.v1.LogsService":       schemas.Logs,
}

// grpcServer is a server of OTLP over gRPC.
func (f *otlpFront) grpcServer(secure *tls.Config) *grpc.Server {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(bytesCodec{}), grpc.MaxRecvMsgSize(maxRequest), grpc.MaxConcurrentStreams(64),
		grpc.ConnectionTimeout(f.s.cfg.ConnectWithin),
	}
	if secure != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(secure)))
	}
	_ = gzip.SetLevel(flate.BestSpeed) // of answers, which are small; requests may be compressed too
	g := grpc.NewServer(options...)
	for name, signal := range otlpServices {
		g.RegisterService(&grpc.ServiceDesc{
			ServiceName: name, HandlerType: (*any)(nil),
			Methods: []grpc.MethodDesc{{MethodName: "Export", Handler: f.exportMethod(signal)}},
		}, f)
	}
	return g
}

func (f *otlpFront) exportMethod(signal schemas.Signal) grpc.MethodHandler {
	return func(_ any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		c := call{signal: signal, encoding: otlp.Protobuf, from: peerAddr(ctx)}
		if err := read(&c.body); err != nil {
			return nil, err
		}
		if header := metadata.ValueFromIncomingContext(ctx, "authorization"); len(header) > 0 {
			c.login = header[0]
		}
		out, err := f.take(ctx, &c)
		if err != nil {
			return nil, grpcError(err)
		}
		return &out, nil
	}
}

func peerAddr(ctx context.Context) netip.Addr {
	if p, ok := peer.FromContext(ctx); ok {
		if tcp, ok := p.Addr.(*net.TCPAddr); ok {
			return tcp.AddrPort().Addr().Unmap()
		}
	}
	return netip.Addr{}
}

// grpcError says an error as OTLP wants it: what may be sent again, and when.
func grpcError(err error) error {
	if why, ok := errors.AsType[users.Refusal](err); ok && !why.Later() {
		return status.Errorf(codes.Unauthenticated, "credentials: %s", why)
	}
	switch {
	case errors.Is(err, errUnreadable):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, errBusy), isRefusal(err):
		s, detailed := status.New(codes.ResourceExhausted, err.Error()).WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
		if detailed != nil {
			return status.Error(codes.ResourceExhausted, err.Error())
		}
		return s.Err()
	}
	return status.Error(codes.Unavailable, err.Error())
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[users.Refusal](err)
	return ok
}
