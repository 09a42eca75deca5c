package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// console prints lines with the time since the start in front, so that long work can be watched.
type console struct {
	mu    sync.Mutex
	out   io.Writer
	begin time.Time
}

func newConsole(out io.Writer) *console { return &console{out: out, begin: time.Now()} }

func (c *console) say(format string, arguments ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "%6.1fs  %s\n", time.Since(c.begin).Seconds(), fmt.Sprintf(format, arguments...))
}
