package ingest

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/services/internal/commands"
)

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct{ name, payload string }{
		{"json", `{"temp":21.5,"seq":17,"boot":"a1","ts":1763760000123}`},
		{"number", `21.5`},
		{"metrics", `{"metrics":{"temp":21.5,"hum":40.25,"on":true},"seq":17,"boot":"a1","ts":1763760000123,"attrs":{"site":"x"}}`},
		{"msgpack", "\x84\xa4temp\xcb\x40\x35\x80\x00\x00\x00\x00\x00\xa3seq\x11\xa4boot\xa2a1\xa2ts\xcf\x00\x00\x01\x9a\xa8\x7e\x10\x7b"},
	} {
		b.Run(c.name, func(b *testing.B) {
			set := DefaultSettings()
			d, rules := new(decoder), &set.Rules
			payload := []byte(c.payload)
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				if m := d.decode(payload, rules, 1763770000e9); len(m.readings) != 1 {
					b.Fatal(m.fault, m.detail)
				}
			}
		})
	}
}

// BenchmarkTake is the way of a message from the connection into a frame in the
// journal, one reading each, 100 devices per agent.
func BenchmarkTake(b *testing.B) {
	for _, agents := range []int{1, 100} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			log := newMemLog()
			log.keep = false
			cfg := Config{}
			for i := range agents {
				cfg.Agents = append(cfg.Agents, fmt.Sprintf("a%d", i))
			}
			h := start(b, cfg, log, nil)
			payload := []byte(`{"temp":21.5,"seq":17,"boot":"a1","ts":1763760000123}`)
			subjects := make([]string, 100*agents)
			for i := range subjects {
				subjects[i] = fmt.Sprintf("tel.t.device-%05d.metrics", i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				h.nats.handle(Message{Subject: subjects[i%len(subjects)], Data: payload})
				i++
			}
			b.StopTimer()
			if err := h.stop(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkMQTT is the cost of a message over loopback with the whole process,
// the sending clients included, at full speed.
func BenchmarkMQTT(b *testing.B) {
	const clients = 200
	for _, qos := range []byte{0, 1} {
		b.Run(fmt.Sprintf("qos=%d", qos), func(b *testing.B) {
			log := newMemLog()
			log.keep = false
			cfg := Config{MQTT: "127.0.0.1:0"}
			for i := range 10 {
				cfg.Agents = append(cfg.Agents, fmt.Sprintf("a%d", i))
			}
			h := start(b, cfg, log, nil)
			var all []*client
			for i := range clients {
				all = append(all, connect(b, h.Addr(), false, fmt.Sprintf("c%d", i), ""))
			}
			before := cpuTime()
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for i, c := range all {
				n := b.N / clients
				if i < b.N%clients {
					n++
				}
				wg.Go(func() { flood(c, i, qos, n) })
			}
			wg.Wait()
			if err := h.awaitJournaled(uint64(b.N), 20*time.Second); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
			if err := h.stop(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkCommand is the cost of a command to a connected device at QoS 1, from
// where it is heard to its PUBACK, with the clients in the process. Those of
// sessions that outlive their connection are kept in a store first.
func BenchmarkCommand(b *testing.B) {
	const clients = 200
	for _, clean := range []bool{true, false} {
		b.Run(fmt.Sprintf("clean=%t", clean), func(b *testing.B) {
			h := withDesk(b, commands.NewMemory(), commands.Config{PerDevice: 100_000, Bytes: 1 << 30}, nil)
			var confirming sync.WaitGroup
			for i := range clients {
				c := dial(b, h.Addr(), false)
				c.login(login{id: fmt.Sprint("c", i), clean: clean})
				c.read()
				c.subscribe(1, fmt.Sprint("cmd/t/d", i))
				n := b.N / clients
				if i < b.N%clients {
					n++
				}
				confirming.Go(func() {
					for range n {
						_, id := c.command()
						c.confirm(id)
					}
				})
			}
			payload := []byte(`{"valve":"open","until":1763760000123}`)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				for i%1000 == 0 && uint64(i) > h.Status().Commands.Delivered+5000 {
					runtime.Gosched()
				}
				h.nats.command(Message{Subject: fmt.Sprint("cmd.t.d", i%clients), Data: payload})
			}
			confirming.Wait()
			b.StopTimer()
			if err := h.stop(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// awaitJournaled waits until so many records are in the journal.
func (h *harness) awaitJournaled(n uint64, within time.Duration) error {
	for end := time.Now().Add(within); ; runtime.Gosched() {
		st, sum := h.Status(), uint64(0)
		for _, a := range st.Agents {
			sum += a.Journaled
		}
		if sum == n {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d records journaled, want %d: %+v", sum, n, st)
		}
	}
}

// flood sends n readings, one packet and one write each, and waits for the
// acknowledgments of QoS 1 with half a window open.
func flood(c *client, device int, qos byte, n int) {
	topic := fmt.Sprintf("tel/t/device-%05d/metrics", device)
	var buf []byte
	for i := range n {
		head, body := publishPacket(topic, `{"temp":21.5,"seq":`+fmt.Sprint(i)+`,"boot":"a1"}`, qos, uint16(i%60000+1), false, false)
		buf = frame(buf[:0], head, body)
		_, _ = c.c.Write(buf)
		if qos == 1 && i >= window/2 {
			c.read()
		}
	}
	for i := 0; qos == 1 && i < min(n, window/2); i++ {
		c.read()
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
