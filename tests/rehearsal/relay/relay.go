// Package relay passes on what two connections say to each other.
package relay

import (
	"io"
	"net"
	"sync"
)

// Join passes on what each of two connections says, until both are done, and closes them.
func Join(one, other net.Conn) {
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{one, other}, {other, one}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			if half, can := pair[0].(interface{ CloseWrite() error }); can {
				_ = half.CloseWrite()
			}
		})
	}
	both.Wait()
	_ = one.Close()
	_ = other.Close()
}
