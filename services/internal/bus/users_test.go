package bus

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"weir/schemas"
)

func TestCheckUsers(t *testing.T) {
	h := hash(t, "x")
	f := func(want string, users ...User) {
		t.Helper()
		err := checkUsers(users)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", users, err, want)
		}
	}
	f("")
	f("", User{Name: "d", Hash: h}, User{Name: "e", Hash: h, Tenant: "t"}, User{Name: "f", Hash: h, Device: "d"})
	f("", User{Name: "l", Hash: h, Link: "a1", Region: "r01"}, User{Name: "m", Hash: h, Link: "r01", Region: schemas.Center})
	f("no name", User{Hash: h})
	f("taken", User{Name: "d", Hash: h}, User{Name: "d", Hash: h})
	f("taken", User{Name: UserService, Hash: h})
	f("taken", User{Name: UserOperator, Hash: h})
	f("taken", User{Name: userAnon, Hash: h})
	f("not bcrypt", User{Name: "d", Hash: "secret"})
	f("not bcrypt", User{Name: "d"})
	f(`"t.>" is no name`, User{Name: "d", Hash: h, Tenant: "t.>"})
	f(`"*" is no name`, User{Name: "d", Hash: h, Device: "*"})
	f("links as nobody", User{Name: "d", Hash: h, Region: "r01"})
	f("no tenant", User{Name: "l", Hash: h, Link: "a1", Region: "r01", Tenant: "t"})
	f("no name of an agent", User{Name: "l", Hash: h, Link: "a1.>", Region: "r01"})
	f("no name of an agent", User{Name: "l", Hash: h, Link: schemas.Center, Region: schemas.Center})
	f("that is no name", User{Name: "l", Hash: h, Link: "a1"})
	f("that is no name", User{Name: "l", Hash: h, Link: "a1", Region: "*"})
	f("not bcrypt", User{Name: "d", Hash: h}, User{Name: "d", Hash: "x"}) // all that is wrong, not the first only

	if _, err := Embed(Config{Dir: t.TempDir(), Users: []User{{Name: "d"}}}); err == nil || !strings.Contains(err.Error(), `"d"`) {
		t.Errorf("a server with a user that is none: %v", err)
	}
}

// TestLinkPermissions: they are those that the design names, and what a link
// without a login may is no less than what each link with one may.
func TestLinkPermissions(t *testing.T) {
	f := func(name, region string, publish ...string) {
		t.Helper()
		p := linkPermissions(name, region)
		if !slices.Equal(p.Publish.Allow, append(publish, "_R_.>")) {
			t.Errorf("%s may publish %q", name, p.Publish.Allow)
		}
		if want := []string{"_UP." + name + ".>", "cmd.>"}; !slices.Equal(p.Subscribe.Allow, want) {
			t.Errorf("%s may subscribe to %q", name, p.Subscribe.Allow)
		}
		for _, s := range p.Publish.Allow {
			if !slices.ContainsFunc(anyLink().Publish.Allow, func(pattern string) bool { return matches(pattern, s) }) {
				t.Errorf("%s may publish %s with a login only", name, s)
			}
		}
	}
	f("a001", "r01", "weir.inbox.r01.4.a001.*", "weir.link.r01.4.a001", "weir.inbox.r01.0.a001:finding.*", "weir.link.r01.0.a001:finding", "weir.desired.r01.a001")
	var center []string
	for _, p := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"} {
		center = append(center, "weir.inbox.center.0.r01:"+p+".*", "weir.link.center.0.r01:"+p)
	}
	f("r01", schemas.Center, append(center, "weir.desired.center.r01")...)
}

// TestNotAcross: the leaf side keeps back what the contract calls internal.
func TestNotAcross(t *testing.T) {
	kept := func(subject string) bool {
		return slices.ContainsFunc(notAcross(), func(pattern string) bool { return matches(pattern, subject) })
	}
	for _, s := range []string{
		schemas.Telemetry("t", "d", schemas.Metrics), schemas.Journal("a"), schemas.State("r/3"), schemas.Ask("x", "a"),
		schemas.AgentOutbox("a", schemas.KindCommit), schemas.GatewayOutbox("r", 1, schemas.KindCommit), schemas.Parked("a", "t"),
		"$MQTT.sess.x", "$JS.API.INFO", "$JS.ACK.x", "$KV.T_POLICY.x", "$O.x.M.y", "$SYS.REQ.SERVER.PING", serviceInbox + ".x.y",
	} {
		if !kept(s) {
			t.Errorf("%s goes across", s)
		}
	}
	for _, s := range []string{
		schemas.Inbox("r", 0, "a", schemas.LaneAlert), schemas.Link("r", 0, "a"), schemas.Desired("r", "a"),
		schemas.Command("t", "d"), upInbox("a") + "x.1",
	} {
		if kept(s) {
			t.Errorf("%s does not go across", s)
		}
	}
}

// TestDeviceRights: with users there is nobody without a login, and each has its
// own subjects only.
func TestDeviceRights(t *testing.T) {
	users := append(linkUsers(t),
		User{Name: "tenant", Hash: hash(t, "pw"), Tenant: "t"},
		User{Name: "device", Hash: hash(t, "pw"), Device: "d"},
		User{Name: "any", Hash: hash(t, "pw")})
	e := embed(t, Config{Listen: "127.0.0.1:0", Users: users})
	who := "dev"
	var nc *nats.Conn
	var denied func() bool
	as := func(user, password string) {
		t.Helper()
		who = user
		nc, denied = anon(t, e, nats.UserInfo(user, password))
	}
	publish := func(subject string, want bool) {
		t.Helper()
		if err := nc.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		if got := !denied(); got != want {
			t.Errorf("%s may publish %s: %v", who, subject, got)
		}
	}
	subscribe := func(subject string, want bool) {
		t.Helper()
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		if got := !denied(); got != want {
			t.Errorf("%s may subscribe to %s: %v", who, subject, got)
		}
	}
	as("dev", "pwd")
	publish("tel.t.d.metrics", true)
	publish("tel.t.d.logs", true)
	publish("tel.t.e.metrics", false)
	publish("tel.u.d.metrics", false)
	publish("tel.t.d.metrics.x", false)
	publish("cmd.t.d", false)
	publish("s.a", false)
	publish("weir.journal.a1", false)
	publish(inbox("a1"), false)
	publish(schemas.Link("r01", 0, "a1"), false)
	publish("_UP.a1.x", false)
	publish("$JS.API.INFO", false)
	publish("$KV.T_POLICY.default", false)
	subscribe("cmd.t.d", true)
	subscribe("_INBOX.x.*", true)
	for _, s := range []string{"cmd.t.e", "cmd.t.*", "cmd.>", "tel.t.d.>", "weir.>", "_UP.>", serviceInbox + ".>", ">", "$KV.>"} {
		subscribe(s, false)
	}
	as("tenant", "pw")
	publish("tel.t.d.metrics", true)
	publish("tel.t.e.metrics", true)
	publish("tel.u.d.metrics", false)
	subscribe("cmd.t.>", true)
	subscribe("cmd.t.d", true)
	subscribe("cmd.u.d", false)
	as("device", "pw")
	publish("tel.u.d.metrics", true)
	publish("tel.u.e.metrics", false)
	subscribe("cmd.*.d", true)
	subscribe("cmd.u.e", false)
	as("any", "pw")
	publish("tel.u.e.metrics", true)
	publish("weir.journal.a1", false)
	subscribe("cmd.>", true)
	subscribe("weir.>", false)

	f := func(user, password string) {
		t.Helper()
		nc, err := nats.Connect("nats://"+e.Addr(), nats.UserInfo(user, password))
		if err == nil {
			nc.Close()
			t.Errorf("user %q connects with password %q", user, password)
		}
	}
	f("", "")
	f(userAnon, "")
	f("dev", "wrong")
	f("dev", "")
	f("nobody", "pwd")
	f("link-a1", "pw1") // a link's user is nothing to a client
	f(UserOperator, "")
	f(UserService, "")
}
