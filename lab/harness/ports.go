package harness

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// Ports are taken below the ephemeral range: devices that try again and again to
// reach a port in it, while nobody listens, can be given that very port for
// their own end, and then hold it against the product.
const (
	firstPort = 20000
	lastPort  = 32000
	inBlock   = 200
	mostHeld  = 12 // blocks of one process, which then begins again with its first
)

// dealer deals ports in blocks that it locks against other processes: a product that
// was killed, or a link that is cut, leaves its port free for a while, and whoever runs
// another test must not take it. The kernel unlocks what a process held when it ends.
type dealer struct {
	dir string // of the locks

	mu    sync.Mutex
	held  []block
	dealt int
}

// block is the first of its ports, and the file that is locked as long as it is open.
type block struct {
	first int
	lock  *os.File
}

// ports are those of this process.
var ports = &dealer{dir: filepath.Join(os.TempDir(), "weir-lab-ports")}

var errNoPorts = errors.New("other processes hold all ports")

// deal is the next port.
func (d *dealer) deal() (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dealt == len(d.held)*inBlock && len(d.held) < mostHeld {
		if err := d.take(); err != nil && (len(d.held) == 0 || !errors.Is(err, errNoPorts)) {
			return 0, err
		}
	}
	n := d.dealt % (len(d.held) * inBlock)
	d.dealt++
	return d.held[n/inBlock].first + n%inBlock, nil
}

// take locks the first block that nobody holds.
func (d *dealer) take() error {
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	for first := firstPort; first < lastPort; first += inBlock {
		f, err := os.OpenFile(filepath.Join(d.dir, strconv.Itoa(first)), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return err
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			d.held = append(d.held, block{first, f})
			return nil
		}
		_ = f.Close()
	}
	return errNoPorts
}

// FreeAddress is an address of this machine on which nobody listens now, and which no
// other process of this package gives away.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	var last error
	for range mostHeld * inBlock {
		port, err := ports.deal()
		if err != nil {
			last = err
			break
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
		last = err
	}
	tb.Fatalf("find a free port from %d to %d: %v", firstPort, lastPort, last)
	return ""
}
