// Package memlimit finds how much memory the control group of this process may
// use, so that the garbage collector works harder before the kernel kills.
//
//	limit, ok := memlimit.Find(os.DirFS("/"))
//	if ok { debug.SetMemoryLimit(memlimit.Soft(limit)) }
//
// In: proc/self/cgroup (which groups the process is in), proc/self/mountinfo
// (where their hierarchies are mounted) and the limits of the groups: memory.max
// and memory.high of version 2, memory.limit_in_bytes of version 1; both
// versions may be there at once. See cgroups(7), proc_pid_mountinfo(5).
// Out: bytes.
//
// Promises: the least limit counts, that of the process's own group or of any
// above it that can be seen. "max", and the huge number with which version 1
// says the same, are no limits. What cannot be read or understood is no limit
// and no error: a process must start everywhere.
//
// Limits: what a container hides of the groups above its own is not seen. CPU is
// not looked at: since 1.25 Go itself sets GOMAXPROCS by the quota of its group,
// cpu.max or cpu.cfs_quota_us, to 2 at least, and follows changes.
package memlimit
