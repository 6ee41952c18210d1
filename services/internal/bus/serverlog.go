package bus

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
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
	lines map[string]int // by kind
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
	n := l.count(kindOf(f), time.Now())
	if n > oftenEnough {
		return
	}
	line := serverLine(f, v)
	if n == oftenEnough {
		line += " (the next ones of this kind are left out)"
	}
	l.log.Log(context.Background(), level, line)
}

// kindOf is what a line says, without which connection it says it of: the server puts
// that, as "10.0.0.7:5222 - lid:8 - ", in front of the format.
func kindOf(f string) string {
	for _, kind := range []string{" - cid:", " - lid:"} {
		if _, of, found := strings.Cut(f, kind); found {
			_, f, _ = strings.Cut(of, " - ")
		}
	}
	return f
}

// count is how many lines of a kind there were in this minute.
func (l *serverLog) count(kind string, now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.After(l.until) {
		l.until, l.lines = now.Add(time.Minute), map[string]int{}
	}
	l.lines[kind]++
	return l.lines[kind]
}
