package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// startMochi starts the bare MQTT library.
func startMochi(count *arrived, group time.Duration) (addr string, stop func(), err error) {
	s := mqtt.New(&mqtt.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	l := listeners.NewTCP(listeners.Config{ID: "mqtt", Address: "127.0.0.1:0"})
	h := &hook{count: count, group: group}
	if err := errors.Join(s.AddHook(h, nil), s.AddListener(l), s.Serve()); err != nil {
		return "", nil, fmt.Errorf("start the MQTT library: %w", err)
	}
	ended := make(chan struct{})
	var writer sync.WaitGroup
	if group > 0 {
		writer.Go(func() { h.acknowledge(ended) })
	}
	return l.Address(), func() {
		close(ended)
		writer.Wait()
		_ = s.Close() // it has no failure to report
	}, nil
}

// hook counts what is published and puts PUBACKs off.
type hook struct {
	mqtt.HookBase
	count *arrived
	group time.Duration

	mu   sync.Mutex
	owed []debt
}

// debt is one PUBACK to come.
type debt struct {
	to *mqtt.Client
	id uint16
}

// ID names the hook.
func (h *hook) ID() string { return "floor" }

// Provides says which methods below are to be called.
func (h *hook) Provides(b byte) bool {
	return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck || b == mqtt.OnPublish
}

// OnConnectAuthenticate lets everybody in.
func (h *hook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnACLCheck allows everything.
func (h *hook) OnACLCheck(*mqtt.Client, string, bool) bool { return true }

// OnPublish counts. A packet that it rejects is not acknowledged by the library.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	h.count.add(pk.Payload)
	if pk.FixedHeader.Qos == 0 || h.group == 0 {
		return pk, nil
	}
	h.mu.Lock()
	h.owed = append(h.owed, debt{cl, pk.PacketID})
	h.mu.Unlock()
	return pk, packets.ErrRejectPacket
}

// acknowledge writes what is owed, a group at a time.
func (h *hook) acknowledge(ended <-chan struct{}) {
	tick := time.NewTicker(h.group)
	defer tick.Stop()
	var due []debt
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		h.mu.Lock()
		due, h.owed = h.owed, due[:0]
		h.mu.Unlock()
		for _, d := range due {
			puback := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: d.id}
			_ = d.to.WritePacket(puback) // a client that has gone needs none
		}
	}
}
