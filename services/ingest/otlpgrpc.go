package ingest

import (
	"compress/flate"
	"context"
	"crypto/tls"
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

// What a connection may hold of requests that have no place yet: a window of each
// of its streams. The window of the whole connection is larger, because what it
// lets through is taken off at once.
const (
	grpcStreams      = 64
	grpcStreamWindow = 64 << 10
	grpcConnWindow   = 1 << 20
)

// grpcServer is a server of OTLP over gRPC. Its methods are streams of one request
// and one response, which look the same from outside: so they begin before the
// request is read.
func (f *otlpFront) grpcServer(secure *tls.Config) *grpc.Server {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(bytesCodec{}), grpc.MaxRecvMsgSize(otlp.MaxBytes), grpc.MaxConcurrentStreams(grpcStreams),
		grpc.StaticStreamWindowSize(grpcStreamWindow), grpc.StaticConnWindowSize(grpcConnWindow),
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
			Streams: []grpc.StreamDesc{{StreamName: "Export", Handler: f.exportMethod(signal)}},
		}, f)
	}
	return g
}

func (f *otlpFront) exportMethod(signal schemas.Signal) grpc.StreamHandler {
	return func(_ any, s grpc.ServerStream) error {
		ctx := s.Context()
		c := call{signal: signal, encoding: otlp.Protobuf, from: peerAddr(ctx)}
		if header := metadata.ValueFromIncomingContext(ctx, "authorization"); len(header) > 0 {
			c.login = header[0]
		}
		out, err := f.receive(ctx, &c, grpcBody(s))
		if err != nil {
			return grpcError(err)
		}
		return s.SendMsg(&out)
	}
}

// grpcBody is the request of a stream. Reading that is cut off ends with the
// stream.
func grpcBody(s grpc.ServerStream) body {
	cut := make(chan struct{})
	return body{
		cut: func() { close(cut) },
		read: func() (b []byte, err error) {
			done := make(chan error, 1)
			var request []byte
			go func() { done <- s.RecvMsg(&request) }()
			select {
			case err = <-done:
			case <-cut:
				return nil, errCrowded
			}
			if status.Code(err) == codes.ResourceExhausted {
				return nil, fmt.Errorf("%w: %w", errTooLong, err)
			}
			return request, err
		},
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
	code, _, again := verdict(err)
	if again {
		s, detailed := status.New(code, err.Error()).WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
		if detailed == nil {
			return s.Err()
		}
	}
	return status.Error(code, err.Error())
}
