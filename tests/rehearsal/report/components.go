package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// component is a component of the stack with all resources in it, those of components within it too.
type component struct {
	Number    int // counts from 1
	Name      string
	Type      string
	Resources []*member
	Needs     []*component // direct ones, by number
	NeededBy  []*component
	// Busy is how long `up` worked on it, on whatever number of resources at a time.
	Busy time.Duration
	// Places are those of its resources on the critical path, counted from 1.
	Places []int
}

// Critical says whether the critical path leads through it.
func (c *component) Critical() bool { return len(c.Places) > 0 }

func (c *component) Kind() string { return kindOf(c.Type) }

// member is a resource in a component.
type member struct {
	Resource
	Step  *Step // of `up`, if there was one
	Place int   // on the critical path, counted from 1
}

func (m *member) began() (at time.Time) {
	if m.Step != nil {
		at = m.Step.Begin
	}
	return at
}

// Took is zero where nothing was done, or where the end was not seen.
func (m *member) Took() time.Duration {
	if m.Step == nil {
		return 0
	}
	return m.Step.Took()
}

// Took is zero where the end was not seen.
func (s *Step) Took() time.Duration {
	if s.End.IsZero() {
		return 0
	}
	return s.End.Sub(s.Begin)
}

const (
	stackType    = "pulumi:pulumi:Stack" // of what is around all components
	providerType = "pulumi:providers:"   // how the types of providers begin
)

// components groups the resources by the outermost component that each is in, the stack itself for those that are in none.
type components struct {
	all     []*component
	members map[string]*member    // by URN
	of      map[string]*component // by the URN of a resource
}

func newComponents(r Rehearsal) *components {
	c := &components{members: map[string]*member{}, of: map[string]*component{}}
	for _, resource := range r.Resources {
		c.members[resource.URN] = &member{Resource: resource}
	}
	c.gather(r)
	steps := map[string]*Step{}
	for i := range r.Operations {
		if r.Operations[i].Name != Up {
			continue
		}
		for j := range r.Operations[i].Steps {
			steps[r.Operations[i].Steps[j].URN] = &r.Operations[i].Steps[j]
		}
	}
	for urn, one := range c.members {
		one.Step = steps[urn]
	}
	for _, one := range c.all {
		slices.SortStableFunc(one.Resources, func(a, b *member) int { return a.began().Compare(b.began()) })
		one.Busy = one.busy()
	}
	for i, urn := range r.CriticalPath {
		if one := c.members[urn]; one != nil {
			one.Place = i + 1
			c.of[urn].Places = append(c.of[urn].Places, i+1)
		}
	}
	c.link()
	return c
}

// gather makes the components, in the order in which they are in the state: what is needed comes first there.
func (c *components) gather(r Rehearsal) {
	byRoot := map[string]*component{}
	for _, resource := range r.Resources {
		root := c.outermost(resource)
		home := byRoot[root.URN]
		if home == nil {
			home = &component{Number: len(c.all) + 1, Name: root.Name, Type: root.Type}
			byRoot[root.URN] = home
			c.all = append(c.all, home)
		}
		c.of[resource.URN] = home
		if resource.URN != root.URN {
			home.Resources = append(home.Resources, c.members[resource.URN])
		}
	}
}

// outermost is the outermost component around a resource, below the stack. What is in none is shown as the stack's own, and the
// providers beside it, which the engine makes by itself before all else.
func (c *components) outermost(resource Resource) Resource {
	found := Resource{URN: stackType, Name: "in no component", Type: "Stack"}
	if strings.HasPrefix(resource.Type, providerType) {
		found = Resource{URN: providerType, Name: "default providers", Type: "Providers"}
	}
	for seen := map[string]bool{}; !seen[resource.URN]; {
		seen[resource.URN] = true
		if resource.Component && resource.Type != stackType {
			found = resource
		}
		if parent := c.members[resource.Parent]; parent != nil {
			resource = parent.Resource
		}
	}
	return found
}

// busy adds up the stretches of time in which something of the component was worked on.
func (c *component) busy() (total time.Duration) {
	var steps []*Step
	for _, one := range c.Resources {
		if one.Took() > 0 {
			steps = append(steps, one.Step)
		}
	}
	slices.SortFunc(steps, func(a, b *Step) int { return a.Begin.Compare(b.Begin) })
	var until time.Time
	for _, step := range steps {
		if from := latest(step.Begin, until); step.End.After(from) {
			total += step.End.Sub(from)
			until = step.End
		}
	}
	return total
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// link says which component needs which. That all are parts of the stack says nothing about their order.
func (c *components) link() {
	needs := map[*component]map[*component]bool{}
	for urn, one := range c.members {
		from := c.of[urn]
		for _, need := range one.Needs {
			if to := c.of[need]; to != nil && to != from && c.members[need].Type != stackType {
				if needs[from] == nil {
					needs[from] = map[*component]bool{}
				}
				needs[from][to] = true
			}
		}
	}
	byNumber := func(a, b *component) int { return cmp.Compare(a.Number, b.Number) }
	for _, one := range c.all {
		one.Needs = slices.SortedFunc(maps.Keys(needs[one]), byNumber)
		for _, need := range one.Needs {
			need.NeededBy = append(need.NeededBy, one)
		}
	}
}

// reduced are the links that do not follow from others, as pairs of what is needed and what needs it.
func (c *components) reduced() [][2]*component {
	left := map[*component]map[*component]bool{}
	for _, one := range c.all {
		left[one] = map[*component]bool{}
		for _, need := range one.Needs {
			left[one][need] = true
		}
	}
	var links [][2]*component
	for _, one := range c.all {
		for _, need := range one.Needs {
			delete(left[one], need)
			if !reaches(left, one, need) {
				left[one][need] = true
				links = append(links, [2]*component{need, one})
			}
		}
	}
	return links
}

// reaches says whether one component needs another, be it through others.
func reaches(needs map[*component]map[*component]bool, from, to *component) bool {
	seen := map[*component]bool{}
	var visit func(one *component) bool
	visit = func(one *component) bool {
		if one == to {
			return true
		}
		if seen[one] {
			return false
		}
		seen[one] = true
		for need := range needs[one] {
			if visit(need) {
				return true
			}
		}
		return false
	}
	return visit(from)
}

// handOvers are the pairs of components between which the critical path leads.
func (c *components) handOvers(path []string) map[[2]*component]bool {
	pairs := map[[2]*component]bool{}
	for i := 1; i < len(path); i++ {
		from, to := c.of[path[i-1]], c.of[path[i]]
		if from != nil && to != nil && from != to {
			pairs[[2]*component{from, to}] = true
		}
	}
	return pairs
}
