package console

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir/schemas"
	"weir/services/internal/bus"
	"weir/services/internal/parts"
)

func (s *Service) routes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /api/v1/ledger", s.getLedger)
	m.HandleFunc("GET /api/v1/line", s.getLine)
	m.HandleFunc("GET /api/v1/windows", func(w http.ResponseWriter, r *http.Request) { s.getWindows(w, r, false) })
	m.HandleFunc("GET /api/v1/late", func(w http.ResponseWriter, r *http.Request) { s.getWindows(w, r, true) })
	m.HandleFunc("GET /api/v1/devices", s.getDevices)
	m.HandleFunc("GET /api/v1/findings", s.getFindings)
	m.HandleFunc("GET /api/v1/parked", s.getParked)
	m.HandleFunc("GET /api/v1/policy", s.getEffective)
	m.HandleFunc("GET /api/v1/policy/{key}", s.getPolicy)
	m.HandleFunc("PUT /api/v1/policy/{key}", s.putPolicy)
	m.HandleFunc("GET /api/v1/version", s.getVersion)
	m.Handle("GET /metrics", s.exposition())
	m.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	m.HandleFunc("GET /readyz", s.getReady)
	m.HandleFunc("GET /{$}", getPage)
	m.HandleFunc("GET /console.js", getScript)
	m.HandleFunc("GET /console.css", getStyle)
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, fmt.Errorf("%s %s is not served; see /api/v1/version for what is", r.Method, r.URL.Path))
	})
	return m
}

func errForeignHost(host string) error {
	return fmt.Errorf("host %.100q: this console listens on this machine only; ask for localhost or 127.0.0.1", host)
}

// fail answers with an error.
func fail(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

// statusOf classes an error of the services behind.
func statusOf(err error) int {
	_, asked := errors.AsType[questionError](err)
	_, invalid := errors.AsType[invalidError](err)
	switch {
	case asked:
		return http.StatusBadRequest
	case invalid:
		return http.StatusUnprocessableEntity
	case errors.Is(err, bus.ErrNone):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has left is no concern of ours
}

func (s *Service) getLedger(w http.ResponseWriter, r *http.Request) {
	l, err := Ledger(r.Context(), s.bus, s.cfg.tiers()...)
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	writeJSON(w, http.StatusOK, l)
}

func (s *Service) getLine(w http.ResponseWriter, r *http.Request) {
	l, err := Ledger(r.Context(), s.bus, s.cfg.tiers()...)
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintln(w, LiveLine(l, time.Now().UnixNano()))
}

// exposition serves /metrics: protobuf with native histograms to who accepts it,
// else text. What cannot be collected leaves a gap and a line in the log.
func (s *Service) exposition() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.metrics)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
	})
}

// lines writes JSON lines. Until the first of them do not fit the buffer, another
// answer can take their place.
type lines struct {
	buf  *bufio.Writer
	enc  *json.Encoder
	http http.ResponseWriter
	out  int // bytes handed to http
}

func newLines(w http.ResponseWriter) *lines {
	w.Header().Set("Content-Type", "application/x-ndjson")
	l := &lines{http: w}
	l.buf = bufio.NewWriterSize(l, 32<<10)
	l.enc = json.NewEncoder(l.buf)
	return l
}

// patience is how long a client may take to read 32 KB of its answer: who does not read
// would keep others from asking.
const patience = 30 * time.Second

// Write hands lines to the client.
func (l *lines) Write(b []byte) (int, error) {
	_ = http.NewResponseController(l.http).SetWriteDeadline(time.Now().Add(patience)) // a client without one waits
	n, err := l.http.Write(b)
	l.out += n
	return n, err
}

// begun reports whether it is too late for another status than 200.
func (l *lines) begun() bool { return l.out > 0 }

// flush sends what is written to the client now.
func (l *lines) flush() error {
	if err := l.buf.Flush(); err != nil {
		return err
	}
	return http.NewResponseController(l.http).Flush()
}

// trailer ends an answer with detail: without it the answer is torn.
type trailer struct {
	End     bool `json:"end"`
	Windows int  `json:"windows"`
}

func (s *Service) getWindows(w http.ResponseWriter, r *http.Request, late bool) {
	q, err := parseQuery(r.URL.Query(), late, time.Now().UnixNano(), s.cfg.tiers())
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	if q.Follow {
		s.followWindows(w, r, &q)
		return
	}
	select {
	case s.queries <- struct{}{}:
		defer func() { <-s.queries }()
	case <-r.Context().Done():
		return
	}
	out, n := newLines(w), 0
	emit := func(t *parts.Sum) error {
		n++
		if late {
			return out.enc.Encode(t.LateRow())
		}
		return out.enc.Encode(s.cfg.rowOf(t, q.Detail))
	}
	for _, tier := range q.tiers() {
		if err = s.catalog.answer(r.Context(), &tier, emit); err != nil {
			break
		}
	}
	if err != nil && !out.begun() {
		fail(w, statusOf(err), err)
		return
	}
	if err == nil && q.Detail {
		err = out.enc.Encode(trailer{End: true, Windows: n})
	}
	s.finish(out, err)
}

func (s *Service) followWindows(w http.ResponseWriter, r *http.Request, q *Query) {
	select {
	case s.followers <- struct{}{}:
		defer func() { <-s.followers }()
	default:
		fail(w, http.StatusServiceUnavailable, fmt.Errorf("%d clients follow windows already; subscribe to weir.windows.> for views that are published", maxFollowers))
		return
	}
	out := newLines(w)
	if err := out.flush(); err != nil { // so that the client knows that it is heard
		return
	}
	err := follow(r.Context(), s.bus, q, &s.cfg, func(rows []schemas.WindowRow) error {
		for i := range rows {
			if err := out.enc.Encode(&rows[i]); err != nil {
				return err
			}
		}
		return out.flush()
	})
	s.finish(out, err)
}

// finish ends an answer of lines. What goes wrong once lines are out can only be
// the last line.
func (s *Service) finish(out *lines, err error) {
	if err != nil {
		s.log.Warn("answer ends early", "err", err)
		_ = out.enc.Encode(map[string]string{"error": err.Error()})
	}
	_ = out.flush()
	_ = http.NewResponseController(out.http).SetWriteDeadline(time.Time{}) // the connection may be used again
}

func (s *Service) getDevices(w http.ResponseWriter, r *http.Request) {
	devices, err := readDevices(r.Context(), s.bus, r.URL.Query())
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	out := newLines(w)
	for i := range devices {
		if err = out.enc.Encode(&devices[i]); err != nil {
			break
		}
	}
	s.finish(out, err)
}

func (s *Service) getParked(w http.ResponseWriter, r *http.Request) {
	samples, err := readParked(r.Context(), s.bus, r.URL.Query())
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	out := newLines(w)
	for _, sample := range samples {
		if err = out.enc.Encode(sample); err != nil {
			break
		}
	}
	s.finish(out, err)
}

// maxDocument bounds a policy document in bytes.
const maxDocument = 1 << 20

func (s *Service) getEffective(w http.ResponseWriter, r *http.Request) {
	document, err := s.effective(r.Context(), cmp.Or(r.URL.Query().Get("key"), defaultKey))
	var pretty bytes.Buffer
	if err == nil {
		err = json.Indent(&pretty, bytes.TrimSpace(document), "", "  ")
	}
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	pretty.WriteByte('\n')
	serve(w, "application/json", pretty.Bytes())
}

func (s *Service) getPolicy(w http.ResponseWriter, r *http.Request) {
	e, err := s.stored(r.Context(), r.PathValue("key"))
	switch {
	case errors.Is(err, bus.ErrNone):
		fail(w, http.StatusNotFound, fmt.Errorf("policy %s: no document is stored; weir policy get %[1]s --effective, or /api/v1/policy?key=%[1]s, is what is in force", r.PathValue("key")))
	case err != nil:
		fail(w, statusOf(err), err)
	default:
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, e.Revision))
		serve(w, "application/json", e.Value)
	}
}

func (s *Service) putPolicy(w http.ResponseWriter, r *http.Request) {
	if !s.operator(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="weir operator"`)
		fail(w, http.StatusUnauthorized, errors.New("changing policy needs the operator's password, from operator.json in the data folder, and a client on this machine"))
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(askTimeout)) // else the body may take for ever
	document, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDocument))
	if err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("read document: %w", err))
		return
	}
	revision, err := s.store(r.Context(), r.PathValue("key"), document)
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	writeJSON(w, http.StatusOK, Stored{Key: r.PathValue("key"), Revision: revision})
}

// Stored is the answer to a document that was stored.
type Stored struct {
	Key      string `json:"key"`
	Revision uint64 `json:"revision"`
}

// Version is the answer of weir version.
type Version struct {
	Version  string         `json:"version"`
	Revision string         `json:"revision,omitempty"` // commit that it was built from
	Go       string         `json:"go"`
	Formats  map[string]int `json:"formats"` // newest version of each that this program writes
}

// NewVersion describes a program.
func NewVersion(version, revision, goVersion string) Version {
	return Version{
		Version: version, Revision: revision, Go: goVersion,
		Formats: map[string]int{
			"frame": schemas.FrameVersion, "commit": schemas.CommitVersion,
			"checkpoint": schemas.CheckpointVersion, "data": schemas.DataVersion,
		},
	}
}

func (s *Service) getVersion(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, NewVersion(s.cfg.Version, s.cfg.Revision, s.cfg.GoVersion))
}

func getPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", pagePolicy)
	serve(w, "text/html; charset=utf-8", pageHTML)
}

func getScript(w http.ResponseWriter, _ *http.Request) { serve(w, "text/javascript", pageScript) }

func getStyle(w http.ResponseWriter, _ *http.Request) { serve(w, "text/css", pageStyle) }

func serve(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body)
}

func (s *Service) getReady(w http.ResponseWriter, r *http.Request) {
	ready := s.readiness(r.Context())
	status := http.StatusOK
	if !ready.Ready {
		status = http.StatusServiceUnavailable
	}
	if r.URL.Query().Has("verbose") {
		writeJSON(w, status, ready)
		return
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, map[bool]string{true: "ready", false: "not ready; /readyz?verbose says why"}[ready.Ready])
}
