package exporter

import (
	"encoding/binary"
	"encoding/hex"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"weir/schemas"
)

// severities in OpenTelemetry: INFO2, WARN, ERROR.
var severities = map[schemas.Severity]plog.SeverityNumber{
	schemas.Notice: plog.SeverityNumberInfo2, schemas.Warning: plog.SeverityNumberWarn, schemas.Critical: plog.SeverityNumberError,
}

// findingLogs makes one request of findings: a log record for each revision.
func findingLogs(findings []schemas.Finding) plog.Logs {
	out := plog.NewLogs()
	r := out.ResourceLogs().AppendEmpty()
	r.Resource().Attributes().PutStr(serviceName, "weir")
	s := r.ScopeLogs().AppendEmpty()
	s.Scope().SetName("weir/findings")
	for i := range findings {
		logRecord(s.LogRecords().AppendEmpty(), &findings[i])
	}
	return out
}

// logRecord writes one revision of a finding. Its id and revision are the same each
// time that it is sent.
func logRecord(l plog.LogRecord, f *schemas.Finding) {
	l.SetEventName("weir.finding")
	l.SetTimestamp(pcommon.Timestamp(f.Started))
	l.SetObservedTimestamp(pcommon.Timestamp(f.Updated))
	l.SetSeverityNumber(severities[f.Severity])
	l.SetSeverityText(f.Severity.String())
	l.Body().SetStr(f.Says)
	a := l.Attributes()
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], f.ID)
	a.PutStr("weir.finding.id", hex.EncodeToString(id[:]))
	a.PutInt("weir.finding.revision", int64(f.Revision))
	a.PutStr("weir.finding.state", f.State.String())
	a.PutStr("weir.finding.kind", f.Kind.String())
	a.PutStr(tenantAttr, f.Tenant)
	for _, text := range [...]struct{ key, value string }{
		{classAttr, f.Class},
		{deviceAttr, f.Device},
		{viewAttr, f.View},
		{"weir.metric", f.Metric},
		{"weir.finding.detector", f.Detector},
		{"weir.origin", f.Origin},
		{"weir.region", f.Region},
	} {
		if text.value != "" {
			a.PutStr(text.key, text.value)
		}
	}
	a.PutDouble("weir.finding.score", f.Score)
	a.PutDouble("weir.finding.threshold", f.Threshold)
	a.PutInt("weir.finding.devices", int64(f.Devices))
}
