//go:build !unix

package simulator

// canTry says that sockets can be written to without waiting.
const canTry = false

func writeSocket(uintptr, []byte) (n int, again bool, err error) { return 0, true, nil }

// openFiles knows no limit here.
func openFiles(uint64) error { return nil }
