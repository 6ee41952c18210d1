package strays

import (
	"strings"
	"testing"
	"time"
)

func lingers(until chan struct{}, ended chan<- struct{}) { <-until; close(ended) }

func TestFind(t *testing.T) {
	until, ended := make(chan struct{}), make(chan struct{})
	go lingers(until, ended)
	const name = "weir/services/internal/strays.lingers"
	if err := find(0); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("one that stays: %v", err)
	}
	if err := find(0, name); err != nil {
		t.Errorf("one that is known: %v", err)
	}
	time.AfterFunc(time.Second, func() { close(until) }) // later than goleak waits
	if err := find(time.Minute); err != nil {
		t.Errorf("one that ends in time: %v", err)
	}
	<-ended
}
