package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

var begin = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }

// shop is a small stack: a cluster, a shop in it with a namespace of its own, and a name that leads there.
func shop() Rehearsal {
	return Rehearsal{
		Stack: "shop", Succeeded: true,
		Resources: []Resource{
			{URN: "stack", Type: stackType, Name: "lke-shop", Component: true},
			{URN: "provider", Type: "pulumi:providers:linode", Name: "default"},
			{URN: "cluster", Type: "own:lke:Cluster", Name: "cluster", Parent: "stack", Component: true, Needs: []string{"stack"}},
			{URN: "lke", Type: "linode:index:Lke", Name: "lke", Parent: "cluster", Needs: []string{"cluster", "provider"}},
			{URN: "shop", Type: "own:app:App", Name: "shop", Parent: "stack", Component: true, Needs: []string{"stack"}},
			{URN: "space", Type: "own:namespace:Namespace", Name: "space", Parent: "shop", Component: true, Needs: []string{"shop", "lke"}},
			{URN: "web", Type: "kubernetes:apps/v1:Deployment", Name: "web", Parent: "space", Needs: []string{"space", "lke"}},
			{URN: "name", Type: "linode:index:Record", Name: "name", Parent: "stack", Needs: []string{"stack", "web", "lke", "provider"}},
		},
		CriticalPath: []string{"lke", "web", "name"},
		Operations: []Operation{
			{Name: "preview", Begin: at(0), Took: 2 * time.Second, Steps: []Step{{URN: "lke", Kind: "create", Begin: at(1), End: at(1)}}},
			{Name: Up, Begin: at(2), Took: 10 * time.Second, Steps: []Step{
				{URN: "lke", Kind: "create", Begin: at(2), End: at(6)},
				{URN: "web", Kind: "create", Begin: at(6), End: at(9)},
				{URN: "name", Kind: "create", Begin: at(9), End: at(11)},
			}},
			{Name: "again", Begin: at(12), Took: time.Second},
		},
		Warnings: []string{"the shop runs as root"}, NotRehearsed: []string{"traffic"},
		NotRendered: []string{"own/chart"}, Schemaless: []string{"Thing"},
		Cost: []CostLine{{"nodes", 2, 48}, {"common NodeBalancers", 1, 1210.5}},
		Pods: map[string]int{"Running": 2},
		Nodes: []Node{{
			Name: "node-1", Type: "g6-standard-2", MilliCPUs: 2000, MemoryBytes: 4 << 30,
			Pods: []Pod{{"shop", "small", 100, 128 << 20}, {"shop", "large", 500, 2 << 30}},
		}},
		Certificates: []Certificate{{"shop.example", "one", at(8), at(9e6)}},
		Live:         []Live{{"shop.example", at(11)}},
	}
}

func write(t testing.TB, r Rehearsal) string {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, Write(&page, r))
	return page.String()
}

// failed ended in the middle of Up.
func failed() Rehearsal {
	r := shop()
	up := r.Operations[1]
	up.Steps = []Step{{URN: "lke", Kind: "create", Begin: at(2), End: at(6), Failed: true}, {URN: "web", Kind: "create", Begin: at(6)}}
	resources := slices.Clone(r.Resources)
	for i := range resources {
		resources[i].Needs = nil
	}
	return Rehearsal{Stack: "shop", Resources: resources, Operations: []Operation{r.Operations[0], up}}
}

// elements are those of a page by their tag, in their order; none stands for all.
func elements(t testing.TB, page string, tags ...string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	return within(root, tags...)
}

func within(root *html.Node, tags ...string) (found []*html.Node) {
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && (len(tags) == 0 || slices.Contains(tags, node.Data)) {
			found = append(found, node)
		}
	}
	return found
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is all that a person reads of an element.
func text(node *html.Node) string {
	var all []string
	for inner := range node.Descendants() {
		if inner.Type == html.TextNode && inner.Parent.Data != "style" {
			all = append(all, strings.Fields(inner.Data)...)
		}
	}
	return strings.Join(all, " ")
}

func pages(t *testing.T) map[string]string {
	return map[string]string{"whole": write(t, shop()), "failed": write(t, failed()), "empty": write(t, Rehearsal{Stack: "shop"})}
}

func TestThePageAsksForNothingElse(t *testing.T) {
	for name, page := range pages(t) {
		require.Empty(t, elements(t, page, "script", "img", "iframe", "object", "embed", "audio", "video", "base"), name)
		for _, node := range elements(t, page) {
			for _, a := range node.Attr {
				require.NotRegexp(t, "^(on|src|action|style$)", a.Key, name)
				if strings.HasSuffix(a.Key, "href") {
					require.Regexp(t, "^(#|data:,$)", a.Val, name)
				}
			}
		}
		require.NotRegexp(t, `@import|@font-face|https?:|url\([^#]`, page, name)
		require.Contains(t, page, `content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`, name)
	}
}

func TestEveryFigureHasAName(t *testing.T) {
	for name, page := range pages(t) {
		for _, figure := range elements(t, page, "figure") {
			captions := within(figure, "figcaption")
			require.Len(t, captions, 1, name)
			require.NotEmpty(t, text(captions[0]), name)
		}
		for _, table := range elements(t, page, "table") {
			captions := within(table, "caption")
			require.Len(t, captions, 1, name)
			require.NotEmpty(t, text(captions[0]), name)
			for _, heading := range within(table, "th") {
				require.Regexp(t, "^(col|row)$", attribute(heading, "scope"), name)
			}
		}
		for _, drawing := range elements(t, page, "svg") {
			if attribute(drawing, "aria-hidden") != "true" {
				require.Equal(t, "img", attribute(drawing, "role"), name)
				require.NotEmpty(t, text(within(drawing, "title")[0]), name)
			}
		}
		for _, summary := range elements(t, page, "summary") {
			require.NotEmpty(t, text(summary), name)
		}
	}
}

func TestHeadingsAndLinksLeadSomewhere(t *testing.T) {
	for name, page := range pages(t) {
		ids := map[string]bool{}
		level := 0
		for _, node := range elements(t, page) {
			if id := attribute(node, "id"); id != "" {
				require.False(t, ids[id], "%s: %s is there twice", name, id)
				ids[id] = true
			}
			if regexp.MustCompile("^h[1-6]$").MatchString(node.Data) {
				deeper := int(node.Data[1] - '0')
				require.LessOrEqual(t, deeper, level+1, "%s: %s", name, text(node))
				level = deeper
			}
		}
		for _, node := range elements(t, page) {
			if link := attribute(node, "href"); node.Data == "a" {
				require.True(t, ids[strings.TrimPrefix(link, "#")], "%s: %s", name, link)
			}
			for _, key := range []string{"aria-labelledby", "aria-describedby"} {
				for _, id := range strings.Fields(attribute(node, key)) {
					require.True(t, ids[id], "%s: %s", name, id)
				}
			}
		}
	}
}

func TestNoNameIsTakenForMarkup(t *testing.T) {
	const hostile = `</title></style><script>alert(1)</script><b onclick="x" '-->{{"`
	r := shop()
	r.Stack = hostile
	for i := range r.Resources {
		if own := r.Resources[i].Type; own != stackType && !strings.HasPrefix(own, providerType) {
			r.Resources[i].Name, r.Resources[i].Type = hostile, "own:"+hostile
		}
	}
	for i := range r.Operations {
		for j := range r.Operations[i].Steps {
			r.Operations[i].Steps[j].Kind, r.Operations[i].Steps[j].Failed = hostile, j == 0
		}
	}
	r.Warnings, r.NotRehearsed, r.NotRendered, r.Schemaless = []string{hostile}, []string{hostile}, []string{hostile}, []string{hostile}
	r.Cost[0].What, r.Nodes[0].Name, r.Nodes[0].Type, r.Nodes[0].Pods[0] = hostile, hostile, hostile, Pod{hostile, hostile, 1, 1}
	r.Certificates[0].Domain, r.Certificates[0].Certificate, r.Live[0].Name = hostile, hostile, hostile
	r.Pods = map[string]int{hostile: 1}
	r.Succeeded = false
	page := write(t, r)

	plain := shop()
	plain.Succeeded = false
	for i := range plain.Operations {
		if steps := plain.Operations[i].Steps; len(steps) > 0 {
			steps[0].Failed = true
		}
	}
	require.Empty(t, elements(t, page, "script"))
	require.Len(t, elements(t, page, "style"), 1)
	for _, node := range elements(t, page, "b") {
		require.Empty(t, attribute(node, "onclick"))
	}
	require.Equal(t, len(elements(t, write(t, plain), "table", "section", "li", "svg")), len(elements(t, page, "table", "section", "li", "svg")),
		"names change no structure")
	require.Contains(t, text(elements(t, page, "main")[0]), `<script>alert(1)</script>`)
}

func TestFirstThingsComeFirst(t *testing.T) {
	main := text(elements(t, write(t, shop()), "main")[0])
	last := -1
	for _, told := range []string{
		"shop ✓ succeeded", "Cost a month $1,258.50", "preview took 2.0 s", "up took 10.0 s", "Second up took 1.0 s nothing changed",
		"the shop runs as root", "Graph by component", "Critical path 3 steps, 9.0 s", "Time line", "Nodes", "node-1", "CPU 30 % 0.6 of 2 CPUs",
		"Memory 53 % 2.1 GiB of 4.0 GiB", "1 large shop 0.5 25 % 2.0 GiB 50 %", "2 small shop", "Cost", "nodes 2 $48.00", "In all $1,258.50",
		"Certificates activated", "shop.example one 2026-08-16", "Names that went live", "1 shop.example", "Not rehearsed", "traffic",
		"own/chart", "Thing",
	} {
		place := strings.Index(main[last+1:], told)
		require.GreaterOrEqual(t, place, 0, "%q comes after what is above it, in %s", told, main)
		last += 1 + place
	}
}

func TestAFailedRehearsalTellsWhatThereIs(t *testing.T) {
	main := text(elements(t, write(t, failed()), "main")[0])
	require.Contains(t, main, "shop ✗ failed")
	require.Contains(t, main, "It ended in up .")
	require.Contains(t, main, "Failed create lke linode:index:Lke")
	require.Contains(t, main, "Under way at the end create web kubernetes:apps/v1:Deployment")
	require.Contains(t, main, "cluster own:lke:Cluster 1 resource, 4.0 s", "components are known, even if not what they wait for")
	require.Contains(t, main, "Not drawn: what waits for what is not known.")
	require.Equal(t, 2, strings.Count(main, "Not known: the rehearsal ended before."), "nodes and cost")

	empty := text(elements(t, write(t, Rehearsal{Stack: "shop"}), "main")[0])
	require.Contains(t, empty, "It ended before anything was done.")
	require.NotContains(t, empty, "%!")
}

func TestAPageOfThousandsOfResourcesIsNoBurden(t *testing.T) {
	page := write(t, thousands())
	require.Less(t, len(page), 5<<20)
	require.Equal(t, 2, strings.Count(page, "deployment-of-r4999 "), "among its component's, and on the time line")
}

// thousands is a rehearsal of 5,000 resources in a hundred components, some of which wait for others.
func thousands() Rehearsal {
	r := shop()
	up := &r.Operations[1]
	up.Took = time.Hour
	for i := range 5000 {
		urn, needs := fmt.Sprintf("r%d", i), fmt.Sprintf("r%d", max(i-41, 0))
		home := fmt.Sprintf("c%d", i%100)
		if i < 100 {
			r.Resources = append(r.Resources, Resource{URN: home, Type: "own:app:App", Name: home, Parent: "stack", Component: true})
		}
		r.Resources = append(r.Resources, Resource{
			URN: urn, Type: "kubernetes:apps/v1:Deployment", Name: "deployment-of-" + urn, Parent: home, Needs: []string{needs, home},
		})
		up.Steps = append(up.Steps, Step{URN: urn, Kind: "create", Begin: at(float64(i) / 2), End: at(float64(i)/2 + 9)})
	}
	return r
}

// BenchmarkPage writes the page of a rehearsal of 5,000 resources, and holds that against writing the same as JSON. Limit: 2 s.
func BenchmarkPage(b *testing.B) {
	r := thousands()
	var page, plain time.Duration
	for b.Loop() {
		begin := time.Now()
		write(b, r)
		page += time.Since(begin)
		begin = time.Now()
		require.NoError(b, json.NewEncoder(io.Discard).Encode(r))
		plain += time.Since(begin)
	}
	b.ReportMetric(page.Seconds()/float64(b.N), "s/page")
	b.ReportMetric(page.Seconds()/plain.Seconds(), "x-of-JSON")
}

func TestMoreComponentsThanAnybodyCouldReadAreListedOnly(t *testing.T) {
	r := shop()
	for i := range mostDrawn {
		name := fmt.Sprintf("component-%d", i)
		r.Resources = append(r.Resources, Resource{URN: name, Type: "own:app:App", Name: name, Component: true, Needs: []string{"lke"}})
	}
	page := write(t, r)
	require.Contains(t, page, "Not drawn: there are too many components for that.")
	require.NotContains(t, page, `class="graph"`)
	require.Contains(t, page, "<h4>component-119</h4>")
}
