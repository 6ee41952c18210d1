package bus

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// passwords compares passwords with bcrypt hashes, which is slow on purpose, some
// 60 ms each. It does so for one at a time, so that a thousand links that come
// back at once leave room for work, and remembers what was right: a link that gave
// up waiting gets in the next time. It is safe for concurrent use.
type passwords struct {
	key   []byte     // of the digests: random
	turn  sync.Mutex // held while a hash is computed
	mu    sync.Mutex
	right map[string][]byte // digest of the password by hash; at most one per user
}

func newPasswords() *passwords {
	return &passwords{key: []byte(rand.Text()), right: map[string][]byte{}}
}

func (p *passwords) match(hash, password string) bool {
	d := p.digest(password)
	if p.known(hash, d) {
		return true
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	if p.known(hash, d) {
		return true
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) != nil {
		return false
	}
	p.mu.Lock()
	p.right[hash] = d
	p.mu.Unlock()
	return true
}

func (p *passwords) digest(password string) []byte {
	m := hmac.New(sha256.New, p.key)
	m.Write([]byte(password))
	return m.Sum(nil)
}

func (p *passwords) known(hash string, digest []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return hmac.Equal(p.right[hash], digest)
}

// forget forgets the passwords of hashes that are gone.
func (p *passwords) forget(gone func(hash string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.right, func(hash string, _ []byte) bool { return gone(hash) })
}
