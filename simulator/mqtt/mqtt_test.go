package mqtt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestPackets compares with the packets of the standard's figures.
func TestPackets(t *testing.T) {
	payload := []byte("21.5")
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"connect", AppendConnect(nil, Connect{Client: "dev", KeepAlive: 60}), "10 0f 0004 4d515454 04 02 003c 0003 646576"},
		{"connect as a user", AppendConnect(nil, Connect{Client: "dev", User: "joe", Password: "pw"}), "10 18 0004 4d515454 04 c2 0000 0003 646576 0003 6a6f65 0002 7077"},
		{"publish QoS 0", AppendPublish(nil, Publish{Topic: "a/b"}, payload), "30 09 0003 612f62 32312e35"},
		{"publish QoS 1", AppendPublish(nil, Publish{Topic: "a/b", ID: 10}, payload), "32 0b 0003 612f62 000a 32312e35"},
		{"publish QoS 1 again", AppendPublish(nil, Publish{Topic: "a/b", ID: 10, Again: true}, payload), "3a 0b 0003 612f62 000a 32312e35"},
		{"ping", AppendPing(nil), "c0 00"},
		{"disconnect", AppendDisconnect(nil), "e0 00"},
		{"length of two bytes", AppendPublish(nil, Publish{Topic: "a"}, make([]byte, 125))[:5], "30 8001 0001"},
		{"length of three bytes", AppendPublish(nil, Publish{Topic: "a"}, make([]byte, 16381))[:6], "30 808001 0001"},
	} {
		want, err := hex.DecodeString(strings.ReplaceAll(c.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.got, want) {
			t.Errorf("%s: % x, want % x", c.name, c.got, want)
		}
	}
}

func TestReader(t *testing.T) {
	stream := []byte{
		0x20, 2, 0, 5, // CONNACK, not authorized
		0x40, 2, 0x12, 0x34, // PUBACK
		0x90, 3, 0, 1, 0, // SUBACK, passed over
		0xd0, 0, // PINGRESP
		0x40, 2, 0, 1,
	}
	want := []Packet{{Kind: Connack, Code: 5}, {Kind: Puback, ID: 0x1234}, {}, {Kind: Pingresp}, {Kind: Puback, ID: 1}}
	r := NewReader(iotest.OneByteReader(bytes.NewReader(stream)))
	for _, p := range want {
		if got, err := r.Next(); err != nil || got != p {
			t.Fatalf("got %+v, %v, want %+v", got, err, p)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestReaderRefuses(t *testing.T) {
	for name, stream := range map[string][]byte{
		"length of five bytes": {0x40, 0x80, 0x80, 0x80, 0x80, 1},
		"long PUBACK":          {0x40, 3, 0, 1, 0},
		"short CONNACK":        {0x20, 1, 0},
		"cut in the length":    {0x40, 0x80},
		"cut in the body":      {0x40, 2, 0},
		"cut while passing":    {0x90, 5, 0},
	} {
		if p, err := NewReader(bytes.NewReader(stream)).Next(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestConnackErrorNamesTheReason(t *testing.T) {
	for code, want := range map[byte]string{4: "bad user name", 5: "not authorized", 77: "code 77", 0: "code 0"} {
		if got := (&ConnackError{code}).Error(); !strings.Contains(got, want) {
			t.Errorf("code %d: %q", code, got)
		}
	}
}

// FuzzReader ends on anything, and takes no byte twice.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0x20, 2, 0, 0, 0x40, 2, 0, 1})
	f.Add([]byte{0xd0, 0x80, 0})
	f.Add(AppendPublish(nil, Publish{Topic: "a/b", ID: 1}, []byte("x")))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream))
		for n := 0; ; n++ {
			if _, err := r.Next(); err != nil {
				return
			}
			if n > len(stream)/2 {
				t.Fatalf("%d packets in %d bytes", n, len(stream))
			}
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	var buf []byte
	payload := make([]byte, 70)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendPublish(buf[:0], Publish{Topic: "tel/sim/sabc234-00001/metrics", ID: 7}, payload)
	}
}
