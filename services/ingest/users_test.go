package ingest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"weir/schemas"
	"weir/services/internal/users"
)

// hashed makes an entry of a users file; its password is the user's name.
func hashed(t testing.TB, name, rights string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(name), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("- {name: %s, password: %s%s}\n", name, h, rights)
}

// loadUsers reads entries from a file, whose name it returns too.
func loadUsers(t testing.TB, entries ...string) (*users.Users, string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(name, []byte(strings.Join(entries, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	u, _, err := users.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return u, name
}

// withUsers is a service with the users d1 and d2, each a device, all, who speaks
// for tenant t, and link.
func withUsers(t testing.TB, tune func(*Settings, *Deps)) (*harness, *users.Users, string) {
	u, name := loadUsers(t,
		hashed(t, "d1", ", tenant: t, device: d1"), hashed(t, "d2", ", tenant: t, device: d2"),
		hashed(t, "all", ", tenant: t"), hashed(t, "link", ", agent: a1, region: r1"))
	cfg := quick()
	cfg.RecheckEvery = 5 * time.Millisecond
	return start(t, cfg, newMemLog(), func(s *Settings, d *Deps) {
		if d.Users = u; tune != nil {
			tune(s, d)
		}
	}), u, name
}

// enter connects as a user of withUsers.
func enter(t testing.TB, addr net.Addr, v5 bool, id, user string) *client {
	t.Helper()
	c := dial(t, addr, v5)
	c.login(login{id: id, user: user, password: user, clean: true})
	if p := c.read(); p.kind() != connack || p.body[1] != 0 {
		t.Fatalf("connect %s as %s: got %x %x", id, user, p.head, p.body)
	}
	return c
}

// Who is not let in gets the code that says why, and is counted with the reason.
func TestWrongCredentials(t *testing.T) {
	cases := []struct {
		user, password string
		v3, v5         byte
		why            users.Refusal
	}{
		{"", "", 5, 0x87, users.NoCredentials},
		{"nobody", "d1", 5, 0x86, users.UnknownUser},
		{"d1", "d2", 5, 0x86, users.WrongPassword},
		{"d1", "", 5, 0x86, users.WrongPassword},
		{"link", "link", 5, 0x86, users.NotADevice},
	}
	bothVersions(t, func(t *testing.T, v5 bool) {
		h, _, _ := withUsers(t, nil)
		counts := map[users.Refusal]uint64{}
		for _, c := range cases {
			m := dial(t, h.Addr(), v5)
			m.login(login{id: "x", user: c.user, password: c.password, clean: true})
			want := c.v3
			if v5 {
				want = c.v5
			}
			if p := m.read(); p.kind() != connack || p.body[1] != want {
				t.Errorf("%s with %q: %x %x, want code %#x", c.user, c.password, p.head, p.body, want)
			}
			m.gone()
			counts[c.why]++
		}
		st := h.Status().MQTT
		if st.Refused != uint64(len(cases)) || fmt.Sprint(st.Unauthorized) != fmt.Sprint(counts) {
			t.Errorf("status %+v, want %v", st, counts)
		}
	})
}

// refusing says the same to everybody.
type refusing struct{ error }

func (r refusing) Authenticate(users.Attempt) (Grant, error) { return Grant{}, r.error }
func (r refusing) Current(string) (Grant, bool)              { return Grant{}, false }

// Who could not be looked at is told to come again, and nothing of credentials.
func TestBusyWithCredentials(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h := startMQTT(t, func(_ *Settings, d *Deps) { d.Users = refusing{users.Busy} })
		c := dial(t, h.Addr(), v5)
		c.login(login{id: "x", user: "d1", password: "d1", clean: true})
		want := byte(3)
		if v5 {
			want = 0x89
		}
		if p := c.read(); p.kind() != connack || p.body[1] != want {
			t.Errorf("%x %x, want code %#x", p.head, p.body, want)
		}
		c.gone()
	})
}

// A device publishes as itself and subscribes to its own commands.
func TestUsers(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h, _, _ := withUsers(t, nil)
		c := enter(t, h.Addr(), v5, "x", "d1")
		foreign, refused := byte(0), byte(0x80)
		if v5 {
			foreign, refused = codeTopicInvalid, 0x87
		}
		for i, p := range []struct {
			topic string
			code  byte
		}{
			{"tel/t/d1/metrics", 0}, {"tel/t/d2/metrics", foreign}, {"tel/u/d1/metrics", foreign}, {"tel/t/d1x/metrics", foreign},
		} {
			c.publish(p.topic, "1", 1, uint16(i+1), false)
			if code := c.acked(uint16(i + 1)); code != p.code {
				t.Errorf("publish to %s: code %#x, want %#x", p.topic, code, p.code)
			}
		}
		for i, filter := range []string{"cmd/t/d2", "cmd/u/d1", "cmd/t/+", "#", "tel/t/d1/metrics"} {
			if code := c.subscribe(uint16(i+10), filter); code != refused {
				t.Errorf("subscribed to %s: %#x, want %#x", filter, code, refused)
			}
		}
		if code := c.subscribe(20, "cmd/t/d1"); code > 1 {
			t.Errorf("own commands: %#x", code)
		}
		all := enter(t, h.Addr(), v5, "y", "all")
		all.publish("tel/t/d7/metrics", "1", 1, 1, false)
		if code := all.acked(1); code != 0 {
			t.Errorf("a user of the tenant: code %#x", code)
		}
		all.publish("tel/u/d7/metrics", "1", 1, 2, false)
		if code := all.acked(2); code != foreign {
			t.Errorf("a user of another tenant: code %#x", code)
		}
		if st := h.Status().MQTT; st.Foreign != 4 {
			t.Errorf("%d publishes for others, want 4", st.Foreign)
		}
		if n := h.rejected(t, schemas.BadSubject); n != 4 {
			t.Fatalf("%d rejected as bad subject, want 4", n)
		}
	})
}

// Ten thousand readings in the name of others: none is theirs, all are counted, and
// who goes on is closed each time.
func TestForgedIdentity(t *testing.T) {
	h, _, _ := withUsers(t, nil)
	sent, closed := 0, 0
	for sent < 10_000 {
		c := enter(t, h.Addr(), true, "x", "d1")
		for range maxForeign {
			c.publish("tel/t/d2/metrics", `{"temp":1}`, 0, 0, false)
			sent++
		}
		c.gone()
		closed++
	}
	if st := h.Status().MQTT; st.Foreign != 10_000 || closed != 100 {
		t.Errorf("%d connections closed, status %+v", closed, st)
	}
	for _, d := range h.Devices("a1") {
		t.Errorf("readings of %+v", d)
	}
	if n := h.rejected(t, schemas.BadSubject); n != 10_000 {
		t.Errorf("%d rejected as bad subject", n)
	}
}

// A client identifier cannot be taken over with other credentials, though they are
// good ones.
func TestTakeoverAmongUsers(t *testing.T) {
	bothVersions(t, func(t *testing.T, v5 bool) {
		h, _, _ := withUsers(t, nil)
		first := enter(t, h.Addr(), v5, "c1", "d1")
		thief := dial(t, h.Addr(), v5)
		thief.login(login{id: "c1", user: "d2", password: "d2", clean: true})
		want := byte(2)
		if v5 {
			want = 0x85
		}
		if p := thief.read(); p.kind() != connack || p.body[1] != want {
			t.Fatalf("client id taken over: %x %x", p.head, p.body)
		}
		thief.gone()
		first.ping()
		enter(t, h.Addr(), v5, "c1", "d1")
		first.gone()
	})
}

// A connection ends soon after its user is gone, or has another password or other
// rights; the others stay.
func TestRevoked(t *testing.T) {
	for name, entries := range map[string]func(t *testing.T) []string{
		"gone":     func(t *testing.T) []string { return nil },
		"password": func(t *testing.T) []string { return []string{hashed(t, "d1", ", tenant: t, device: d1")} },
		"rights":   func(t *testing.T) []string { return []string{hashed(t, "d1", ", tenant: t")} },
	} {
		t.Run(name, func(t *testing.T) {
			keep := hashed(t, "d2", ", tenant: t, device: d2")
			u, file := loadUsers(t, hashed(t, "d1", ", tenant: t, device: d1"), keep)
			cfg := quick()
			cfg.RecheckEvery = 5 * time.Millisecond
			h := start(t, cfg, newMemLog(), func(_ *Settings, d *Deps) { d.Users = u })
			c1, c2 := enter(t, h.Addr(), true, "c1", "d1"), enter(t, h.Addr(), false, "c2", "d2")
			if err := os.WriteFile(file, []byte(keep+strings.Join(entries(t), "")), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := u.Reload(); err != nil {
				t.Fatal(err)
			}
			c1.gone()
			c2.ping()
			if st := h.Status().MQTT; st.Revoked != 1 {
				t.Errorf("status %+v", st)
			}
		})
	}
}

// slowUsers let nobody in before they are told to.
type slowUsers struct {
	refusing
	wait chan struct{}
}

func (s slowUsers) Authenticate(a users.Attempt) (Grant, error) {
	select {
	case <-s.wait:
	case <-a.Gone:
		return Grant{}, users.Busy
	}
	if !a.From.IsLoopback() {
		return Grant{}, errors.New("not told where it comes from")
	}
	return Grant{}, nil
}

// Whoever waits to be looked at holds up nobody, nor the end.
func TestSlowUsers(t *testing.T) {
	slow := slowUsers{wait: make(chan struct{})}
	h := startMQTT(t, func(_ *Settings, d *Deps) { d.Users = slow })
	var all []*client
	for i := range 20 {
		c := dial(t, h.Addr(), false)
		c.login(login{id: fmt.Sprint("c", i), user: "u", password: "p", clean: true})
		all = append(all, c)
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		_ = c.c.Close()
	}
}
