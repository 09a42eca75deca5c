package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
)

// console shows how far a rehearsal is: in place on a terminal, and elsewhere a line every few seconds. Every line of what
// happens goes to its log, and to the screen too where that is asked for.
type console struct {
	mu      sync.Mutex
	out     io.Writer
	log     io.Writer
	verbose bool
	begin   time.Time
	under   *operation    // what is under way; nil between operations
	width   int           // of the terminal; 0 where nothing is drawn in place
	stop    chan struct{} // ends the drawing
	drawn   sync.WaitGroup
}

// newConsole returns one that shows every line.
func newConsole(out io.Writer) *console {
	return &console{out: out, log: io.Discard, verbose: true, begin: time.Now()}
}

// leastWidth is how wide a terminal has to be for something to be drawn in it.
const leastWidth = 60

// openConsole returns a calm one, whose log is in a rehearsal's folder.
func openConsole(o options) (*console, error) {
	if err := os.MkdirAll(filepath.Dir(o.linesFile()), 0o755); err != nil {
		return nil, fmt.Errorf("making a folder for the log: %w", err)
	}
	log, err := os.Create(o.linesFile())
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	c := newConsole(os.Stdout)
	c.log, c.verbose = log, o.verbose
	width, _, err := term.GetSize(os.Stdout.Fd())
	plain := os.Getenv("TERM") == "dumb" || os.Getenv("NO_COLOR") != "" || os.Getenv("CI") != ""
	if err == nil && !plain && !c.verbose && width >= leastWidth {
		c.draw(width)
	}
	return c, nil
}

// draw begins to show in place what is under way.
func (c *console) draw(width int) {
	const pace = 200 * time.Millisecond
	c.width, c.stop = width, make(chan struct{})
	c.drawn.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-c.stop:
				return
			case <-tick.C:
				c.redraw()
			}
		}
	})
}

// redraw puts what is under way now into the last line. It does not hold the console while it asks the operation, which may be
// saying something at that moment, and hold itself.
func (c *console) redraw() {
	c.mu.Lock()
	under := c.under
	c.mu.Unlock()
	line := ""
	if under != nil {
		const most = 2
		line = ansi.Truncate(strings.Join(under.progress(most), "; "), c.width-1, "…")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprint(c.out, "\r"+ansi.EraseEntireLine+line)
}

// still ends what is drawn, so that others can write.
func (c *console) still() {
	if c.width == 0 {
		return
	}
	close(c.stop)
	c.drawn.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprint(c.out, "\r"+ansi.EraseEntireLine)
	c.width = 0
}

// close leaves the terminal and the log as they are.
func (c *console) close() {
	c.still()
	if closer, ok := c.log.(io.Closer); ok {
		_ = closer.Close() // it is there to be looked at, and what is lost of it is lost
	}
	c.log = io.Discard
}

// say notes a line of what happens, with the time since the start in front.
func (c *console) say(format string, arguments ...any) { c.write(c.verbose, format, arguments...) }

// tell notes one that everybody sees.
func (c *console) tell(format string, arguments ...any) { c.write(true, format, arguments...) }

func (c *console) write(shown bool, format string, arguments ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := fmt.Sprintf("%6.1fs  %s", time.Since(c.begin).Seconds(), fmt.Sprintf(format, arguments...))
	fmt.Fprintln(c.log, line)
	if !shown {
		return
	}
	if c.width > 0 {
		fmt.Fprint(c.out, "\r"+ansi.EraseEntireLine)
	}
	fmt.Fprintln(c.out, line)
}

// follow has the console show an operation, until another one or nil takes its place.
func (c *console) follow(o *operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under = o
}

// sayProgress is the line every few seconds, where nothing else is shown.
func (c *console) sayProgress(o *operation) {
	if c.width == 0 && !c.verbose {
		const most = 2
		c.tell("%s", strings.Join(o.progress(most), "; "))
	}
}
