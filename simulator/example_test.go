package simulator_test

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"weir/simulator"
	"weir/simulator/producttest"
)

// A run against a product, here a small one in memory, and the proof that it
// counted everything.
func Example() {
	product := &producttest.Product{Size: 10 * time.Second, Lateness: time.Minute, Now: func() int64 { return time.Now().UnixNano() }}
	devices, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer devices.Close()
	go serve(devices, product)
	api := httptest.NewServer(product)
	defer api.Close()
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)

	o := simulator.DefaultOptions()
	o.MQTT, o.QoS = devices.Addr().String(), 1
	o.Devices, o.Rate, o.For = 10, 20, 500*time.Millisecond
	o.Faults.Duplicate = 10
	o.Truth = filepath.Join(folder, "truth.jsonl")
	summary, err := simulator.Run(context.Background(), o, func(p simulator.Progress) { fmt.Fprintln(os.Stderr, p) })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(summary.Records, "sent,", summary.Acknowledged, "acknowledged")

	report, err := simulator.Verify(context.Background(), simulator.VerifyOptions{Truth: []string{o.Truth}, HTTP: api.URL}, os.Stderr)
	fmt.Println("equal:", report.Equal, err)
	// Output:
	// 100 sent, 100 acknowledged
	// equal: true <nil>
}

func serve(l net.Listener, p *producttest.Product) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() { _ = p.ServeMQTT(conn, func() bool { return false }) }()
	}
}
