package edge

import (
	"io"
	"sync"
)

// filling is a body that comes as fast as the backend gives it, and goes as fast as the visitor takes it: others who want the
// same do not wait for him.
type filling struct {
	mu   sync.Mutex
	more *sync.Cond
	data []byte
	err  error // what it ended with
	read int
}

// fill reads a body to its end, whoever reads what it returns, and tells what came.
func fill(from io.ReadCloser, ended func(data []byte, err error)) io.ReadCloser {
	f := &filling{}
	f.more = sync.NewCond(&f.mu)
	go func() {
		defer from.Close()
		part := make([]byte, 32<<10)
		for f.err == nil {
			n, err := from.Read(part)
			f.add(part[:n], err)
		}
		ended(f.data, f.err)
	}()
	return f
}

func (f *filling) add(part []byte, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data, f.err = append(f.data, part...), err
	f.more.Broadcast()
}

func (f *filling) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.read == len(f.data) && f.err == nil {
		f.more.Wait()
	}
	if f.read == len(f.data) {
		return 0, f.err
	}
	n := copy(p, f.data[f.read:])
	f.read += n
	return n, nil
}

// Close leaves the rest to whoever comes next.
func (f *filling) Close() error { return nil }
