package bus

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/minio/highwayhash"
	"github.com/nats-io/nats-server/v2/server"
)

// Places in a data folder.
const (
	storeDir   = "jetstream"                      // the server's
	streamsDir = "jetstream/jetstream/$G/streams" // one folder per stream
	keptDir    = "streams"                        // copies of what describes the streams
	damagedDir = "damaged"                        // what cannot be read, for the operator
)

// metadata are the files without which the server does not know a stream, however
// much of it is there: its configuration, and the checksum of that.
var metadata = [2]string{server.JetStreamMetaFile, server.JetStreamMetaFileSum}

// keepMetadata copies what describes the streams to where the server does not
// write. A power cut in a wrong moment leaves these files empty.
func keepMetadata(dir string) error {
	names, err := streamNames(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyMetadata(filepath.Join(dir, streamsDir, name), filepath.Join(dir, keptDir, name)); err != nil {
			return fmt.Errorf("keep what describes stream %s: %w", name, err)
		}
	}
	return nil
}

func streamNames(dir string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, streamsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.IsDir() && e.Name()[0] != '.' { // one that is being deleted
			names = append(names, e.Name())
		}
	}
	return names, err
}

// copyMetadata makes to's files those of from, if they are sound and differ.
func copyMetadata(from, to string) error {
	files, sound := readMetadata(from)
	if kept, _ := readMetadata(to); !sound || kept == files {
		return nil
	}
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	return writeMetadata(to, files)
}

// readMetadata reads what describes a stream, from its folder or the copy's, which
// have its name. It is sound if the checksum is right.
func readMetadata(dir string) (files [2]string, sound bool) {
	for i, name := range metadata {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return files, false
		}
		files[i] = string(data)
	}
	key := sha256.Sum256([]byte(filepath.Base(dir)))
	sum := highwayhash.Sum64([]byte(files[0]), key[:])
	return files, files[1] == hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, sum))
}

func writeMetadata(dir string, files [2]string) error {
	for i, name := range metadata {
		if err := writeWhole(filepath.Join(dir, name), []byte(files[i])); err != nil {
			return err
		}
	}
	return nil
}

// writeWhole replaces a file, on disk when it returns.
func writeWhole(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already where all went well
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o640), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	return err
}

// salvage looks at what describes the streams, before the server does. It is put
// back from its copy where it is damaged: the stream is whole then. Where there is
// no copy the stream is moved aside: it must not be taken for an empty one.
func salvage(dir, name string, now time.Time) (*Damage, error) {
	at := filepath.Join(dir, streamsDir, name)
	if _, sound := readMetadata(at); sound {
		return nil, nil
	}
	if kept, sound := readMetadata(filepath.Join(dir, keptDir, name)); sound {
		return &Damage{Stream: name, File: server.JetStreamMetaFile}, writeMetadata(at, kept)
	}
	aside, err := setAside(dir, at, now)
	return &Damage{Stream: name, Aside: aside, Gone: true}, err
}

// setAside moves a stream's folder to where nobody trips over it.
func setAside(dir, at string, now time.Time) (string, error) {
	to, err := asideFolder(dir, now)
	if err != nil {
		return "", err
	}
	to = filepath.Join(to, filepath.Base(at))
	return to, os.Rename(at, to)
}

// keepAside keeps a file of a stream as it is now: what is in its place later is
// another file.
func keepAside(dir, stream, name string, now time.Time) (string, error) {
	to, err := asideFolder(dir, now)
	if err != nil {
		return "", err
	}
	to = filepath.Join(to, stream+"-"+filepath.Base(name))
	return to, os.Link(name, to)
}

// asideFolder makes the folder for what one start finds damaged.
func asideFolder(dir string, now time.Time) (string, error) {
	to := filepath.Join(dir, damagedDir, now.UTC().Format("20060102T150405.000000000Z"))
	return to, os.MkdirAll(to, 0o750)
}
