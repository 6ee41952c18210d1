package bus

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestServerLog: what the server says over and over is logged now and then.
func TestServerLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &serverLog{log: slog.New(slog.NewTextHandler(&out, nil))}
		f := func(what string, times int) {
			t.Helper()
			if got := strings.Count(out.String(), what); got != times {
				t.Errorf("%s is logged %d times, want %d", what, got, times)
			}
		}
		for i := range 100 {
			l.Errorf("link %d refused", i)
			l.Errorf(fmt.Sprintf("10.0.0.7:%d - lid:%d - handshake: %%v", 4000+i, i), "bad certificate")
			l.Noticef("hello") // for debugging only
		}
		l.Warnf("disk %s", "slow")
		f("refused", oftenEnough)
		f("bad certificate", oftenEnough)
		f("left out", 2)
		f("disk slow", 1)
		f("hello", 0)
		time.Sleep(time.Minute + 1)
		l.Errorf("link %d refused", 7)
		f("refused", oftenEnough+1)
	})
}
