package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startNATS starts a bare server with an MQTT listener, and a subscriber in this
// process that only counts.
func startNATS(count *arrived) (addr string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "weir-floor-")
	if err != nil {
		return "", nil, err
	}
	o := &server.Options{
		ServerName: "floor", DontListen: true, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true,
		MQTT: server.MQTTOpts{Host: "127.0.0.1", Port: server.RANDOM_PORT},
	}
	s, err := server.NewServer(o)
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("make NATS server: %w", err), os.RemoveAll(dir))
	}
	stop = func() {
		s.Shutdown()
		s.WaitForShutdown()
		_ = os.RemoveAll(dir) // temporary
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		stop()
		return "", nil, errors.New("start NATS server with MQTT: not ready after 30 s")
	}
	if err := subscribe(s, count); err != nil {
		stop()
		return "", nil, err
	}
	// The server has put the port that it took into its options.
	return net.JoinHostPort(o.MQTT.Host, strconv.Itoa(o.MQTT.Port)), stop, nil
}

// subscribe counts all telemetry. Where the subscriber is too slow the server
// keeps messages for it as long as it can: the floor must not win by dropping.
func subscribe(s *server.Server, count *arrived) error {
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return fmt.Errorf("connect inside the process: %w", err)
	}
	sub, err := nc.Subscribe("tel.>", func(m *nats.Msg) { count.add(m.Data) })
	if err == nil {
		err = errors.Join(sub.SetPendingLimits(-1, -1), nc.Flush())
	}
	if err != nil {
		return fmt.Errorf("subscribe to tel.>: %w", err)
	}
	return nil
}
