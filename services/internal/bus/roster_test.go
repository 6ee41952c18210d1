package bus

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// TestSetUsers: who is gone or changed is thrown out and does not come in again;
// who is not stays connected.
func TestSetUsers(t *testing.T) {
	users := linkUsers(t)
	kept := User{Name: "kept", Hash: hash(t, "pw"), Tenant: "t"}
	r := region(t, Config{Listen: "127.0.0.1:0", Users: append(users, kept)})
	connect := func(user, password string) (*nats.Conn, error) {
		return nats.Connect("nats://"+r.Addr(), nats.UserInfo(user, password), nats.NoReconnect())
	}
	up := func(user, password string) *nats.Conn {
		t.Helper()
		nc, err := connect(user, password)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	dev, stays := up("dev", "pwd"), up("kept", "pw")
	l1 := rogueLeaf(t, r.LeafAddr(), map[string]any{"name": "a1", "user": "link-a1", "pass": "pw1"})
	l2 := rogueLeaf(t, r.LeafAddr(), map[string]any{"name": "a2", "user": "link-a2", "pass": "pw2"})

	changed := users[1] // a2 has another password; a1 and dev are gone
	changed.Hash = hash(t, "pw2new")
	if err := r.SetUsers([]User{changed, kept}); err != nil {
		t.Fatal(err)
	}
	await(t, "the device is thrown out", 5*time.Second, dev.IsClosed)
	if !l1.refused("PING") || !l2.refused("PING") {
		t.Error("a link stays that is gone or changed")
	}
	if err := stays.Flush(); err != nil {
		t.Errorf("who has not changed is thrown out: %v", err)
	}
	if _, err := connect("dev", "pwd"); err == nil {
		t.Error("who is gone connects")
	}
	for password, want := range map[string]bool{"pw2": false, "pw2new": true} {
		l := rogueLeaf(t, r.LeafAddr(), map[string]any{"name": "a2", "user": "link-a2", "pass": password})
		if l.ok != want {
			t.Errorf("a2 links with %s: %v", password, l.ok)
		}
	}
	if rogueLeaf(t, r.LeafAddr(), map[string]any{"name": "a1", "user": "link-a1", "pass": "pw1"}).ok {
		t.Error("a link comes in that is gone")
	}
	fill(t, r.Bus, "s.a") // the services are not concerned

	if err := r.SetUsers(nil); err == nil {
		t.Error("the door is open")
	}
	if err := r.SetUsers([]User{{Name: "x"}}); err == nil {
		t.Error("a user that is none")
	}
	if err := r.SetUsers([]User{}); err != nil {
		t.Errorf("nobody: %v", err)
	}
	await(t, "the last one is thrown out", 5*time.Second, stays.IsClosed)
	if _, err := connect("", ""); err == nil {
		t.Error("anyone connects where there is no user left")
	}
	if err := embed(t, Config{}).SetUsers(users); err == nil {
		t.Error("users where there were none")
	}
}

// TestNoUsers: an empty list of users lets nobody in.
func TestNoUsers(t *testing.T) {
	r := region(t, Config{Listen: "127.0.0.1:0", Users: []User{}})
	if _, err := nats.Connect("nats://" + r.Addr()); err == nil {
		t.Error("anyone connects")
	}
	if rogueLeaf(t, r.LeafAddr(), map[string]any{"name": "x"}).ok {
		t.Error("anyone links")
	}
}
