package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/services/internal/datadir"
)

// smallDisk mounts a tmpfs of so many bytes.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(bytes)); err != nil {
		t.Skipf("needs the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk writes until nothing more fits.
func fillDisk(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 1; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 16
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// healTime is how soon after there is room a process must work again.
const healTime = 30 * time.Second

// TestDiskFull fills the disk twice under load: the first time the reserve is
// enough to go on, the second time the process waits for room and says so. Nobody
// touches it; every reading that was acknowledged counts once.
func TestDiskFull(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	for _, class := range []string{"fast", "durable"} {
		t.Run(class, func(t *testing.T) { testDiskFull(t, class) })
	}
}

func testDiskFull(t *testing.T, class string) {
	disk := smallDisk(t, 300<<20)
	p, i := up(t, filepath.Join(disk, "data"), "--durability", class)
	if i.Class != class {
		t.Errorf("run.json says durability %q", i.Class)
	}
	truth := filepath.Join(t.TempDir(), "truth.json")
	sim := start(t, "sim", "--mqtt", i.MQTT, "--qos", "1", "--devices", "20", "--rate", "20", "--for", "15s", "--drain", "60s",
		"--truth", truth, "-o", "json")
	p.eventually("busy", func() error {
		if !strings.Contains(readyz(i), `"durability `+class+`"`) {
			return fmt.Errorf("it does not show its class: %s", readyz(i))
		}
		data, err := get(i, "/metrics")
		if err == nil && !strings.Contains(string(data), "weir_records_total") {
			err = errors.New("no records yet")
		}
		return err
	})
	first, second := filepath.Join(disk, "ballast"), filepath.Join(disk, "ballast2")

	fillDisk(t, first)
	began := time.Now()
	p.eventually("restarted by itself", func() error { return p.said("the server is back", 1) })
	t.Logf("%s: the first time it is back %v after the disk was full", class, time.Since(began).Round(time.Millisecond))

	fillDisk(t, second)
	p.eventually("waiting for space", func() error {
		if s := readyz(i); !strings.Contains(s, "disk full, waiting for space (8 MB needed") {
			return fmt.Errorf("readyz says %s", s)
		}
		return nil
	})
	if err := errors.Join(os.Remove(first), os.Remove(second)); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	p.eventually("ready again", func() error { _, err := get(i, "/readyz"); return err })
	healed := time.Since(began)
	t.Logf("%s: the second time it is back %v after there was room", class, healed.Round(time.Millisecond))
	if healed > healTime {
		t.Errorf("%s: that is more than %v", class, healTime)
	}

	if code, out, messages := sim.wait(); code != exitOK {
		t.Fatalf("sim: %d, %s, %s", code, out, messages)
	}
	if code, out, messages := weir(t, "verify", "--truth", truth, "--http", i.HTTP); code != exitOK {
		t.Errorf("verify: %d\n%s%s", code, out, messages)
	}
	p.eventually("a reserve again", func() error {
		if datadir.ReserveOf(i.Data).Held() == 0 {
			return errors.New("there is none")
		}
		return nil
	})
	p.interrupt()
}

// said reports whether the process has said something so often.
func (p *process) said(what string, times int) error {
	if n := strings.Count(p.err.String(), what); n < times {
		return fmt.Errorf("it has said %q %d times, not %d", what, n, times)
	}
	return nil
}

// readyz is what readiness says, ready or not.
func readyz(i datadir.Instance) string {
	data, err := get(i, "/readyz?verbose")
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// TestSmallDisk: caps shrink to the disk, and a disk without room for the smallest
// is refused.
func TestSmallDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 200<<20)
	p, i := up(t, filepath.Join(disk, "data"))
	p.eventually("it says that caps are smaller", func() error { return p.said("no room for the caps", 1) })
	p.eventually("a stream with a small cap", func() error {
		data, err := get(i, "/metrics")
		if err == nil && !strings.Contains(string(data), "weir_stream_limit_bytes") {
			err = errors.New("no caps yet")
		}
		var sum float64
		for line := range strings.Lines(string(data)) {
			if strings.HasPrefix(line, "weir_stream_limit_bytes") {
				v, _ := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
				sum += v
			}
		}
		if err == nil && (sum < 1<<20 || sum > 160<<20) {
			err = fmt.Errorf("the caps are %g bytes on a disk of 200 MB", sum)
		}
		return err
	})
	p.interrupt()

	tiny := smallDisk(t, 70<<20)
	code, _, messages := weir(t, append([]string{"up", "--data", filepath.Join(tiny, "data"), "--devices", "0"}, anyPort...)...)
	if code != exitUsage || !strings.Contains(messages, "at least") {
		t.Errorf("on 70 MB: %d, %s", code, messages)
	}
}

// TestPowerCut cuts the power under load. In class durable nothing that was
// acknowledged is gone; in class fast at most the last second is, and the ledger
// says so: the devices number their readings. A machine that is busy with other
// tests syncs late, so it is given three.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	for _, class := range []string{"durable", "fast"} {
		t.Run(class, func(t *testing.T) { testPowerCut(t, class) })
	}
}

func testPowerCut(t *testing.T, class string) {
	d := newPowerDisk(t)
	dir := filepath.Join(d.dir, "data")
	p, i := up(t, dir, "--durability", class, "--mqtt", "127.0.0.1:0")
	truth := filepath.Join(t.TempDir(), "truth.json")
	const rate = 20 * 20 // records a second
	mqtt := i.MQTT
	sim := start(t, "sim", "--mqtt", mqtt, "--qos", "1", "--devices", "20", "--rate", "20", "--for", "8s", "--drain", "60s",
		"--truth", truth, "-o", "json")
	p.eventually("busy", func() error {
		data, err := get(i, "/api/v1/ledger")
		if err == nil {
			if l := ledgerOf(t, string(data)); l.Totals.Counted < 2*rate {
				err = fmt.Errorf("totals %+v", l.Totals)
			}
		}
		return err
	})
	d.cut()
	p.kill()
	d.mount()
	began := time.Now()
	p, i = up(t, dir, "--durability", class, "--mqtt", mqtt)
	t.Logf("%s: devices are accepted %v after the power is back", class, time.Since(began).Round(time.Millisecond))
	code, out, messages := sim.wait()
	if code != exitOK {
		t.Fatalf("sim: %d, %s, %s", code, out, messages)
	}
	if class == "durable" {
		if code, out, messages := weir(t, "verify", "--truth", truth, "--http", i.HTTP); code != exitOK {
			t.Errorf("verify: %d\n%s%s\nweir says %s", code, out, messages, p.err.String())
		}
		p.interrupt()
		return
	}
	var sent struct{ Records uint64 }
	if err := json.Unmarshal([]byte(out), &sent); err != nil {
		t.Fatal(err)
	}
	p.eventually("settled", func() error {
		data, err := get(i, "/api/v1/ledger")
		if err != nil {
			return err
		}
		l := ledgerOf(t, string(data))
		lost := int64(sent.Records) - int64(l.Totals.Received-l.Totals.Duplicate)
		switch {
		case l.Totals.InFlight > 0 || l.Totals.Unexplained != 0:
			return fmt.Errorf("totals %+v", l.Totals)
		case lost < 0 || lost > 3*rate:
			return fmt.Errorf("%d records of %d are lost, and a second is %d; totals %+v", lost, sent.Records, rate, l.Totals)
		case uint64(lost) != l.Totals.LostDeclared:
			return fmt.Errorf("%d records are lost, and %d declared", lost, l.Totals.LostDeclared)
		}
		t.Logf("fast: %d of %d records are lost, and declared", lost, sent.Records)
		return nil
	})
	p.interrupt()
}
