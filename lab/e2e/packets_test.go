package e2e

import (
	"bytes"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"weir/simulator/mqtt"
)

// The simulator writes its own MQTT packets: what it measures hangs on them. They
// must be those of other people's programs, byte for byte.

const longTopic = "tel/acme/pump-1/metrics"

func TestPacketsAreThoseOfPaho(t *testing.T) {
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion = "MQTT", 4
	connect.CleanSession, connect.Keepalive, connect.ClientIdentifier = true, 60, "sabc-00001"
	wantBytes(t, "CONNECT", mqtt.AppendConnect(nil, mqtt.Connect{Client: "sabc-00001", KeepAlive: 60}), connect)
	connect.UsernameFlag, connect.Username, connect.PasswordFlag, connect.Password = true, "acme-box", true, []byte("secret")
	wantBytes(t, "CONNECT of a user", mqtt.AppendConnect(nil, mqtt.Connect{Client: "sabc-00001", KeepAlive: 60, User: "acme-box", Password: "secret"}), connect)
	for _, size := range []int{0, 1, 100, 101, 16_000, 16_384, 3_000_000} {
		payload := bytes.Repeat([]byte("x"), size)
		publish := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		publish.TopicName, publish.Payload = longTopic, payload
		wantBytes(t, "PUBLISH at QoS 0", mqtt.AppendPublish(nil, mqtt.Publish{Topic: longTopic}, payload), publish)
		publish.Qos, publish.MessageID = 1, 0x1234
		wantBytes(t, "PUBLISH at QoS 1", mqtt.AppendPublish(nil, mqtt.Publish{Topic: longTopic, ID: 0x1234}, payload), publish)
		publish.Dup = true
		wantBytes(t, "PUBLISH again", mqtt.AppendPublish(nil, mqtt.Publish{Topic: longTopic, ID: 0x1234, Again: true}, payload), publish)
	}
	wantBytes(t, "PINGREQ", mqtt.AppendPing(nil), packets.NewControlPacket(packets.Pingreq))
	wantBytes(t, "DISCONNECT", mqtt.AppendDisconnect(nil), packets.NewControlPacket(packets.Disconnect))
}

func wantBytes(t *testing.T, what string, got []byte, theirs packets.ControlPacket) {
	t.Helper()
	var want bytes.Buffer
	if err := theirs.Write(&want); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is %.60x (%d bytes), paho writes %.60x (%d bytes)", what, got, len(got), want.Bytes(), want.Len())
	}
}

// TestAnswersOfPaho reads what paho writes in the place of a server.
func TestAnswersOfPaho(t *testing.T) {
	var stream bytes.Buffer
	connack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	connack.ReturnCode = packets.ErrRefusedNotAuthorised
	puback := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	puback.MessageID = 0x1234
	suback := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	suback.ReturnCodes = []byte{1, 0x80}
	for _, packet := range []packets.ControlPacket{connack, suback, puback, packets.NewControlPacket(packets.Pingresp)} {
		if err := packet.Write(&stream); err != nil {
			t.Fatal(err)
		}
	}
	in := mqtt.NewReader(&stream)
	for _, want := range []mqtt.Packet{{Kind: mqtt.Connack, Code: 5}, {}, {Kind: mqtt.Puback, ID: 0x1234}, {Kind: mqtt.Pingresp}} {
		if got, err := in.Next(); got != want || err != nil {
			t.Errorf("read %+v, %v, wanted %+v", got, err, want)
		}
	}
	if _, err := in.Next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// TestPacketsAreThoseOfMosquitto plays the server of a mosquitto_pub.
func TestPacketsAreThoseOfMosquitto(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	client := exec.CommandContext(t.Context(), "mosquitto_pub", "-h", host, "-p", port, "-i", "pump-1", "-k", "60", "-q", "1", "-t", longTopic, "-l")
	client.Stdin = strings.NewReader("21.5\n{\"temp\":21.5}\n")
	if err := client.Start(); err != nil {
		t.Fatalf("%v: make deps installs it", err)
	}
	defer client.Wait()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	for _, x := range []struct{ ours, answer string }{
		{string(mqtt.AppendConnect(nil, mqtt.Connect{Client: "pump-1", KeepAlive: 60})), "\x20\x02\x00\x00"},
		{string(mqtt.AppendPublish(nil, mqtt.Publish{Topic: longTopic, ID: 1}, []byte("21.5"))), "\x40\x02\x00\x01"},
		{string(mqtt.AppendPublish(nil, mqtt.Publish{Topic: longTopic, ID: 2}, []byte(`{"temp":21.5}`))), "\x40\x02\x00\x02"},
		{string(mqtt.AppendDisconnect(nil)), ""},
	} {
		theirs := make([]byte, len(x.ours))
		if _, err := io.ReadFull(conn, theirs); err != nil || string(theirs) != x.ours {
			t.Fatalf("mosquitto_pub writes %q, %v; the simulator writes %q", theirs, err, x.ours)
		}
		if _, err := io.WriteString(conn, x.answer); err != nil {
			t.Fatal(err)
		}
	}
}
