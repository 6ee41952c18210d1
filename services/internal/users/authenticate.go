package users

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Attempt is somebody who wants to be let in.
type Attempt struct {
	Name     string
	Password []byte
	From     netip.Addr      // where it comes from; the zero Addr: that is not told
	Gone     <-chan struct{} // closed when nobody waits for the answer any more; nil: somebody does
}

// Refusal says why somebody is not let in.
type Refusal string

// The closed list of refusals.
const (
	NoCredentials   Refusal = "no_credentials"
	UnknownUser     Refusal = "unknown_user"
	WrongPassword   Refusal = "wrong_password"
	NotADevice      Refusal = "not_a_device"      // a user for links
	TooManyFailures Refusal = "too_many_failures" // from this address; the password was not looked at
	Busy            Refusal = "busy"              // the password was not looked at
)

// Error implements error.
func (r Refusal) Error() string { return string(r) }

// Later reports whether the same credentials may be let in later.
func (r Refusal) Later() bool { return r == TooManyFailures || r == Busy }

// longestPassword is how many bytes bcrypt looks at.
const longestPassword = 72

// patience is how long an attempt waits for others to be hashed.
const patience = 5 * time.Second

// Authenticate lets a device in, or returns a Refusal. It takes a microsecond
// for a password that was right or wrong before, else a hash and the wait for it.
func (u *Users) Authenticate(a Attempt) (Grant, error) {
	k := u.table.Load().byName[a.Name]
	switch {
	case a.Name == "" && len(a.Password) == 0:
		return Grant{}, NoCredentials
	case k == nil:
		return Grant{}, UnknownUser
	case k.Link != "":
		return Grant{}, NotADevice
	case len(a.Password) > longestPassword:
		return Grant{}, WrongPassword
	}
	p := u.proofOf(k, a.Password)
	if ok, answer := k.recall(p); ok {
		return k.grant(), answer
	}
	if !u.pace.allows(a.From, time.Now()) {
		return Grant{}, TooManyFailures
	}
	err := u.hash(k, p, a)
	if errors.Is(err, WrongPassword) {
		u.pace.failed(a.From, time.Now())
	}
	return k.grant(), err
}

// recall is the answer to a password that was looked at before.
func (k *known) recall(p proof) (ok bool, answer error) {
	if r := k.right.Load(); r != nil && hmac.Equal(r[:], p[:]) {
		return true, nil
	}
	if w := k.wrong.Load(); w != nil && hmac.Equal(w[:], p[:]) {
		return true, WrongPassword
	}
	return false, nil
}

// hash compares a password with the user's hash, when it is its turn.
func (u *Users) hash(k *known, p proof, a Attempt) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-timer.C:
		return Busy
	case <-a.Gone:
		return Busy
	}
	if ok, answer := k.recall(p); ok { // found out while this one waited
		return answer
	}
	if bcrypt.CompareHashAndPassword([]byte(k.Hash), a.Password) != nil {
		k.wrong.Store(&p)
		return WrongPassword
	}
	k.right.Store(&p)
	return nil
}

// proofOf is HMAC-SHA-256 of the entry and the password.
func (u *Users) proofOf(k *known, password []byte) (p proof) {
	h := hmac.New(sha256.New, u.key[:])
	var version [8]byte
	binary.BigEndian.PutUint64(version[:], k.version)
	h.Write(version[:])
	h.Write(password)
	h.Sum(p[:0])
	return p
}
