package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"weir/simulator"
)

// TestFloor plays devices at each kind of floor: it must acknowledge what asks
// for that, and count every message.
func TestFloor(t *testing.T) {
	f := func(kind string, group time.Duration, qos int) {
		t.Run(fmt.Sprintf("%s/group=%v/qos=%d", kind, group, qos), func(t *testing.T) {
			t.Parallel()
			ask, say := converse(t, kind, group)
			o := simulator.DefaultOptions()
			o.MQTT, o.QoS, o.Devices, o.For = say().MQTT, qos, 5, 500*time.Millisecond
			sent, err := simulator.Run(t.Context(), o, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := sent.Records * int64(qos); sent.Acknowledged != want {
				t.Errorf("%d of %d records were acknowledged, wanted %d", sent.Acknowledged, sent.Records, want)
			}
			got := awaitMessages(t, sent.Messages, ask, say)
			if got.Messages != sent.Messages || got.Bytes < 20*got.Messages {
				t.Errorf("the floor counted %+v of %d messages", got, sent.Messages)
			}
		})
	}
	f("nats", 0, 0)
	f("mochi", 20*time.Millisecond, 0)
	f("mochi", 20*time.Millisecond, 1)
	f("mochi", 0, 1)
}

func TestUnknownKind(t *testing.T) {
	if err := serve("mosquitto", 0, nil, io.Discard); err == nil {
		t.Error("an unknown kind was served")
	}
}

// converse starts a floor; ask puts a question, say waits for the next answer.
func converse(t *testing.T, kind string, group time.Duration) (ask func(), say func() answer) {
	questions, questioner := io.Pipe()
	answerer, answers := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serve(kind, group, questions, answers); answers.Close() }()
	t.Cleanup(func() {
		questioner.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(answerer)
	say = func() (a answer) {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("no answer")
		}
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	return func() { fmt.Fprintln(questioner) }, say
}

// awaitMessages asks until so many have arrived: at QoS 0 some may still be on
// their way.
func awaitMessages(t *testing.T, n int64, ask func(), say func() answer) (a answer) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for range 250 {
		ask()
		if a = say(); a.Messages >= n {
			return a
		}
		<-look.C
	}
	return a
}
