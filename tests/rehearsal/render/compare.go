package main

import (
	"errors"
	"maps"
	"reflect"
	"slices"

	"lke-platform/cmd/report/rendered"
)

// compare finds the releases that make something else, or whose chart is another.
func compare(before, after *graph) (*rendered.Comparison, error) {
	found := &rendered.Comparison{}
	if before.kubernetes == after.kubernetes && reflect.DeepEqual(before.releases, after.releases) {
		return found, nil
	}
	// What one chart defines, another may ask for: the first time shows what there is.
	first, _ := before.render(nil)
	second, _ := after.render(nil)
	defined := slices.Concat(kinds(first), kinds(second))
	was, lackedBefore := before.render(defined)
	is, lacked := after.render(defined)
	names := maps.Clone(before.releases)
	maps.Copy(names, after.releases)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, current := before.releases[name], after.releases[name]
		if before.kubernetes == after.kubernetes && reflect.DeepEqual(old, current) {
			continue
		}
		r := &rendered.Release{Name: name, Before: old.chart(), After: current.chart()}
		if lacks := errors.Join(lackedBefore[name], lacked[name]); lacks != nil {
			r.Lacks = lacks.Error()
		} else if err := compareObjects(r, was[name], is[name]); err != nil {
			return nil, err
		}
		if r.Before != r.After || differs(r) {
			found.Releases = append(found.Releases, r)
		}
	}
	return found, nil
}

func differs(r *rendered.Release) bool {
	return r.Lacks != "" || len(r.Added)+len(r.Removed)+len(r.Changed)+len(r.Definitions) > 0
}

func compareObjects(r *rendered.Release, before, after map[string]object) error {
	all := maps.Clone(after)
	if all == nil { // the release goes
		all = map[string]object{}
	}
	maps.Copy(all, before)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var was, is string
		var err error
		if before[name] != nil {
			was, err = before[name].text()
		}
		if after[name] != nil && err == nil {
			is, err = after[name].text()
		}
		switch {
		case err != nil:
			return err
		case was == is:
		case all[name]["kind"] == definitionKind:
			r.Definitions = append(r.Definitions, rendered.Definition{
				Name: name[len(definitionKind)+1:], Before: before[name].served(), After: after[name].served(),
			})
		case was == "":
			r.Added = append(r.Added, name)
		case is == "":
			r.Removed = append(r.Removed, name)
		default:
			r.Changed = append(r.Changed, rendered.Object{Name: name, Before: was, After: is})
		}
	}
	return nil
}
