package bus

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/minio/highwayhash"
)

// indexFile is the server's index of a stream's blocks. It is written when the
// server stops in order, and now and then.
const indexFile = "index.db"

// index is what the server's index says of a stream.
type index struct {
	messages, first, last uint64
}

// indexMagic begins an index; a version follows.
const indexMagic = 11

// readIndex reads the index of a stream whose messages are in a folder. ok is
// false if there is none that is whole.
func readIndex(at, stream string) (i index, ok bool) {
	data, err := os.ReadFile(filepath.Join(at, indexFile))
	if err != nil || len(data) < 2+8 || data[0] != indexMagic {
		return i, false
	}
	key := sha256.Sum256([]byte(stream))
	end := len(data) - 8
	if highwayhash.Sum64(data[:end], key[:]) != binary.LittleEndian.Uint64(data[end:]) {
		return i, false
	}
	rest, ok := data[2:end], true
	next := func() uint64 {
		v, n := binary.Uvarint(rest) // times are signed, and of no interest
		if n <= 0 {
			ok, n = false, 0
		}
		rest = rest[n:]
		return v
	}
	i.messages = next()
	next() // bytes
	i.first = next()
	next() // time of the first
	i.last = next()
	return i, ok
}

// dense reports whether nothing between the first and the last was removed.
func (i index) dense() bool { return i.messages > 0 && i.messages == i.last-i.first+1 }
