package harness

import (
	"errors"
	"testing"
)

// TestDealersShareNoPort: processes deal no port twice until one has dealt all that it
// may hold, and no port that another holds ever. Locks hold between open files, as they
// do between processes.
func TestDealersShareNoPort(t *testing.T) {
	dir := t.TempDir()
	of := map[int]*dealer{}
	for range (lastPort - firstPort) / inBlock / mostHeld {
		d := &dealer{dir: dir}
		for range mostHeld * inBlock {
			port, err := d.deal()
			if err != nil {
				t.Fatal(err)
			}
			if of[port] != nil || port < firstPort || port >= lastPort {
				t.Fatalf("port %d is dealt twice, or out of range", port)
			}
			of[port] = d
		}
		again, err := d.deal()
		if err != nil || again != d.held[0].first {
			t.Errorf("after all of its ports it deals %d, %v, wanted its first again", again, err)
		}
	}
	late := &dealer{dir: dir}
	if port, err := late.deal(); !errors.Is(err, errNoPorts) {
		t.Errorf("all ports are held: dealt %d, %v", port, err)
	}
	for _, b := range of[firstPort].held {
		_ = b.lock.Close()
	}
	if _, err := late.deal(); err != nil {
		t.Errorf("a process has ended: %v", err)
	}
}
