package ingest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/schemas"
)

// deviceOf is a device of tenant t that belongs to the i-th of n agents.
func deviceOf(i, n int) string {
	for k := 0; ; k++ {
		if d := fmt.Sprint("d", k); schemas.AgentOf("t", d, n) == i {
			return d
		}
	}
}

// Each agent has its own document and settings; one that is not named keeps its own.
func TestSetConfigOfOneAgent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{Agents: []string{"a1", "a2"}}, newMemLog(), nil)
		strict := DefaultSettings()
		strict.Rules.Readings = 1
		one := AgentConfig{schemas.Config{Revision: 2, From: 9, Document: []byte(`{"y":2}`)}, strict}
		if err := h.SetConfig(context.Background(), map[string]AgentConfig{"a2": one}); err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"", string(schemas.TooMany)} {
			if g := <-h.nats.request("tel.t."+deviceOf(i, 2)+".metrics", `[1,2]`); g.header != want {
				t.Errorf("agent %s: %+v, want %q", h.cfg.Agents[i], g, want)
			}
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		for agent, want := range map[string]string{"a1": `1 {"x":1}, `, "a2": `1 {"x":1}, 2 {"y":2}, `} {
			got := ""
			for _, f := range h.log.journal(t, agent) {
				if c := f.Config; c != nil {
					got += fmt.Sprintf("%d %s, ", c.Revision, c.Document)
				}
			}
			if got != want {
				t.Errorf("journal of %s has documents %s, want %s", agent, got, want)
			}
		}
	})
}

// Devices are let in when the last agent has its document, not before.
func TestEveryAgentNeedsADocument(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := Config{Agents: []string{"a1", "a2"}}
		s, err := New(cfg, Deps{Log: newMemLog(), Telemetry: &fakeNATS{}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		all := everywhere(&cfg, 1, DefaultSettings())
		for i, agent := range cfg.Agents {
			if err := s.SetConfig(ctx, map[string]AgentConfig{agent: all[agent]}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if ready := s.Status().Ready; ready != (i == 1) {
				t.Errorf("ready %v after %d of 2 agents", ready, i+1)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// What holds for the whole process is the least that any agent's document allows.
func TestLeastLimitOfTheProcessHolds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h := start(t, Config{Agents: []string{"a1", "a2"}}, newMemLog(), nil)
		set := DefaultSettings()
		set.Tenants, set.Connections = 1, 3
		if err := h.SetConfig(context.Background(), map[string]AgentConfig{"a2": {Settings: set}}); err != nil {
			t.Fatal(err)
		}
		if n := h.limits.connections.Load(); n != 3 {
			t.Errorf("%d connections, want 3", n)
		}
		for tenant, want := range []string{`{"records":1,"journaled":1}`, string(schemas.TenantLimit)} {
			if g := <-h.nats.request(fmt.Sprintf("tel.t%d.d.metrics", tenant), `1`); !strings.Contains(g.text, want) {
				t.Errorf("tenant %d: %s", tenant, g.text)
			}
		}
		h.mustStop(t)
	})
}

func TestWhoseRules(t *testing.T) {
	own := map[Owner]*Rules{{"acme", ""}: {}, {"", "pump"}: {}, {"acme", "pump"}: {}}
	s := Settings{Own: own, ClassOf: func(device string) string { return strings.TrimRight(device, "0123456789") }}
	for _, c := range []struct {
		tenant, device string
		want           *Rules
	}{
		{"acme", "pump1", own[Owner{"acme", "pump"}]},
		{"acme", "fan1", own[Owner{"acme", ""}]},
		{"other", "pump1", own[Owner{"", "pump"}]},
		{"other", "fan1", &s.Rules},
	} {
		r := &route{tenant: c.tenant, device: c.device}
		for range 2 { // asked, then remembered
			if got := r.rules(&s); got != c.want {
				t.Errorf("%s/%s: rules of somebody else", c.tenant, c.device)
			}
		}
		later := Settings{}
		if r.rules(&later) != &later.Rules {
			t.Errorf("%s/%s: rules of settings that are not in force", c.tenant, c.device)
		}
	}
	s.ClassOf = nil
	if s.of("acme", "pump1") != own[Owner{"acme", ""}] {
		t.Error("without classes the tenant's rules hold")
	}
}
