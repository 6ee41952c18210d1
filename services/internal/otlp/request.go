package otlp

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"weir/schemas"
)

// Encoding is how a request is written.
type Encoding string

// The encodings, by their media types.
const (
	Protobuf Encoding = "application/x-protobuf"
	JSON     Encoding = "application/json"
)

// ErrDeep says that a request is nested deeper than any honest one.
var ErrDeep = errors.New("it is nested too deep")

// Read makes a batch of a request's bytes. An error says that they are no request.
func Read(signal schemas.Signal, e Encoding, body []byte, r Rules) (*Batch, error) {
	if e == JSON && TooDeepJSON(body) || e == Protobuf && TooDeep(body) {
		return nil, fmt.Errorf("decode %d bytes of %s: %w", len(body), signal, ErrDeep)
	}
	r.Request = max(schemas.Hash(body), 1)
	switch signal {
	case schemas.Traces:
		q := ptraceotlp.NewExportRequest()
		if err := decode(q, signal, e, body); err != nil {
			return nil, err
		}
		return Traces(q.Traces(), r), nil
	case schemas.Logs:
		q := plogotlp.NewExportRequest()
		if err := decode(q, signal, e, body); err != nil {
			return nil, err
		}
		return Logs(q.Logs(), r), nil
	}
	q := pmetricotlp.NewExportRequest()
	if err := decode(q, signal, e, body); err != nil {
		return nil, err
	}
	return Metrics(q.Metrics(), r), nil
}

// request is what requests of all signals have.
type request interface {
	UnmarshalProto(data []byte) error
	UnmarshalJSON(data []byte) error
}

func decode(q request, signal schemas.Signal, e Encoding, body []byte) (err error) {
	if e == JSON {
		err = q.UnmarshalJSON(body)
	} else {
		err = q.UnmarshalProto(body)
	}
	if err != nil {
		return fmt.Errorf("decode %d bytes of %s: %w", len(body), signal, err)
	}
	return nil
}

// Answer writes the response to a request of which some records were refused.
func Answer(signal schemas.Signal, e Encoding, refused int, detail string) ([]byte, error) {
	switch signal {
	case schemas.Traces:
		r := ptraceotlp.NewExportResponse()
		if refused > 0 {
			r.PartialSuccess().SetRejectedSpans(int64(refused))
			r.PartialSuccess().SetErrorMessage(detail)
		}
		return encode(r, e)
	case schemas.Logs:
		r := plogotlp.NewExportResponse()
		if refused > 0 {
			r.PartialSuccess().SetRejectedLogRecords(int64(refused))
			r.PartialSuccess().SetErrorMessage(detail)
		}
		return encode(r, e)
	}
	r := pmetricotlp.NewExportResponse()
	if refused > 0 {
		r.PartialSuccess().SetRejectedDataPoints(int64(refused))
		r.PartialSuccess().SetErrorMessage(detail)
	}
	return encode(r, e)
}

// response is what responses of all signals have.
type response interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

func encode(r response, e Encoding) ([]byte, error) {
	if e == JSON {
		return r.MarshalJSON()
	}
	return r.MarshalProto()
}
