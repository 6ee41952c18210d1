package memlimit

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// Lines of proc/self/mountinfo as machines have them.
const (
	unified   = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	hybrid    = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	container = "35 31 0:32 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
)

// tree is a file system of these files.
func tree(files ...string) fs.FS {
	all := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		all[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return all
}

func TestFind(t *testing.T) {
	const groups, mounts = "proc/self/cgroup", "proc/self/mountinfo"
	const v1memory = "sys/fs/cgroup/memory/"
	for _, c := range []struct {
		name string
		root fs.FS
		want int64 // 0: no limit
	}{
		{"nothing is there", tree(), 0},
		{"version 2, own group", tree(groups, "0::/a/b\n", mounts, unified, "sys/fs/cgroup/a/b/memory.max", "1000\n", "sys/fs/cgroup/a/memory.max", "max\n"), 1000},
		{"version 2, a group above has less", tree(groups, "0::/a/b\n", mounts, unified, "sys/fs/cgroup/a/b/memory.max", "1000\n", "sys/fs/cgroup/a/memory.max", "900\n"), 900},
		{"version 2, a group beside", tree(groups, "0::/a/b\n", mounts, unified, "sys/fs/cgroup/a/bc/memory.max", "10\n"), 0},
		{"version 2, stalled before it is killed", tree(groups, "0::/a\n", mounts, unified, "sys/fs/cgroup/a/memory.max", "1000\n", "sys/fs/cgroup/a/memory.high", "800\n"), 800},
		{"version 2, no limit", tree(groups, "0::/a\n", mounts, unified, "sys/fs/cgroup/a/memory.max", "max\n", "sys/fs/cgroup/a/memory.high", "max\n"), 0},
		{"version 2, in a container of its own namespace", tree(groups, "0::/\n", mounts, unified, "sys/fs/cgroup/memory.max", "500\n"), 500},
		{"version 2, mounted before the namespace", tree(groups, "0::/\n", mounts, strings.Replace(unified, " / ", " /../.. ", 1), "sys/fs/cgroup/memory.max", "500\n"), 500},
		{"version 2, outside of the namespace", tree(groups, "0::/../host\n", mounts, unified, "sys/fs/cgroup/memory.max", "500\n"), 500},
		{"version 2, elsewhere", tree(groups, "0::/a\n", mounts, "1 2 0:3 / /my\\040groups rw - cgroup2 none rw\n", "my groups/a/memory.max", "300\n"), 300},
		{"version 1, own group", tree(groups, "5:cpu:/x\n4:memory:/x/y\n0::/\n", mounts, hybrid, v1memory+"x/y/memory.limit_in_bytes", "700\n"), 700},
		{"version 1, a group above has less", tree(groups, "4:memory:/x/y\n", mounts, hybrid, v1memory+"x/y/memory.limit_in_bytes", "700\n", v1memory+"x/memory.limit_in_bytes", "600\n"), 600},
		{"version 1, beside another controller", tree(groups, "4:hugetlb,memory:/x\n", mounts, strings.Replace(hybrid, "rw,memory", "rw,hugetlb,memory", 1), v1memory+"x/memory.limit_in_bytes", "700\n"), 700},
		{"version 1, no limit", tree(groups, "4:memory:/\n", mounts, hybrid, v1memory+"memory.limit_in_bytes", "9223372036854771712\n"), 0},
		{"version 1, no limit, pages of 64 KiB", tree(groups, "4:memory:/\n", mounts, hybrid, v1memory+"memory.limit_in_bytes", "9223372036854710272\n"), 0},
		{"version 1, in a container", tree(groups, "4:memory:/docker/x\n", mounts, container, v1memory+"memory.limit_in_bytes", "200\n"), 200},
		{"version 1, below the group of a container", tree(groups, "4:memory:/docker/x/sub\n", mounts, container, v1memory+"memory.limit_in_bytes", "200\n", v1memory+"sub/memory.limit_in_bytes", "100\n"), 100},
		{"version 1, a longer name than that of the container", tree(groups, "4:memory:/docker/xy\n", mounts, container, v1memory+"memory.limit_in_bytes", "200\n", v1memory+"y/memory.limit_in_bytes", "100\n"), 200},
		{"both versions", tree(groups, "4:memory:/x\n0::/x\n", mounts, hybrid, v1memory+"x/memory.limit_in_bytes", "700\n", "sys/fs/cgroup/unified/x/memory.max", "650\n"), 650},
		{"no mountinfo", tree(groups, "0::/a\n", "sys/fs/cgroup/a/memory.max", "1000\n"), 1000},
		{"nonsense", tree(groups, "nonsense\n0::\n\n:::\n", mounts, "nonsense\n- - -\n1 2 3 4 5 6 - cgroup2\n"+unified, "sys/fs/cgroup/memory.max", "many\n"), 0},
		{"negative", tree(groups, "0::/\n", mounts, unified, "sys/fs/cgroup/memory.max", "-1\n"), 0},
	} {
		got, ok := Find(c.root)
		if ok != (c.want != 0) || ok && got != c.want {
			t.Errorf("%s: %d, %v; want %d", c.name, got, ok, c.want)
		}
	}
}

// FuzzFind feeds files of any content: no panic, and what is found was written
// somewhere.
func FuzzFind(f *testing.F) {
	f.Add("0::/a/b\n", unified, "1000\n")
	f.Add("4:memory:/docker/x\n0::/\n", hybrid+container, "9223372036854771712")
	f.Add("0::/../..\n", `1 2 0:3 / /\\0401\04 rw - cgroup2 none rw`, "max")
	f.Fuzz(func(t *testing.T, groups, mounts, limit string) {
		got, ok := Find(tree("proc/self/cgroup", groups, "proc/self/mountinfo", mounts, "sys/fs/cgroup/memory.max", limit))
		if ok && (got <= 0 || got >= unlimited) {
			t.Errorf("found %d in %q", got, limit)
		}
	})
}

// TestThisMachine reads the real files: whatever they say is plausible.
func TestThisMachine(t *testing.T) {
	if limit, ok := Find(os.DirFS("/")); ok && limit < 1<<20 {
		t.Errorf("this process may use %d bytes, and runs", limit)
	}
}

func TestSoft(t *testing.T) {
	const mib = 1 << 20
	for hard, want := range map[int64]int64{
		16 * mib:   8 * mib,
		32 * mib:   16 * mib,
		64 * mib:   48 * mib,
		128 * mib:  112 * mib,
		200 * mib:  180 * mib,
		1000 * mib: 900 * mib,
	} {
		if got := Soft(hard); got != want {
			t.Errorf("Soft(%d) = %d, want %d", hard, got, want)
		}
	}
}
