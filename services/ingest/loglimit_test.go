package ingest

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Of what the MQTT library says a few lines pass per minute, without packets,
// and how many were left out is told.
func TestLimitedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := limited(slog.New(slog.NewTextHandler(&out, nil))).With("hook", "x")
		l.Info("not a warning")
		for range 100 {
			l.Warn("bad", "pk", "password", "client", "c1")
		}
		time.Sleep(time.Minute)
		l.Error("worse")
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != linesPerMinute+1 || strings.Contains(out.String(), "password") || strings.Contains(out.String(), "not a warning") {
			t.Errorf("%d lines:\n%s", len(lines), out.String())
		}
		if last := lines[len(lines)-1]; !strings.Contains(last, "lines_left_out=90") || !strings.Contains(last, "hook=x") {
			t.Errorf("last line %s", last)
		}
	})
}
