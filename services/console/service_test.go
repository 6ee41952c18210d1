package console

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"weir/schemas"
)

// TestRun: the service answers until it is told to end, also to clients that
// would follow for ever, and frees its address.
func TestRun(t *testing.T) {
	r := newRig(t)
	r.commit(schemas.GatewayOutbox("r0", 0, schemas.KindCommit), entry("r0/0", 1,
		window("device", deviceDims, []string{"a", "d", "temp"}, r.now-20*second, 1, schemas.OnTime, 1)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Version: "test", Policy: testLanguage}, r.bus.Bus, l, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()

	answer, err := http.Get("http://" + l.Addr().String() + "/api/v1/windows?device=d&follow=1")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	if !lines.Scan() {
		t.Fatal("no window came")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if lines.Scan() {
		t.Errorf("after the end came %s", lines.Text())
	}
	if again, err := net.Listen("tcp", l.Addr().String()); err != nil {
		t.Errorf("its address is still taken: %v", err)
	} else {
		again.Close()
	}
}

func TestNewRefuses(t *testing.T) {
	r := newRig(t)
	whole := Config{Version: "test", Policy: testLanguage}
	for name, spoil := range map[string]func(*Config){
		"no version":  func(c *Config) { c.Version = "" },
		"no language": func(c *Config) { c.Policy.Check = nil },
		"empty check": func(c *Config) { c.Checks = []Check{{Name: "x"}} },
	} {
		c := whole
		spoil(&c)
		if _, err := New(c, r.bus.Bus, r.service.listener, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(whole, nil, nil, nil); err == nil {
		t.Error("no bus: accepted")
	}
}
