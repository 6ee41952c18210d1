package main

import (
	"os"
	"slices"
	"testing"
)

func TestProgramMaps(t *testing.T) {
	const maps = `00400000-0137a000 r-xp 00000000 08:01 1234 /usr/bin/weir
0137a000-0238f000 r--p 00f7a000 08:01 1234                               /usr/bin/weir
0238f000-02441000 rw-p 01f8f000 08:01 1234                               /usr/bin/weir
02441000-0448b000 rw-p 00000000 00:00 0
c000000000-c000800000 rw-p 00000000 00:00 0
7f00-7e00 r--p 00000000 08:01 1234 /usr/bin/weir
7f10-7f20 r--p 00000000 08:01 99 /usr/lib/other
7ffd4a5f2000-7ffd4a613000 rw-p 00000000 00:00 0                          [stack]
`
	want := []mapping{{0x400000, 0x137a000}}
	if got := programMaps(maps, "/usr/bin/weir"); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// TestForgetStart goes on after its own program has been forgotten, with calls of other
// libraries, too: where cgo is there, an environment is also C's.
func TestForgetStart(t *testing.T) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Skip(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil || len(programMaps(string(maps), exe)) == 0 {
		t.Fatalf("no mapping of %s, %v", exe, err)
	}
	forgetStart()
	TestProgramMaps(t)
	t.Setenv("WEIR_TEST_FORGET", "still here")
	if got := os.Getenv("WEIR_TEST_FORGET"); got != "still here" {
		t.Errorf("the environment says %q", got)
	}
}
