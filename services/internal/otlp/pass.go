package otlp

import (
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"weir/schemas"
)

// PassLimit is how much of a device's log records one request may pass through.
type PassLimit struct {
	Records int
	Size    int // bytes of one, with its resource and scope
}

// passing is what a request has passed through. Resource and scope stand with each record,
// so all of them could come to far more than the request.
type passing struct {
	records map[string]int // by device
	bytes   int
}

// passer writes the log records of one resource, each as a request of its own.
type passer struct {
	device   string
	limit    PassLimit
	form     plog.Logs // with one record
	resource bool      // it is too large by itself
	scope    bool      // likewise, with the resource
}

func newPasser(r *Rules, device string) *passer {
	p := &passer{device: device, form: plog.NewLogs()}
	if r.Pass != nil {
		p.limit = r.Pass(device)
	}
	p.form.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	return p
}

// enter goes on to the next scope.
func (p *passer) enter() {
	if p != nil {
		p.scope = false
	}
}

// pass gives the newest reading the log record that it is, where device and request have
// room for it, or notes why it is held back.
func (b *Batch) pass(r *Rules, p *passer, of plog.ResourceLogs, s plog.ScopeLogs, l plog.LogRecord) {
	if b.passing.records[p.device] >= p.limit.Records {
		b.Held = tally(b.Held, p.device, schemas.LogRate, 1)
		return
	}
	data := p.write(of, s, l, min(p.limit.Size, r.PassBytes-b.passing.bytes))
	if data == nil {
		b.Held = tally(b.Held, p.device, schemas.LogTooLarge, 1)
		return
	}
	if b.passing.records == nil {
		b.passing.records = map[string]int{}
	}
	b.passing.records[p.device]++
	b.passing.bytes += len(data)
	b.Items[len(b.Items)-1].Reading.Log = data
}

var wire plog.ProtoMarshaler

// write writes a log record in at most so many bytes; nil: it has more.
func (p *passer) write(of plog.ResourceLogs, s plog.ScopeLogs, l plog.LogRecord, most int) []byte {
	if p.resource || p.scope || wire.LogRecordSize(l) > most {
		return nil
	}
	resource := p.form.ResourceLogs().At(0)
	scope := resource.ScopeLogs().At(0)
	record := scope.LogRecords().At(0)
	copyResource(of, resource)
	s.Scope().CopyTo(scope.Scope())
	scope.SetSchemaUrl(s.SchemaUrl())
	l.CopyTo(record)
	mend(resource, scope, record)
	if wire.LogsSize(p.form) <= most {
		data, _ := wire.MarshalLogs(p.form) // never fails
		return data
	}
	plog.NewLogRecord().CopyTo(record)
	p.scope = wire.LogsSize(p.form) > p.limit.Size
	pcommon.NewInstrumentationScope().CopyTo(scope.Scope())
	p.resource = wire.LogsSize(p.form) > p.limit.Size
	return nil
}

// copyResource copies what a resource says of itself, without its records.
func copyResource(from, to plog.ResourceLogs) {
	to.SetSchemaUrl(from.SchemaUrl())
	from.Resource().Attributes().CopyTo(to.Resource().Attributes())
	to.Resource().SetDroppedAttributesCount(from.Resource().DroppedAttributesCount())
}

// mend makes text of what should be text: a receiver may refuse a whole request for one
// byte that is no UTF-8.
func mend(resource plog.ResourceLogs, scope plog.ScopeLogs, l plog.LogRecord) {
	resource.SetSchemaUrl(valid(resource.SchemaUrl()))
	mendMap(resource.Resource().Attributes())
	scope.SetSchemaUrl(valid(scope.SchemaUrl()))
	scope.Scope().SetName(valid(scope.Scope().Name()))
	scope.Scope().SetVersion(valid(scope.Scope().Version()))
	mendMap(scope.Scope().Attributes())
	l.SetSeverityText(valid(l.SeverityText()))
	l.SetEventName(valid(l.EventName()))
	mendValue(l.Body())
	mendMap(l.Attributes())
}

// valid is text with U+FFFD for what is no UTF-8.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// mendMap mends values, and leaves out attributes whose names are no text.
func mendMap(m pcommon.Map) {
	m.RemoveIf(func(key string, _ pcommon.Value) bool { return !utf8.ValidString(key) })
	for _, v := range m.All() {
		mendValue(v)
	}
}

func mendValue(v pcommon.Value) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		if !utf8.ValidString(v.Str()) {
			v.SetStr(valid(v.Str()))
		}
	case pcommon.ValueTypeMap:
		mendMap(v.Map())
	case pcommon.ValueTypeSlice:
		for _, e := range v.Slice().All() {
			mendValue(e)
		}
	}
}
