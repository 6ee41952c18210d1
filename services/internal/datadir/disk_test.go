package datadir

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFullDisk(t *testing.T) {
	if err := enoughRoom("/data", leastRoom); err != nil {
		t.Error(err)
	}
	err := enoughRoom("/data", leastRoom-1)
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("got %v", err)
	}
}

func TestExplain(t *testing.T) {
	for err, says := range map[error]string{
		unix.EROFS: "read-only", unix.EACCES: "not writable", unix.ENOSPC: "full", unix.EDQUOT: "full",
		unix.ENOTDIR: "file of that name", unix.EIO: "input/output error",
	} {
		got := explain("/data", err).Error()
		if !strings.Contains(got, says) || !strings.Contains(got, "/data") {
			t.Errorf("%v: %q does not say %q", err, got, says)
		}
	}
}
