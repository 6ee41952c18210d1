package memlimit

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// mount is a place where a hierarchy of control groups can be read.
type mount struct {
	version version
	group   string // the group that is at the top of the mount, as proc/self/cgroup names groups
	point   string // the folder, without the leading slash
}

// usual are the places where proc/self/mountinfo cannot be read.
var usual = []mount{{v2, "/", "sys/fs/cgroup"}, {v1, "/", "sys/fs/cgroup/memory"}}

// readMounts lists where the hierarchies that limit memory are mounted.
func readMounts(root fs.FS) []mount {
	text, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return usual
	}
	var all []mount
	for line := range strings.Lines(string(text)) {
		if m, ok := parseMount(line); ok {
			all = append(all, m)
		}
	}
	return all
}

// parseMount reads a line of mountinfo: the fourth field is the root, the fifth
// the mount point; after a lone "-" come type, source and the options of the
// file system, which for version 1 are its controllers.
func parseMount(line string) (m mount, ok bool) {
	field := strings.Fields(line)
	end := slices.Index(field, "-")
	if end < 6 || len(field) < end+4 {
		return m, false
	}
	switch options := strings.Split(field[end+3], ","); {
	case field[end+1] == "cgroup2":
		m.version = v2
	case field[end+1] == "cgroup" && slices.Contains(options, "memory"):
		m.version = v1
	default:
		return m, false
	}
	m.group = unescape(field[3])
	m.point = strings.TrimPrefix(path.Clean(unescape(field[4])), "/")
	return m, fs.ValidPath(m.point)
}

// unescape undoes the octal escapes of mountinfo: \040 is a space.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// dir is the folder of a group. What a container sees is often its own group,
// mounted under a name of its own: where the group is not below the one that is
// mounted, that one is taken.
func (m mount) dir(group string) string {
	below, found := strings.CutPrefix(path.Clean("/"+group), strings.TrimSuffix(m.group, "/"))
	if !found || strings.Contains(group, "..") || below != "" && below[0] != '/' {
		return m.point
	}
	return path.Join(m.point, below)
}
