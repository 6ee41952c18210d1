// Command floor is the least that a server can do with the messages that weir up
// gets: it shows what transport alone costs.
//
//	floor -kind nats                 nats-server with JetStream and its own MQTT listener, an empty subscriber in the process
//	floor -kind mochi -group 20ms    the MQTT library alone; PUBACKs of QoS 1 wait for their group. 0: the library sends them at once
//
// In: devices over MQTT on a free loopback port; a line on standard input is a
// question. Out: lines of JSON on standard output: first where it listens, then
// for each question what has arrived so far. It ends with its standard input.
//
// Promises: nothing is decoded, stored or forwarded, and nothing runs between
// two questions but the server itself.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// arrived is what the devices have sent, and the answer to a question.
type arrived struct{ messages, bytes atomic.Int64 }

func (a *arrived) add(payload []byte) {
	a.messages.Add(1)
	a.bytes.Add(int64(len(payload)))
}

// answer is a line of standard output.
type answer struct {
	MQTT     string `json:"mqtt"` // host:port
	Messages int64  `json:"messages"`
	Bytes    int64  `json:"bytes"` // of payload
}

func main() {
	kind := flag.String("kind", "nats", "nats or mochi")
	group := flag.Duration("group", 20*time.Millisecond, "time between two groups of PUBACKs (mochi); 0: at once")
	flag.Parse()
	if err := serve(*kind, *group, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// serve runs a server until the questions end.
func serve(kind string, group time.Duration, questions io.Reader, out io.Writer) error {
	var count arrived
	var addr string
	var stop func()
	var err error
	switch kind {
	case "nats":
		addr, stop, err = startNATS(&count)
	case "mochi":
		addr, stop, err = startMochi(&count, group)
	default:
		err = fmt.Errorf("-kind %q: use nats or mochi", kind)
	}
	if err != nil {
		return err
	}
	defer stop()
	lines, say := bufio.NewScanner(questions), json.NewEncoder(out)
	for more := true; more; more = lines.Scan() {
		if err := say.Encode(answer{addr, count.messages.Load(), count.bytes.Load()}); err != nil {
			return err
		}
	}
	return lines.Err()
}
