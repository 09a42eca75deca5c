package report

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-graphviz"
)

// drawing is the graph of the components, in pixels.
type drawing struct {
	Width, Height float64
	Boxes         []box
	Arrows        []arrow
}

// box is a component.
type box struct {
	*component
	X, Y, Width, Height float64 // of its upper left corner
	Title, Subtitle     string
}

func (b box) CenterX() float64 { return b.X + b.Width/2 }

// Path tells the places on the critical path.
func (b box) Path() string {
	first, last := b.Places[0], b.Places[len(b.Places)-1]
	if first == last {
		return strconv.Itoa(first)
	}
	return fmt.Sprintf("%d–%d", first, last)
}

// arrow leads from what is needed to what needs it.
type arrow struct {
	Path     string // as an SVG path
	Critical bool
}

// width is that of its line, in the style sheet.
func (a arrow) width() int {
	if a.Critical {
		return 3
	}
	return 1
}

// mostDrawn is how many components a drawing can hold that anybody could read.
const mostDrawn = 120

const (
	pixelsPerInch = 72. // Graphviz counts in inches
	boxHeight     = 46.
	mostLetters   = 22
)

// draw lays the components out with Graphviz, which gets numbers only: no name can mean anything to it.
func draw(c *components, critical []string) (*drawing, error) {
	pairs := c.handOvers(critical)
	arrows := map[[2]*component]bool{}
	for _, link := range c.reduced() {
		arrows[link] = pairs[link]
	}
	maps.Copy(arrows, pairs)
	if len(arrows) == 0 || len(c.all) > mostDrawn {
		return nil, nil
	}
	var graph bytes.Buffer
	graph.WriteString("digraph { nodesep=0.22; ranksep=0.42; node [shape=box, fixedsize=true, label=\"\"]; edge [dir=none];\n")
	for _, one := range c.all {
		b := boxOf(one)
		fmt.Fprintf(&graph, "%d [width=%.3f, height=%.3f];\n", one.Number, b.Width/pixelsPerInch, b.Height/pixelsPerInch)
	}
	order := slices.SortedFunc(maps.Keys(arrows), func(a, b [2]*component) int {
		return slices.Compare([]int{a[0].Number, a[1].Number}, []int{b[0].Number, b[1].Number})
	})
	for _, pair := range order {
		weight := 1
		if arrows[pair] {
			weight = 8 // which keeps the critical path straight
		}
		fmt.Fprintf(&graph, "%d -> %d [weight=%d];\n", pair[0].Number, pair[1].Number, weight)
	}
	graph.WriteString("}\n")
	plain, err := layOut(graph.Bytes())
	if err != nil {
		return nil, fmt.Errorf("laying the graph out: %w", err)
	}
	return c.read(plain, arrows)
}

func boxOf(c *component) box {
	const letter, small, border = 8.4, 6.6, 20.
	b := box{component: c, Title: shorten(c.Name, mostLetters), Height: boxHeight}
	b.Subtitle = shorten(c.Kind(), mostLetters)
	if c.Busy > 0 {
		b.Subtitle += ", " + seconds(c.Busy)
	}
	b.Width = border + max(letter*float64(len([]rune(b.Title))), small*float64(len([]rune(b.Subtitle))), 74)
	return b
}

// layOut has Graphviz say where everything is, in its format "plain".
func layOut(graph []byte) ([]byte, error) {
	ctx := context.Background()
	engine, err := graphviz.New(ctx)
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	parsed, err := graphviz.ParseBytes(graph)
	if err != nil {
		return nil, err
	}
	defer parsed.Close()
	var out bytes.Buffer
	if err := engine.Render(ctx, parsed, "plain", &out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// read takes the places from Graphviz's answer: https://graphviz.org/docs/outputs/plain/
func (c *components) read(plain []byte, arrows map[[2]*component]bool) (*drawing, error) {
	const margin = 4.
	d := &drawing{}
	lines := bufio.NewScanner(bytes.NewReader(plain))
	lines.Buffer(nil, len(plain)+1)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		at := func(i int) float64 {
			number, _ := strconv.ParseFloat(fields[i], 64)
			return number * pixelsPerInch
		}
		number := func(i int) *component { n, _ := strconv.Atoi(fields[i]); return c.all[n-1] }
		switch fields[0] {
		case "graph":
			d.Width, d.Height = at(2)+2*margin, at(3)+2*margin
		case "node":
			b := boxOf(number(1))
			b.X, b.Y = at(2)-b.Width/2+margin, d.Height-margin-at(3)-b.Height/2
			d.Boxes = append(d.Boxes, b)
		case "edge":
			var path strings.Builder
			points, err := strconv.Atoi(fields[3])
			if err != nil {
				return nil, fmt.Errorf("reading where an arrow is: %w", err)
			}
			for i := range points {
				switch i {
				case 0:
					path.WriteString("M")
				case 1:
					path.WriteString("C")
				default:
					path.WriteString(" ")
				}
				fmt.Fprintf(&path, "%.1f %.1f", at(4+2*i)+margin, d.Height-margin-at(5+2*i))
			}
			d.Arrows = append(d.Arrows, arrow{path.String(), arrows[[2]*component{number(1), number(2)}]})
		}
	}
	// Those of the critical path lie above the others.
	slices.SortStableFunc(d.Arrows, func(a, b arrow) int { return cmp.Compare(a.width(), b.width()) })
	return d, nil
}
