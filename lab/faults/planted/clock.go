package planted

import "strconv"

// StepClock makes a product whose wall clock is set off by the seconds in the file
// that the environment names in GO_TIMESTEP_FILE, as a little-endian int64 which
// may change at any time. Timers and the monotonic clock do not notice: that is
// what a step of NTP looks like.
func StepClock() []Patch {
	const file = goRoot + "/src/time/time.go"
	return []Patch{
		{file, "\t_ \"unsafe\" // for go:linkname\n", "\t\"syscall\"\n\t\"unsafe\"\n"},
		{file, "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {\n\t\treturn Time{uint64(nsec), sec + unixToInternal, Local}", `	sec, nsec, mono := runtimeNow()
	if stepMap != nil {
		sec += *stepMap
	}
	if mono == 0 {
		return Time{uint64(nsec), sec + unixToInternal, Local}`},
		{file, "// x/tools uses a linkname of time.Now in its tests. No harm done.\n", `var stepMap *int64

func init() {
	p, ok := syscall.Getenv("GO_TIMESTEP_FILE")
	if !ok {
		return
	}
	fd, err := syscall.Open(p, syscall.O_RDONLY, 0)
	if err != nil {
		panic("open GO_TIMESTEP_FILE: " + err.Error())
	}
	b, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("map GO_TIMESTEP_FILE: " + err.Error())
	}
	stepMap = (*int64)(unsafe.Pointer(&b[0]))
}

// x/tools uses a linkname of time.Now in its tests. No harm done.
`},
	}
}

// FastClock makes a product whose agents' time runs speed times faster than the
// wall clock and meets it at WEIR_LAB_MEET (Unix ns), as does that of devices that
// play with that speed. Ticks come once in a second of agent time, and so do
// commits: as many of a day as the product makes in a day. Deadlines, retries,
// pacing and whatever else waits in real time are as they are.
func FastClock(speed int) []Patch {
	const clock, config = "services/ingest/clock.go", "services/ingest/config.go"
	k := strconv.Itoa(speed)
	return []Patch{
		{clock, "import (\n\t\"time\"\n", "import (\n\t\"os\"\n\t\"strconv\"\n\t\"time\"\n"},
		{clock, "return agentClock{base: now.UnixNano(), start: now}", `meet, err := strconv.ParseInt(os.Getenv("WEIR_LAB_MEET"), 10, 64)
		if err != nil {
			panic("WEIR_LAB_MEET: " + err.Error())
		}
		return agentClock{base: meet - ` + k + `*(meet-now.UnixNano()), start: now}`},
		{clock, "base: last.Time + gap", "base: last.Time + " + k + "*gap"},
		{clock, "c.base + int64(now.Sub(c.start))", "c.base + " + k + "*int64(now.Sub(c.start))"},
		{config, "orDefault(&c.TickEvery, 250*time.Millisecond)\n\torDefault(&c.IdleTickEvery, time.Second)", "orDefault(&c.TickEvery, time.Second/" + k + ")\n\torDefault(&c.IdleTickEvery, time.Second/" + k + ")"},
	}
}
