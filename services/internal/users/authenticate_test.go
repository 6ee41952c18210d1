package users

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func attempt(name, password string) Attempt {
	return Attempt{Name: name, Password: []byte(password), From: netip.MustParseAddr("192.0.2.1")}
}

func TestAuthenticate(t *testing.T) {
	u := load(t, fmt.Sprintf(`
- {name: d1, password: %s, tenant: t, device: d1}
- {name: t, password: %s, tenant: t}
- {name: link, password: %s, agent: a1, region: r1}
- {name: long, password: %s, tenant: t}
`, hash(t, "one"), hash(t, "two"), hash(t, "three"), hash(t, strings.Repeat("x", 72))))
	for _, c := range []struct {
		name, password string
		want           Grant
		err            error
	}{
		{"d1", "one", Grant{Tenant: "t", Device: "d1"}, nil},
		{"d1", "one", Grant{Tenant: "t", Device: "d1"}, nil}, // now without a hash
		{"d1", "two", Grant{}, WrongPassword},
		{"d1", "", Grant{}, WrongPassword},
		{"t", "two", Grant{Tenant: "t"}, nil},
		{"T", "two", Grant{}, UnknownUser},
		{"", "", Grant{}, NoCredentials},
		{"", "two", Grant{}, UnknownUser},
		{"link", "three", Grant{}, NotADevice},
		{"long", strings.Repeat("x", 72), Grant{Tenant: "t"}, nil},
		{"long", strings.Repeat("x", 73), Grant{}, WrongPassword},
		{"long", strings.Repeat("x", 65000), Grant{}, WrongPassword},
	} {
		g, err := u.Authenticate(attempt(c.name, c.password))
		if !errors.Is(err, c.err) {
			t.Errorf("%s with %.10s: %v, want %v", c.name, c.password, err, c.err)
			continue
		}
		now, ok := u.Current(c.name)
		if g.Version = 0; err == nil && (!ok || g != c.want || g.Tenant != now.Tenant || g.Device != now.Device) {
			t.Errorf("%s: granted %+v, currently %+v, %v, want %+v", c.name, g, now, ok, c.want)
		}
	}
	if _, ok := u.Current("link"); ok {
		t.Error("a user for links is current as a device")
	}
}

// What was right once costs no hash again, until the password changes.
func TestRightPasswordIsRemembered(t *testing.T) {
	name := write(t, "- {name: d1, password: "+hash(t, "one")+", tenant: t}\n")
	u, _, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	first, err := u.Authenticate(attempt("d1", "one"))
	if err != nil {
		t.Fatal(err)
	}
	take := func(n int) {
		for range n {
			u.slots <- struct{}{}
		}
	}
	take(cap(u.slots)) // nothing can be hashed now
	if g, err := u.Authenticate(attempt("d1", "one")); err != nil || g != first {
		t.Errorf("%+v, %v", g, err)
	}
	gone := make(chan struct{})
	close(gone)
	if _, err := u.Authenticate(Attempt{Name: "d1", Password: []byte("two"), Gone: gone}); !errors.Is(err, Busy) {
		t.Errorf("another password was judged without a hash: %v", err)
	}
	if _, err := u.Reload(); err != nil {
		t.Fatal(err)
	}
	if g, err := u.Authenticate(attempt("d1", "one")); err != nil || g != first {
		t.Errorf("after reading the same file: %+v, %v", g, err)
	}
	rewrite(t, name, "- {name: d1, password: "+hash(t, "two")+", tenant: t}\n")
	if _, err := u.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Authenticate(Attempt{Name: "d1", Password: []byte("one"), Gone: gone}); !errors.Is(err, Busy) {
		t.Errorf("the old password: %v, want it to wait for a hash", err)
	}
	if now, _ := u.Current("d1"); now == first {
		t.Error("a new password is the same grant")
	}
}

// A device that tries the same wrong password for ever costs one hash.
func TestWrongPasswordIsRemembered(t *testing.T) {
	u := load(t, "- {name: d1, password: "+hash(t, "one")+", tenant: t}\n")
	for range 10 * guesses {
		if _, err := u.Authenticate(attempt("d1", "two")); !errors.Is(err, WrongPassword) {
			t.Fatal(err)
		}
	}
	if _, err := u.Authenticate(attempt("d1", "one")); err != nil {
		t.Errorf("the right one afterwards: %v", err)
	}
}

// Who guesses is slowed down, by address; who is known is not.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := load(t, "- {name: d1, password: "+hash(t, "one")+", tenant: t}\n- {name: d2, password: "+hash(t, "two")+", tenant: t}\n")
		if _, err := u.Authenticate(attempt("d1", "one")); err != nil {
			t.Fatal(err)
		}
		guess := func(n int) (looked int) {
			for i := range n {
				_, err := u.Authenticate(attempt("d1", fmt.Sprint(time.Now().UnixNano(), i)))
				if errors.Is(err, WrongPassword) {
					looked++
				} else if !errors.Is(err, TooManyFailures) {
					t.Fatal(err)
				}
			}
			return looked
		}
		if n := guess(100); n != guesses {
			t.Errorf("%d of 100 guesses looked at, want %d", n, guesses)
		}
		if _, err := u.Authenticate(attempt("d1", "one")); err != nil {
			t.Errorf("a known password: %v", err)
		}
		elsewhere := attempt("d2", "two")
		elsewhere.From = netip.MustParseAddr("2001:db8::1")
		if _, err := u.Authenticate(elsewhere); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
		time.Sleep(3 * guessEvery)
		if n := guess(100); n != 3 {
			t.Errorf("%d guesses looked at after 3 s, want 3", n)
		}
		time.Sleep(time.Hour)
		if n := guess(100); n != guesses {
			t.Errorf("%d guesses looked at after an hour, want %d", n, guesses)
		}
	})
}

// The memory of addresses is bounded, and forgets.
func TestPaceIsBounded(t *testing.T) {
	var p pace
	now := time.Unix(1_800_000_000, 0)
	v6 := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)) }
	for i := range maxPaced {
		p.failed(v6(i), now)
	}
	for i := range guesses {
		if !p.allows(v6(maxPaced+i), now) {
			t.Fatalf("address %d beyond the memory: not allowed", i)
		}
		p.failed(v6(maxPaced+i), now)
	}
	if p.allows(v6(maxPaced+100), now) || len(p.until) != maxPaced+1 {
		t.Errorf("the others share %d guesses, and do not; %d remembered", guesses, len(p.until))
	}
	later := now.Add(time.Minute)
	p.failed(v6(7), later)
	p.failed(v6(maxPaced+200), later)
	if len(p.until) > 2 {
		t.Errorf("%d addresses remembered after a minute, want 2", len(p.until))
	}
	for range guesses {
		p.failed(netip.MustParseAddr("2001:db8:1::1"), later)
	}
	if p.allows(netip.MustParseAddr("2001:db8:1::2"), later) || !p.allows(netip.MustParseAddr("2001:db8:1:1::1"), later) {
		t.Error("an IPv6 network is not one address")
	}
	if !p.allows(netip.Addr{}, later) {
		t.Error("an address that is not told is slowed down")
	}
}

// However many come at once, half of the processors hash; who cannot be served
// in time is told to come again, and everybody is let in some time.
func TestStorm(t *testing.T) {
	const devices = 100
	var text strings.Builder
	h := hash(t, "secret")
	for i := range devices {
		fmt.Fprintf(&text, "- {name: d%d, password: %s, tenant: t}\n", i, h)
	}
	u := load(t, text.String())
	var in atomic.Int32
	var most atomic.Int32
	stop := make(chan struct{})
	var watch, storm sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				most.Store(max(most.Load(), int32(len(u.slots))))
				runtime.Gosched()
			}
		}
	})
	for i := range devices {
		storm.Go(func() {
			for {
				_, err := u.Authenticate(attempt(fmt.Sprintf("d%d", i), "secret"))
				if err == nil {
					in.Add(1)
					return
				}
				if r, ok := errors.AsType[Refusal](err); !ok || !r.Later() {
					t.Errorf("d%d: %v", i, err)
					return
				}
			}
		})
	}
	storm.Wait()
	close(stop)
	watch.Wait()
	if want := int32(max(1, runtime.GOMAXPROCS(0)/2)); in.Load() != devices || most.Load() > want {
		t.Errorf("%d of %d let in, up to %d hashed at once, want %d", in.Load(), devices, most.Load(), want)
	}
}

// Who waits in vain is told so after a while.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := load(t, "- {name: d1, password: "+hash(t, "one")+", tenant: t}\n")
		u.slots = make(chan struct{}) // nobody's turn
		begin := time.Now()
		if _, err := u.Authenticate(attempt("d1", "one")); !errors.Is(err, Busy) || time.Since(begin) != patience {
			t.Errorf("%v after %v, want busy after %v", err, time.Since(begin), patience)
		}
	})
}

func rewrite(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A changed file is read again once it is quiet; a bad one changes nothing.
func TestFollow(t *testing.T) {
	name := write(t, "- {name: d1, password: "+hash(t, "one")+", tenant: t}\n")
	u, _, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		changes := 0
		done := make(chan error)
		go func() {
			done <- u.Follow(ctx, func() { changes++ }, slog.New(slog.NewTextHandler(&log, nil)))
		}()
		has := func(step string, want int, names ...string) {
			t.Helper()
			time.Sleep(3 * lookEvery)
			synctest.Wait()
			if changes != want || len(u.List()) != len(names) {
				t.Errorf("%s: %d changes, users %v, want %d, %v", step, changes, u.List(), want, names)
			}
			for _, n := range names {
				if _, ok := u.Current(n); !ok {
					t.Errorf("%s: %s is gone", step, n)
				}
			}
		}
		has("nothing happened", 0, "d1")
		rewrite(t, name, "- {name: d2, password: "+hash(t, "one")+", tenant: t}\n- {name: d3, password: "+hash(t, "one")+", tenant: t}\n")
		has("another file", 1, "d2", "d3")
		rewrite(t, name, "- {name: d2, password: hunter2}\n")
		has("a bad file", 1, "d2", "d3")
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		has("no file", 1, "d2", "d3")
		rewrite(t, name, "- {name: d4, password: "+hash(t, "one")+"}\n")
		has("a good one", 2, "d4")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if s := log.String(); strings.Count(s, "users stay as they were") != 2 || strings.Contains(s, "hunter2") || strings.Contains(s, "$2a$") || !strings.Contains(s, "every device") {
		t.Errorf("the log says\n%s", s)
	}
}

func BenchmarkKnown(b *testing.B) {
	u := load(b, "- {name: d1, password: "+hash(b, "one")+", tenant: t}\n")
	a := attempt("d1", "one")
	for b.Loop() {
		if _, err := u.Authenticate(a); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHash is what each first connection after a start costs.
func BenchmarkHash(b *testing.B) {
	for _, cost := range []int{4, 5, 6, 8, 10} {
		b.Run(fmt.Sprintf("cost=%d", cost), func(b *testing.B) {
			h, err := bcrypt.GenerateFromPassword([]byte("one"), cost)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if bcrypt.CompareHashAndPassword(h, []byte("one")) != nil {
					b.Fatal("wrong")
				}
			}
		})
	}
}
