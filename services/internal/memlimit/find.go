package memlimit

import (
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// unlimited is what version 1 says instead of "max": the largest number of whole
// pages, which depends on their size. Nobody has half of it.
const unlimited = math.MaxInt64 / 2

// Find is the least memory limit in bytes of the process's control groups. root
// is the root of the file system.
func Find(root fs.FS) (limit int64, ok bool) {
	limit = unlimited
	groups, mounts := readGroups(root), readMounts(root)
	for version, group := range groups {
		for _, m := range mounts {
			if m.version == version {
				limit = min(limit, m.least(root, group))
			}
		}
	}
	return limit, limit < unlimited
}

// version of a hierarchy of control groups that limits memory.
type version int

const (
	v1 version = 1
	v2 version = 2
)

// files hold the limits of a group.
func (v version) files() []string {
	if v == v1 {
		return []string{"memory.limit_in_bytes"}
	}
	return []string{"memory.max", "memory.high"} // beyond high the kernel stalls the process: no place to be either
}

// readGroups is the process's group in each hierarchy that may limit memory.
// Lines are id:controllers:path; version 2 is 0::path.
func readGroups(root fs.FS) map[version]string {
	groups := map[version]string{}
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		field := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(field) != 3:
		case field[0] == "0" && field[1] == "":
			groups[v2] = field[2]
		case slices.Contains(strings.Split(field[1], ","), "memory"):
			groups[v1] = field[2]
		}
	}
	return groups
}

// least is the least limit from group up to where the hierarchy is mounted.
func (m mount) least(root fs.FS, group string) int64 {
	least := int64(unlimited)
	for dir := m.dir(group); ; dir = path.Dir(dir) {
		for _, file := range m.version.files() {
			least = min(least, readLimit(root, path.Join(dir, file)))
		}
		if len(dir) <= len(m.point) {
			return least
		}
	}
}

// readLimit is the number in a file, or unlimited.
func readLimit(root fs.FS, name string) int64 {
	text, _ := fs.ReadFile(root, name) // not there: no limit
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 {
		return unlimited
	}
	return n
}
