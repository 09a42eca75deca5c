package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// links names the components at both ends of each.
func links(pairs [][2]*component) (names []string) {
	for _, pair := range pairs {
		names = append(names, pair[0].Name+" → "+pair[1].Name)
	}
	return names
}

func TestComponentsHoldWhatIsInComponentsWithinThem(t *testing.T) {
	c := newComponents(shop())
	members := map[string][]string{}
	for _, one := range c.all {
		for _, resource := range one.Resources {
			members[one.Name] = append(members[one.Name], resource.Name)
		}
	}
	require.Equal(t, map[string][]string{
		"in no component": {"lke-shop", "name"}, "default providers": {"default"}, "cluster": {"lke"}, "shop": {"space", "web"},
	}, members)
}

func TestLinksThatFollowFromOthersAreLeftOut(t *testing.T) {
	c := newComponents(shop())
	require.ElementsMatch(t, []string{"default providers → cluster", "cluster → shop", "shop → in no component"}, links(c.reduced()))
	needs := map[string]int{}
	for _, one := range c.all {
		needs[one.Name] = len(one.Needs)
	}
	require.Equal(t, map[string]int{"in no component": 3, "default providers": 0, "cluster": 1, "shop": 1}, needs, "none is forgotten")
}

func TestLinksInACircleKeepEverythingTogether(t *testing.T) {
	r := shop()
	r.Resources[3].Needs = append(r.Resources[3].Needs, "web") // the cluster needs the shop
	c := newComponents(r)
	require.Subset(t, links(c.reduced()), []string{"cluster → shop", "shop → cluster", "default providers → cluster"})
	drawing, err := draw(c, r.CriticalPath)
	require.NoError(t, err)
	require.Len(t, drawing.Boxes, 4)
}

func TestTimeThatResourcesShareCountsOnce(t *testing.T) {
	r := shop()
	r.Operations[1].Steps = []Step{
		{URN: "web", Begin: at(2), End: at(5)}, {URN: "space", Begin: at(3), End: at(4)}, {URN: "shop", Begin: at(0), End: at(60)},
	}
	for _, one := range newComponents(r).all {
		if one.Name == "shop" {
			require.Equal(t, 3*time.Second, one.Busy)
		}
	}
}

func TestTheDrawingLeadsDownwardsAlongTheCriticalPath(t *testing.T) {
	r := shop()
	drawing, err := draw(newComponents(r), r.CriticalPath)
	require.NoError(t, err)
	top := map[string]float64{}
	for _, b := range drawing.Boxes {
		top[b.Name] = b.Y
		require.GreaterOrEqual(t, b.X, 0.)
		require.LessOrEqual(t, b.X+b.Width, drawing.Width)
		require.LessOrEqual(t, b.Y+b.Height, drawing.Height)
		require.Equal(t, b.Name != "default providers", b.Critical(), b.Name)
	}
	require.Less(t, top["default providers"], top["cluster"])
	require.Less(t, top["cluster"], top["shop"])
	require.Less(t, top["shop"], top["in no component"])
	require.Len(t, drawing.Arrows, 3)
	require.False(t, drawing.Arrows[0].Critical, "what is on the critical path lies above")
	require.True(t, drawing.Arrows[2].Critical)
	require.Regexp(t, `^M[\d.]+ [\d.]+C[\d. ]+$`, drawing.Arrows[0].Path)
}

// A link that follows from others stays where the critical path takes it.
func TestTheCriticalPathIsDrawnWhole(t *testing.T) {
	r := shop()
	r.CriticalPath = []string{"lke", "name"}
	drawing, err := draw(newComponents(r), r.CriticalPath)
	require.NoError(t, err)
	require.Len(t, drawing.Arrows, 4)
	require.True(t, drawing.Arrows[3].Critical)
}

func TestATimeLineShowsWhatOverlapsOnce(t *testing.T) {
	r := shop()
	r.Operations[1].Steps = append(r.Operations[1].Steps,
		Step{URN: "space", Begin: at(7), End: at(10)}, // overlaps with web
		Step{URN: "default", Begin: at(2), End: at(2)},
	)
	line := newTimeLine(r.Operations[1], newComponents(r))
	require.Equal(t, 1, line.Quick)
	require.Len(t, line.Rows, 3)
	shop := line.Rows[1]
	require.Equal(t, "shop", shop.Name)
	require.Equal(t, 4*time.Second, shop.Busy)
	require.Equal(t, []bar{{X: 40, Width: 40}, {X: 40, Width: 30, Critical: true}}, shop.Bars)
	var marks []string
	for _, tick := range line.Ticks {
		marks = append(marks, tick.Label)
	}
	require.Equal(t, []string{"0 s", "2 s", "4 s", "6 s", "8 s", "10 s"}, marks)
}

func TestAStepWhoseEndWasNotSeenLastsToTheEnd(t *testing.T) {
	r := failed()
	line := newTimeLine(r.Operations[1], newComponents(r))
	require.Equal(t, bar{X: 40, Width: 60}, line.Rows[1].Work[0].Bar)
	require.False(t, line.Rows[1].Work[0].Ended)
	require.True(t, line.Rows[0].Failed())
}

func TestGaugesAddUp(t *testing.T) {
	n := newNode(shop().Nodes[0])
	require.Equal(t, []part{{1, 0, 25}, {2, 25, 5}}, n.Gauges[0].Parts)
	require.EqualValues(t, 30, n.Gauges[0].Percent())
	require.Equal(t, "large", n.Pods[0].Name)
	over := Node{MilliCPUs: 100, Pods: []Pod{{MilliCPUs: 90}, {MilliCPUs: 90}}}
	require.Equal(t, []part{{1, 0, 90}, {2, 90, 10}}, newNode(over).Gauges[0].Parts, "no bar leaves its frame")
}
