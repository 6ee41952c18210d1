package exporter

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"

	"weir/schemas"
)

// passedLog is a log record that is passed through, with what identifies its way.
type passedLog struct {
	plog.ResourceLogs // with one record
	bytes             int
}

// readPassed reads a log record as a commit has it. Its resource, scope and what it says are those
// of who wrote it; its id is the same each time that it is sent.
func readPassed(l *schemas.PassedLog) (passedLog, error) {
	all, err := new(plog.ProtoUnmarshaler).UnmarshalLogs(l.Data)
	if err != nil {
		return passedLog{}, fmt.Errorf("log record of %s/%s: %w", l.Tenant, l.Device, err)
	}
	if all.ResourceLogs().Len() != 1 || all.LogRecordCount() != 1 || all.ResourceLogs().At(0).ScopeLogs().Len() != 1 {
		return passedLog{}, fmt.Errorf("log record of %s/%s: there are %d", l.Tenant, l.Device, all.LogRecordCount())
	}
	r := all.ResourceLogs().At(0)
	a := r.ScopeLogs().At(0).LogRecords().At(0).Attributes()
	for _, text := range [...]struct{ key, value string }{
		{tenantAttr, l.Tenant},
		{deviceAttr, l.Device},
		{"weir.agent", l.Agent},
		{"weir.region", l.Region},
		{"weir.log.id", hex.EncodeToString(binary.BigEndian.AppendUint64(nil, l.ID))},
	} {
		if text.value != "" {
			a.PutStr(text.key, text.value)
		}
	}
	return passedLog{r, len(l.Data)}, nil
}

// passedLogs makes one request of log records. Those that stand next to each other and have the
// same resource and scope share them.
func passedLogs(all []passedLog) plog.Logs {
	out := plog.NewLogs()
	var before passedLog
	for i, l := range all {
		if i == 0 || !before.shares(l) {
			before = passedLog{ResourceLogs: out.ResourceLogs().AppendEmpty()}
			l.CopyTo(before.ResourceLogs)
			continue
		}
		l.record().CopyTo(before.ScopeLogs().At(0).LogRecords().AppendEmpty())
	}
	return out
}

func (l passedLog) record() plog.LogRecord { return l.ScopeLogs().At(0).LogRecords().At(0) }

// shares reports whether two log records are of the same resource and scope.
func (l passedLog) shares(o passedLog) bool {
	a, b := l.ScopeLogs().At(0), o.ScopeLogs().At(0)
	return l.SchemaUrl() == o.SchemaUrl() && l.Resource().DroppedAttributesCount() == o.Resource().DroppedAttributesCount() &&
		l.Resource().Attributes().Equal(o.Resource().Attributes()) &&
		a.SchemaUrl() == b.SchemaUrl() && a.Scope().Name() == b.Scope().Name() && a.Scope().Version() == b.Scope().Version() &&
		a.Scope().DroppedAttributesCount() == b.Scope().DroppedAttributesCount() && a.Scope().Attributes().Equal(b.Scope().Attributes())
}
