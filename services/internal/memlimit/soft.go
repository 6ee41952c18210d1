package memlimit

// reserve is left, at least, to what the collector does not count: sockets and
// files in the kernel, pages of the program itself.
const reserve = 16 << 20

// Soft is the soft limit in bytes for the Go runtime (GOMEMLIMIT) under a hard
// one: nine tenths of it, with 16 MiB to spare where there is little, and never
// less than half.
func Soft(hard int64) int64 {
	return max(hard-max(hard/10, reserve), hard/2)
}
