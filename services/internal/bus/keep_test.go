package bus

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestEveryStreamIsKept: what describes a stream is on the disk and copied when it
// was made or changed, by this process or by another one.
func TestEveryStreamIsKept(t *testing.T) {
	e := embed(t, Config{Listen: "127.0.0.1:0"})
	if _, err := e.Bucket(t.Context(), "B", 1); err != nil {
		t.Fatal(err)
	}
	kept := func(name string) (string, bool) {
		files, sound := readMetadata(filepath.Join(e.cfg.Dir, keptDir, name))
		return files[0], sound
	}
	for _, name := range []string{"T_S", "T_TINY", "T_RING", "KV_T_B"} {
		if _, sound := kept(name); !sound {
			t.Errorf("%s is not kept when it is made", name)
		}
	}
	nc, err := nats.Connect("nats://"+e.Addr(), nats.UserInfo(UserOperator, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, most := range []string{"1111111", "2222222"} {
		config := jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"theirs"}, MaxBytes: 1111111}
		if most == "2222222" {
			config.MaxBytes = 2222222
		}
		if _, err := js.CreateOrUpdateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		await(t, "a stream of another process, with "+most, 5*time.Second, func() bool {
			text, sound := kept("THEIRS")
			return sound && strings.Contains(text, most)
		})
	}
}

// TestConsumersLeaveNoFiles: what reads is in memory, so there is nothing of it
// that a power cut could damage.
func TestConsumersLeaveNoFiles(t *testing.T) {
	e := embed(t, Config{})
	b, err := e.Bucket(t.Context(), "B", 1)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, e.Bus, "s.a", "s.b")
	ctx, cancel := context.WithCancel(t.Context())
	read, watched := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 2)
	go func() {
		ended <- e.Read(ctx, "S", 1, false, func(m Message) error {
			if m.Seq == 2 {
				close(read)
			}
			return nil
		})
	}()
	go func() { ended <- b.Watch(ctx, func() { close(watched) }, func(Entry) {}) }()
	<-read
	<-watched
	if _, err := e.SeqAtTime(ctx, "S", 0); err != nil {
		t.Error(err)
	}
	files, err := fs.Glob(os.DirFS(filepath.Join(e.cfg.Dir, streamsDir)), "*/obs/*")
	if err != nil || len(files) > 0 {
		t.Errorf("consumers have left %v: %v", files, err)
	}
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestUnknownStreamIsSetAside: a stream whose description is gone, and of which
// there is no copy, is kept for the operator and counted, and does not become an
// empty one in silence.
func TestUnknownStreamIsSetAside(t *testing.T) {
	dir, _ := madeStore(t, false)
	at := filepath.Join(dir, streamsDir, "T_LOG")
	blocks, err := os.ReadFile(filepath.Join(at, "msgs", "1.blk"))
	if err == nil {
		err = os.RemoveAll(filepath.Join(dir, keptDir))
	}
	for _, name := range metadata {
		if err == nil {
			err = os.Truncate(filepath.Join(at, name), 0)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	e := embed(t, Config{Dir: dir})
	places, _ := e.Damage()
	if places != 1 || !e.damage[0].Gone || e.damage[0].Stream != "T_LOG" {
		t.Fatalf("damage %+v", e.damage)
	}
	if same, err := os.ReadFile(filepath.Join(e.damage[0].Aside, "msgs", "1.blk")); err != nil || string(same) != string(blocks) {
		t.Errorf("its messages are not kept: %v", err)
	}
	if err := e.Ensure(t.Context(), damagedStreams); err != nil {
		t.Fatal(err)
	}
	if u, err := e.Usage(t.Context(), "LOG", ""); err != nil || u.Messages != 0 {
		t.Errorf("made anew: %+v, %v", u, err)
	}
	if u, err := e.Usage(t.Context(), "BOX", ""); err != nil || u.Messages == 0 {
		t.Errorf("another stream: %+v, %v", u, err)
	}
	if err := e.Healthy(); err != nil {
		t.Error(err)
	}
}
