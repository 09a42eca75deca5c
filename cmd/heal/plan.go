package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"

	"lke-platform/internal/cloud"
)

// plan is what there is to do.
type plan struct {
	notes   []string
	found   []*resource // with the IDs that they have in the cloud
	useless []string    // paths of Linode's API
	cleared int         // operations that are pending
}

func (p *plan) isEmpty() bool { return len(p.found)+len(p.useless)+p.cleared == 0 }

func (p *plan) note(format string, values ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, values...))
}

// plan looks for what was being made when a run was killed, and for what the program would make. Of the latter a run does not
// know that it is there already when the answer got lost that said so.
func (h *healing) plan(ctx context.Context, state *state) (*plan, error) {
	p := &plan{cleared: len(state.creating)}
	missing, err := toCreate(ctx, h.stack, h.options)
	if err != nil {
		p.note("what the program would make cannot all be told, so only what was being made is looked for: %s", lastLine(err))
	}
	all, seen := slices.Concat(state.creating, missing), sets.New[string]()
	for i, wanted := range all {
		pending := i < len(state.creating)
		if seen.Has(wanted.URN) {
			continue
		}
		seen.Insert(wanted.URN)
		if err := h.look(ctx, state, p, wanted, pending); err != nil {
			return nil, err
		}
	}
	for kind, root := range secretsOf {
		if err := h.lookForSecrets(ctx, state, p, kind, root, slices.Concat(all, state.resources)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// look asks a cloud whether it has something that the state does not know of.
func (h *healing) look(ctx context.Context, state *state, p *plan, wanted *resource, pending bool) error {
	find, known := finders[wanted.Type]
	if !known {
		if pending {
			p.takeUnseen(state, wanted)
		}
		return nil
	}
	all, err := find(ctx, h.clouds, wanted)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", wanted.name(), err)
	}
	ids := sets.New(all...).Difference(state.ids(wanted.Type))
	left := sets.List(ids)
	switch {
	case len(left) == 0:
		if pending {
			p.note("%s was being made and is not there; the next run makes it", wanted.name())
		}
		return nil
	case !state.accepts(wanted):
		p.note("%s is there as %s, but the state does not have what it belongs to; run make up, and this again", wanted.name(),
			strings.Join(left, " and "))
		return nil
	}
	if state.has(wanted.URN) {
		p.note("%s was to be replaced, and the new one is there as %s; it is taken into the state, and the next run deletes the "+
			"old one", wanted.name(), left[0])
	} else {
		p.note("%s is there as %s, and is taken into the state", wanted.name(), left[0])
	}
	for _, id := range left[1:] {
		p.note("%s is there once more, as %s: delete that by hand", wanted.name(), id)
	}
	wanted.ID = left[0]
	p.found = append(p.found, wanted)
	return nil
}

// takeUnseen takes in an object inside the cluster, which only the next run can look at. What is none, that run goes on with.
func (p *plan) takeUnseen(state *state, wanted *resource) {
	id, isObject := wanted.objectID()
	if !isObject || state.has(wanted.URN) || !state.accepts(wanted) {
		p.note("%s was being made; the next run makes it, or goes on with it", wanted.name())
		return
	}
	p.note("%s was being made, and is taken into the state; the next run makes it if the cluster does not have it",
		wanted.name())
	wanted.ID = id
	p.found = append(p.found, wanted)
}

// secretsOf is where Linode lists what tells its secret only once, by its type.
var secretsOf = map[string]string{
	"linode:index/objectStorageKey:ObjectStorageKey": "/object-storage/keys",
	"linode:index/token:Token":                       "/profile/tokens",
}

// lookForSecrets finds those that are called like one of the stack's and are in no state: nobody can ever know their secrets.
func (h *healing) lookForSecrets(ctx context.Context, state *state, p *plan, kind, root string, ours []*resource) error {
	labels := sets.New[string]()
	for _, one := range ours {
		if label := one.input("label"); one.Type == kind && label != "" {
			labels.Insert(label)
		}
	}
	if len(labels) == 0 {
		return nil
	}
	there, err := cloud.Listed[struct {
		ID    int    `json:"id"`
		Label string `json:"label"`
	}](ctx, h.clouds.linode, root)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", strings.TrimPrefix(root, "/"), err)
	}
	known := state.ids(kind)
	for _, one := range there {
		if id := fmt.Sprint(one.ID); labels.Has(one.Label) && !known.Has(id) {
			p.note("%s has %s, called %s, whose secret nobody knows; it is deleted, and the next run makes another", root, id,
				one.Label)
			p.useless = append(p.useless, root+"/"+id)
		}
	}
	return nil
}

// lastLine is where programs say why they failed.
func lastLine(err error) string {
	text := strings.TrimSpace(err.Error())
	return text[strings.LastIndex(text, "\n")+1:]
}
