package bus

import (
	"encoding/json"
	"net"
	"testing"

	"github.com/nats-io/nats.go"
)

// FuzzStored: no answer but a stream's counts as stored.
func FuzzStored(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"stream":"S","seq":1}`, `{"stream":"S","seq":1,"domain":"d","duplicate":true}`, `{"stream":"S"}`,
		`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"S","seq":0}`, `{"error":{}}`, `{"seq":-1}`, "null",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if stored(&nats.Msg{Data: data}) != nil {
			return
		}
		var ack map[string]any
		if err := json.Unmarshal(data, &ack); err != nil || len(ack) < 2 {
			t.Errorf("%q counts as stored", data)
		}
	})
}

// FuzzLeafURL: what is taken for an address names a host and a port, and nothing
// of a login gets into it.
func FuzzLeafURL(f *testing.F) {
	for _, s := range []string{
		"nats-leaf://h:1", "nats://h", "tls://[::1]:7422/", "tls://u:p@h:1", "h:1", "nats-leaf://h:99999", "nats://h:1?x", "nats:h", "nats://%zz",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		to, err := leafURL(s)
		if err != nil {
			return
		}
		host, port, err := net.SplitHostPort(to.Host)
		if err != nil || host == "" || port == "" || to.User != nil {
			t.Errorf("%q: %v, %v", s, to, err)
		}
	})
}
