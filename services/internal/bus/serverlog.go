package bus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// serverLog hands the server's log to slog. The server's Fatalf must not end
// the process: it becomes the reason why it did not start.
type serverLog struct {
	log   *slog.Logger
	fatal chan string

	mu    sync.Mutex
	until time.Time      // when the counts start again
	lines map[string]int // by format
}

// oftenEnough is how many warnings and errors of one kind are logged in a minute:
// a link that is refused comes again every second, and so may a thousand.
const oftenEnough = 10

func (l *serverLog) Noticef(f string, v ...any) { l.log.Debug(serverLine(f, v)) }
func (l *serverLog) Warnf(f string, v ...any)   { l.limited(slog.LevelWarn, f, v) }
func (l *serverLog) Errorf(f string, v ...any)  { l.limited(slog.LevelError, f, v) }
func (l *serverLog) Debugf(string, ...any)      {}
func (l *serverLog) Tracef(string, ...any)      {}

func (l *serverLog) Fatalf(f string, v ...any) {
	why := fmt.Sprintf(f, v...)
	l.log.Error("nats-server: " + why)
	select {
	case l.fatal <- why:
	default:
	}
}

func serverLine(f string, v []any) string { return "nats-server: " + fmt.Sprintf(f, v...) }

func (l *serverLog) limited(level slog.Level, f string, v []any) {
	n := l.count(f, time.Now())
	if n > oftenEnough {
		return
	}
	line := serverLine(f, v)
	if n == oftenEnough {
		line += " (the next ones of this kind are left out)"
	}
	l.log.Log(context.Background(), level, line)
}

// count is how many lines of a format there were in this minute.
func (l *serverLog) count(f string, now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.After(l.until) {
		l.until, l.lines = now.Add(time.Minute), map[string]int{}
	}
	l.lines[f]++
	return l.lines[f]
}
