package backlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"weir/schemas"
)

// store is a NATS server on a data folder, for this process alone.
type store struct {
	server *server.Server
	conn   *nats.Conn
	js     nats.JetStreamContext
	last   uint64 // sequence that the newest message of the journal has, or will have
	failed chan error
}

// journal is the stream.
const journal = schemas.DefaultPrefix + schemas.StreamJournal

// readyWithin bounds the start of the server and each answer of it.
const readyWithin = 30 * time.Second

// ahead is how many messages may wait for the server.
const ahead = 4096

func open(dir string) (s *store, err error) {
	s = &store{failed: make(chan error, 1)}
	s.server, err = server.NewServer(&server.Options{
		ServerName: "backlog", DontListen: true, JetStream: true, StoreDir: filepath.Join(dir, "jetstream"),
		JetStreamMaxStore: 1 << 40, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return nil, fmt.Errorf("make NATS server on %s: %w", dir, err)
	}
	s.server.Start()
	if !s.server.ReadyForConnections(readyWithin) {
		s.close()
		return nil, fmt.Errorf("start NATS server on %s: not ready after %v", dir, readyWithin)
	}
	if err := s.connect(); err != nil {
		s.close()
		return nil, fmt.Errorf("connect to the NATS server on %s: %w", dir, err)
	}
	return s, nil
}

func (s *store) connect() (err error) {
	if s.conn, err = nats.Connect("", nats.InProcessServer(s.server)); err != nil {
		return err
	}
	s.js, err = s.conn.JetStream(nats.MaxWait(readyWithin), nats.PublishAsyncMaxPending(ahead),
		nats.PublishAsyncErrHandler(func(_ nats.JetStream, m *nats.Msg, err error) {
			select {
			case s.failed <- fmt.Errorf("append to %s: %w", m.Subject, err):
			default: // the first says it
			}
		}))
	return err
}

// close ends the server with its files written.
func (s *store) close() {
	if s.conn != nil {
		s.conn.Close()
	}
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// admits says whether ingest would fill a journal with so many bytes: it stops
// at nine tenths of the cap.
func (s *store) admits(bytes int64) error {
	info, err := s.js.StreamInfo(journal)
	if err != nil {
		return fmt.Errorf("read state of stream %s: %w", journal, err)
	}
	if most := info.Config.MaxBytes / 10 * 9; bytes > most {
		return fmt.Errorf("the journal takes %d bytes and ingest stops at nine tenths: use at most %d", info.Config.MaxBytes, most)
	}
	return nil
}

// documents are the policy documents in the journal, by agent.
func (s *store) documents() (map[string]*schemas.Config, error) {
	info, err := s.js.StreamInfo(journal)
	if err != nil {
		return nil, fmt.Errorf("read state of stream %s: %w", journal, err)
	}
	all := map[string]*schemas.Config{}
	var d schemas.FrameDecoder
	for seq := max(info.State.FirstSeq, 1); seq <= info.State.LastSeq; seq++ {
		m, err := s.js.GetMsg(journal, seq)
		if err != nil {
			return nil, fmt.Errorf("read message %d of %s: %w", seq, journal, err)
		}
		var f schemas.Frame
		if err := d.Decode(m.Data, &f); err != nil {
			return nil, fmt.Errorf("read message %d of %s: %w", seq, journal, err)
		}
		if f.Config != nil {
			all[f.Agent] = f.Config
		}
	}
	return all, nil
}

// rewind empties the streams, so that the journal can begin before the first
// start and no fold has seen any of it. Buckets stay.
func (s *store) rewind() error {
	for name := range s.js.StreamNames() {
		if !strings.HasPrefix(name, schemas.DefaultPrefix) {
			continue
		}
		info, err := s.js.StreamInfo(name)
		if err == nil {
			err = s.js.DeleteStream(name)
		}
		if err == nil {
			_, err = s.js.AddStream(&info.Config)
		}
		if err != nil {
			return fmt.Errorf("make stream %s anew: %w", name, err)
		}
	}
	return nil
}

// append hands a frame to the server and does not wait. Nobody else writes, so
// the sequence that it gets is known.
func (s *store) append(subject string, data []byte, after uint64) (uint64, error) {
	_, err := s.js.PublishAsync(subject, data, nats.ExpectLastSequencePerSubject(after), nats.StallWait(readyWithin))
	if err != nil {
		return 0, fmt.Errorf("append %d bytes to %s after %d: %w", len(data), subject, after, err)
	}
	s.last++
	return s.last, nil
}

// settle waits until everything is stored and returns the bytes of the journal.
func (s *store) settle() (int64, error) {
	select {
	case <-s.js.PublishAsyncComplete():
	case <-time.After(readyWithin):
		return 0, fmt.Errorf("the server has not stored all frames within %v", readyWithin)
	}
	select {
	case err := <-s.failed:
		return 0, err
	default:
	}
	info, err := s.js.StreamInfo(journal)
	if err == nil && (info.State.LastSeq != s.last || info.State.Msgs != s.last) {
		err = fmt.Errorf("%d messages up to sequence %d, %d were written", info.State.Msgs, info.State.LastSeq, s.last)
	}
	if err != nil {
		return 0, fmt.Errorf("read state of stream %s: %w", journal, err)
	}
	return int64(info.State.Bytes), nil
}

// forgetIndex removes what the server wrote at its end so that the next one need
// not read the whole journal. A server that is killed does not write it.
func forgetIndex(dir string) error {
	found := false
	err := filepath.WalkDir(filepath.Join(dir, "jetstream"), func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "index.db" || !strings.Contains(name, journal) {
			return err
		}
		found = true
		return os.Remove(name)
	})
	if err == nil && !found {
		err = errors.New("no index.db of the journal: the server keeps its index elsewhere now")
	}
	return err
}
