package linode

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Filter narrows what a function lists.
type Filter struct {
	MatchBy *string  `pulumi:"matchBy,optional"` // exact (the default), substring or regex
	Name    string   `pulumi:"name"`             // of a field of the API, such as site_type
	Values  []string `pulumi:"values"`           // of which one is enough
}

// filtered keeps the items that match all filters. Of a list, such as capabilities, one element is enough.
func filtered[T any](items []T, filters []Filter) ([]T, error) {
	var kept []T
	for _, item := range items {
		ok, err := matchesAll(item, filters)
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

func matchesAll(item any, filters []Filter) (bool, error) {
	content, err := json.Marshal(item)
	if err != nil {
		return false, fmt.Errorf("filtering: %w", err)
	}
	var fields map[string]any
	if err := json.Unmarshal(content, &fields); err != nil {
		return false, fmt.Errorf("filtering: %w", err)
	}
	for _, filter := range filters {
		value, ok := fields[filter.Name]
		if !ok {
			return false, fmt.Errorf("filter: there is no field %s", filter.Name)
		}
		values, isList := value.([]any)
		if !isList {
			values = []any{value}
		}
		if ok, err := filter.matchesOne(values); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (f Filter) matchesOne(values []any) (bool, error) {
	match, err := f.matcher()
	if err != nil {
		return false, err
	}
	for _, value := range values {
		text := fmt.Sprint(value)
		if slices.ContainsFunc(f.Values, func(wanted string) bool { return match(text, wanted) }) {
			return true, nil
		}
	}
	return false, nil
}

func (f Filter) matcher() (func(text, wanted string) bool, error) {
	by := "exact"
	if f.MatchBy != nil {
		by = strings.ToLower(*f.MatchBy)
	}
	switch by {
	case "exact":
		return func(text, wanted string) bool { return text == wanted }, nil
	case "substring", "sub":
		return strings.Contains, nil
	case "regex", "re":
		for _, expression := range f.Values {
			if _, err := regexp.Compile(expression); err != nil {
				return nil, fmt.Errorf("filter %s: %w", f.Name, err)
			}
		}
		return func(text, wanted string) bool { return regexp.MustCompile(wanted).MatchString(text) }, nil
	}
	return nil, fmt.Errorf("filter %s: matchBy %s is not exact, substring or regex", f.Name, by)
}

// orderFilter is the X-Filter that orders a list.
func orderFilter(by, direction *string) (string, error) {
	if by == nil {
		return "", nil
	}
	filter := map[string]string{"+order_by": *by, "+order": "asc"}
	if direction != nil {
		filter["+order"] = *direction
	}
	content, err := json.Marshal(filter)
	return string(content), err
}
