package users

import (
	"net/netip"
	"sync"
	"time"
)

// An address may guess wrong this often at once, and once more per second.
const (
	guesses    = 10
	guessEvery = time.Second
)

// maxPaced is how many addresses are told apart; beyond it the others share one
// allowance.
const maxPaced = 4096

// pace slows down those who guess. Right passwords cost no guess.
type pace struct {
	mu    sync.Mutex
	until map[netip.Prefix]time.Time // when all guesses are given back
	swept time.Time                  // when those were last forgotten that have all
}

// allows reports whether an address has a guess left. One that is not told has.
func (p *pace) allows(from netip.Addr, now time.Time) bool {
	if !from.IsValid() {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until[p.place(from, now)].Sub(now) <= (guesses-1)*guessEvery
}

// failed takes a guess from an address.
func (p *pace) failed(from netip.Addr, now time.Time) {
	if !from.IsValid() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[netip.Prefix]time.Time{}
	}
	at := p.place(from, now)
	until := p.until[at]
	if until.Before(now) {
		until = now
	}
	p.until[at] = until.Add(guessEvery)
}

// place is the entry of an address: an IPv4 address, or the network of an IPv6
// one; the zero prefix where too many others have one.
func (p *pace) place(from netip.Addr, now time.Time) netip.Prefix {
	from = from.Unmap()
	bits := 64
	if from.Is4() {
		bits = 32
	}
	at, _ := from.WithZone("").Prefix(bits) // the bits fit
	if _, ok := p.until[at]; ok || len(p.until) < maxPaced {
		return at
	}
	p.sweep(now)
	if len(p.until) < maxPaced {
		return at
	}
	return netip.Prefix{}
}

func (p *pace) sweep(now time.Time) {
	if now.Sub(p.swept) < guessEvery {
		return
	}
	p.swept = now
	for a, until := range p.until {
		if until.Before(now) {
			delete(p.until, a)
		}
	}
}
