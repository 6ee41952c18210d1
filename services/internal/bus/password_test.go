package bus

import "testing"

func TestPasswords(t *testing.T) {
	p := newPasswords()
	a, b := hash(t, "one"), hash(t, "two")
	f := func(hash, password string, want bool) {
		t.Helper()
		for range 2 { // what is remembered changes nothing
			if p.match(hash, password) != want {
				t.Errorf("%q for %s: %v", password, hash, !want)
			}
		}
	}
	f(a, "two", false)
	f(a, "one", true)
	f(a, "two", false)
	f(a, "", false)
	f(a, "one", true)
	f(b, "one", false)
	f(b, "two", true)
	f("", "", false)
	f("one", "one", false)
	if len(p.right) != 2 {
		t.Errorf("%d passwords are remembered", len(p.right))
	}
}
