package simulator

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/schemas"
	"weir/simulator/plan"
	"weir/simulator/producttest"
)

// natsHouse speaks enough of the NATS protocol to be a server with the product
// behind it: it takes publishes and requests, refuses some for the moment, and
// breaks the connection once.
type natsHouse struct {
	product *producttest.Product
	taken   atomic.Int64
	breakAt int64 // break the connection after so many messages, before the reply
	busy    int64 // answer 503 to every so manyth message; 0: none
}

func (h *natsHouse) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go h.serve(conn)
		}
	}()
	return "nats://" + l.Addr().String()
}

func (h *natsHouse) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, "INFO {\"server_id\":\"house\",\"version\":\"2.15.2\",\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n")
	sid := ""
	for {
		line, err := in.ReadString('\n')
		words := strings.Fields(line)
		if err != nil || len(words) == 0 {
			return
		}
		switch words[0] {
		case "PING":
			_, _ = io.WriteString(conn, "PONG\r\n")
		case "SUB":
			sid = words[len(words)-1]
		case "PUB":
			n, _ := strconv.Atoi(words[len(words)-1])
			payload := make([]byte, n+2)
			if _, err := io.ReadFull(in, payload); err != nil {
				return
			}
			reply, ok := h.publish(words[1], payload[:n])
			if !ok {
				return
			}
			if len(words) == 4 {
				_, _ = io.WriteString(conn, fmt.Sprintf(reply, words[2]+" "+sid))
			}
		}
	}
}

// publish takes a message. The reply has a verb for subject and subscription.
func (h *natsHouse) publish(subject string, payload []byte) (reply string, ok bool) {
	n := h.taken.Add(1)
	if h.busy > 0 && n%h.busy == 0 {
		return headers("NATS/1.0 503\r\n\r\n"), true
	}
	tenant, device, _, _ := schemas.ParseTelemetry(subject)
	records, reason := h.product.Ingest(tenant, device, payload)
	if n == h.breakAt {
		return "", false
	}
	switch reason {
	case "":
		return body(fmt.Sprintf(`{"records":%d,"journaled":%d}`, records, records)), true
	case schemas.Future:
		return body(fmt.Sprintf(`{"records":%d,"journaled":0,"rejected":[{"reason":"future","n":%d,"at":0}]}`, records, records)), true
	}
	return headers("NATS/1.0\r\nWeir-Error: " + string(reason) + "\r\n\r\n"), true
}

func body(text string) string {
	return "MSG %s " + strconv.Itoa(len(text)) + "\r\n" + text + "\r\n"
}

func headers(text string) string {
	return "HMSG %s " + strconv.Itoa(len(text)) + " " + strconv.Itoa(len(text)) + "\r\n" + text + "\r\n"
}

func TestOverNATS(t *testing.T) {
	for name, c := range map[string]struct {
		qos           int
		breakAt, busy int64
	}{
		"publish":               {qos: 0},
		"request":               {qos: 1},
		"request through chaos": {qos: 1, breakAt: 100, busy: 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := func() int64 { return time.Now().UnixNano() }
			h := &natsHouse{breakAt: c.breakAt, busy: c.busy}
			h.product = &producttest.Product{Size: 10 * time.Second, Lateness: time.Minute, Now: now}
			o := options(t)
			o.MQTT, o.NATS, o.QoS, o.Devices, o.Rate, o.For = "", h.listen(t), c.qos, 10, 40, time.Second
			s, err := Run(t.Context(), o, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := count(t, o); s.Records != want || s.Unknown != 0 || s.Never != 0 {
				t.Errorf("summary %+v of %d records", s, want)
			}
			if c.qos == 1 && (s.Acknowledged != s.Records || s.Refused != refused(t, o)) {
				t.Errorf("summary %+v, %d records must be refused", s, refused(t, o))
			}
			if (c.breakAt > 0) != (s.ConnectFailures > 0) {
				t.Errorf("summary %+v: the connection was to break: %v", s, c.breakAt > 0)
			}
			(&house{product: h.product}).verify(t, o)
		})
	}
}

func refused(t *testing.T, o Options) int64 {
	return countWhere(t, o, func(p *plan.Plan, m plan.Message) bool { return p.Reason(m) != "" })
}

func TestVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		status, reason, body string
		refused              int64
		again                bool
	}{
		"journaled":          {body: `{"records":10,"journaled":10}`},
		"some rejected":      {body: `{"records":10,"journaled":7,"rejected":[{"reason":"bad_value","n":1},{"reason":"future","n":2}]}`, refused: 3},
		"all rejected":       {reason: "undecodable", body: `{"error":"undecodable","detail":"x"}`, refused: everything},
		"rejected, no words": {reason: "undecodable", refused: everything},
		"nobody listens":     {status: "503", again: true},
		"journal is full":    {reason: "journal_full", body: `{"error":"journal_full"}`, again: true},
		"error in the body":  {body: `{"error":"starting"}`, again: true},
		"not ours":           {body: `{"hello":1}`, again: true},
		"no JSON":            {body: `+OK`, again: true},
	} {
		refused, again := verdict(c.status, c.reason, []byte(c.body))
		if refused != c.refused || again != c.again {
			t.Errorf("%s: refused %d, again %v", name, refused, again)
		}
	}
}
