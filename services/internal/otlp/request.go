package otlp

import (
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

// Read makes a batch of a request's bytes. An error says that they are no request,
// or, if it is ErrDeep or ErrMany, one that is beyond the bounds.
func Read(signal schemas.Signal, e Encoding, body []byte, r Rules) (*Batch, error) {
	b, err := read(signal, e, body, &r)
	if err != nil {
		return nil, fmt.Errorf("decode %d bytes of %s: %w", len(body), signal, err)
	}
	return b, nil
}

func read(signal schemas.Signal, e Encoding, body []byte, r *Rules) (*Batch, error) {
	if err := within(signal, e, body); err != nil {
		return nil, err
	}
	r.Request = max(schemas.Hash(body), 1)
	switch signal {
	case schemas.Traces:
		q := ptraceotlp.NewExportRequest()
		if err := decode(q, e, body); err != nil {
			return nil, err
		}
		return countable(q.Traces().SpanCount(), func() *Batch { return Traces(q.Traces(), *r) })
	case schemas.Logs:
		q := plogotlp.NewExportRequest()
		if err := decode(q, e, body); err != nil {
			return nil, err
		}
		return countable(q.Logs().LogRecordCount(), func() *Batch { return Logs(q.Logs(), *r) })
	}
	q := pmetricotlp.NewExportRequest()
	if err := decode(q, e, body); err != nil {
		return nil, err
	}
	return countable(q.Metrics().DataPointCount(), func() *Batch { return Metrics(q.Metrics(), *r) })
}

// countable makes a batch unless it would hold too many records.
func countable(records int, batch func() *Batch) (*Batch, error) {
	if records > MaxRecords {
		return nil, fmt.Errorf("%w: %d records, at most %d", ErrMany, records, MaxRecords)
	}
	return batch(), nil
}

// request is what requests of all signals have.
type request interface {
	UnmarshalProto(data []byte) error
	UnmarshalJSON(data []byte) error
}

func decode(q request, e Encoding, body []byte) error {
	if e == JSON {
		return q.UnmarshalJSON(body)
	}
	return q.UnmarshalProto(body)
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
