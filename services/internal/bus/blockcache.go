package bus

import (
	"fmt"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
)

// What the server keeps of a stream in memory. Its own values are blocks of 8 MB for ten
// seconds after the last access: a stream to which little is written holds 8 MB, and one
// to which 20 MB a second are written, as while a journal is caught up, 200 MB.
const (
	blockSize = 1 << 20         // bytes of a block: what is kept or not, and a file
	blockTime = 2 * time.Second // after the last access. Longer than between two ticks, or each would read the block again
)

// boundBlocks makes the server keep less of its streams in memory. New blocks are of
// blockSize, and kept for blockTime; those that there are may be of any size.
//
// The server has no option for either, so they are set where it has them, under the locks
// by which it reads them (nats-server 2.15: fileStore.fcfg, a FileStoreConfig). A server
// that has them elsewhere is left as it is, and the error says so.
func boundBlocks(srv *server.Server) (err error) {
	defer func() {
		if p := recover(); p != nil { // reflect's way to say that there is no such field
			err = fmt.Errorf("bound what NATS server %s keeps of its streams in memory: %v", server.VERSION, p)
		}
	}()
	for _, store := range stores(srv) {
		locked(store, func() {
			c := pointer[server.FileStoreConfig](field(store, "fcfg"))
			c.BlockSize, c.CacheExpire = min(c.BlockSize, blockSize), blockTime
		})
	}
	return nil
}

// stores are the stores of the streams that the server has now.
func stores(srv *server.Server) (all []reflect.Value) {
	var account reflect.Value
	var streams []reflect.Value
	global := reflect.ValueOf(srv.GlobalAccount())
	locked(global, func() { account = field(global, "js") })
	if account.IsNil() {
		return nil // it has ended
	}
	locked(account, func() {
		for each := field(account, "streams").MapRange(); each.Next(); {
			streams = append(streams, each.Value())
		}
	})
	for _, s := range streams {
		locked(s, func() { all = append(all, field(s, "store").Elem()) })
	}
	return all
}

// field is a field of the struct that p points to.
func field(p reflect.Value, name string) reflect.Value { return p.Elem().FieldByName(name) }

// locked runs f under the lock of the struct that p points to.
func locked(p reflect.Value, f func()) {
	mu := pointer[sync.RWMutex](field(p, "mu"))
	mu.Lock()
	defer mu.Unlock()
	f()
}

// pointer is where a field of type T is.
func pointer[T any](field reflect.Value) *T {
	if field.Type() != reflect.TypeFor[T]() {
		panic(fmt.Sprintf("a field is a %v, not a %v", field.Type(), reflect.TypeFor[T]()))
	}
	return (*T)(unsafe.Pointer(field.UnsafeAddr()))
}
