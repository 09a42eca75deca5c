package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/require"
)

// underWay is an operation that has done one of three things, and is at the others.
func underWay(c *console) *operation {
	o := &operation{name: "up", total: 4, console: c, began: time.Now(), steps: map[string]*step{}}
	for i := range 3 {
		urn := fmt.Sprintf("%s-%d", bucketURN, i)
		o.steps[urn] = &step{urn: urn, kind: apitype.OpCreate, custom: true, begin: time.Now().Add(time.Duration(i-9) * time.Millisecond)}
	}
	o.steps[bucketURN+"-0"].end = time.Now()
	o.steps["component"] = &step{urn: "component", kind: apitype.OpCreate, begin: time.Now()}
	return o
}

// A calm console shows how far a rehearsal is, and keeps the lines for whoever looks into its log.
func TestACalmConsoleShowsHowFarItIs(t *testing.T) {
	out, log := &strings.Builder{}, &strings.Builder{}
	c := newConsole(out)
	c.log, c.verbose = log, false
	o := underWay(c)
	c.say("up  create this and that")
	c.sayProgress(o)
	c.tell("up: done")
	require.NotContains(t, out.String(), "this and that")
	require.Contains(t, out.String(), "up: ██░░░░░░░░ 1 of 4 after 0s; create linode:index/objectStorageBucket:ObjectStorageBucket media-1, for 0s; ")
	require.Contains(t, log.String(), "up  create this and that\n")
	require.Contains(t, log.String(), "up: done\n")

	c.verbose = true
	out.Reset()
	c.sayProgress(o)
	require.Empty(t, out.String(), "each line is there already")
}

// What is drawn in place stays in one line of the terminal, above which all else is said.
func TestWhatIsDrawnFitsTheTerminal(t *testing.T) {
	out := &strings.Builder{}
	c := newConsole(out)
	c.verbose, c.width = false, 30
	c.follow(underWay(c))
	c.redraw()
	drawn := out.String()
	require.NotContains(t, drawn, "\n")
	require.Contains(t, drawn, "up: ██░░░░░░░░ 1 of 4")
	require.Less(t, ansi.StringWidth(strings.TrimPrefix(drawn, "\r")), 30)
	out.Reset()
	c.sayProgress(c.under)
	require.Empty(t, out.String(), "it is drawn already")
	c.tell("up: done")
	require.Regexp(t, `^\r\x1b\[2K +0\.0s  up: done\n$`, out.String())
	c.follow(nil)
	out.Reset()
	c.redraw()
	require.Equal(t, "\r\x1b[2K", out.String())
}

func TestADrawingEnds(t *testing.T) {
	c := newConsole(&strings.Builder{})
	c.draw(80)
	o := underWay(c)
	c.follow(o)
	for range 4 { // while it is drawn, the operation says things
		runStep(o, apitype.OpUpdate, false)
		time.Sleep(100 * time.Millisecond)
	}
	c.still()
	c.still()
	require.Zero(t, c.width)
}
