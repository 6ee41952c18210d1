package ingest

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"weir/schemas"
)

// Limits of the park: samples, not a second journal.
const (
	parkPerSecond = 10
	parkPayload   = 4 << 10 // bytes of payload kept
)

// Parked is a sample of a refused message, as JSON on schemas.Parked.
type Parked struct {
	Time    time.Time      `json:"time"`
	Agent   string         `json:"agent"`
	Tenant  string         `json:"tenant"` // "_": none could be told
	Device  string         `json:"device,omitempty"`
	Subject string         `json:"subject"`
	Reason  schemas.Reason `json:"reason"`
	Detail  string         `json:"detail"`
	Text    string         `json:"text,omitempty"`    // the payload's beginning, if it is text
	Payload []byte         `json:"payload,omitempty"` // the same in base64, if it is not
	Size    int            `json:"size"`              // bytes of the whole payload
}

// park publishes a bounded sample of what was refused. Safe for concurrent use.
type park struct {
	publish func(subject string, data []byte) error
	logger  *slog.Logger

	mu     sync.Mutex
	second int64 // the second that left belongs to
	left   int
	failed bool // said so
}

// offer parks a message if the sample of this second is not full.
func (p *park) offer(in *arrival, m *message) {
	if p.publish == nil || !p.allowed(in.now.Unix()) {
		return
	}
	p.report(p.publish(schemas.Parked(in.route.agent.name, in.route.tenant), encode(parked(in, m))))
}

func (p *park) allowed(second int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.second != second {
		p.second, p.left = second, parkPerSecond
	}
	p.left--
	return p.left >= 0
}

// report logs the first failure after a success.
func (p *park) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && !p.failed {
		p.logger.Warn("refused messages are not parked", "error", err)
	}
	p.failed = err != nil
}

func parked(in *arrival, m *message) Parked {
	r := in.route
	s := Parked{
		Time: in.now.UTC(), Agent: r.agent.name, Tenant: r.tenant, Device: r.device, Subject: clip(r.subject),
		Reason: m.why(), Detail: m.detail, Size: len(in.payload),
	}
	if head := in.payload[:min(len(in.payload), parkPayload)]; utf8.Valid(head) {
		s.Text = string(head)
	} else {
		s.Payload = head
	}
	return s
}

// clip keeps a sender's text short and printable.
func clip(s string) string { return fmt.Sprintf("%.300s", s) }
