package linode

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// document is an object as JSON has it.
type document = map[string]any

// row is an item of a list and its fields, by which it is filtered and ordered.
type row struct {
	item   any
	fields document
}

// filtered applies an X-Filter to the items: https://techdocs.akamai.com/linode-api/reference/filtering-and-sorting
// Linode allows some fields of each kind of object; here all can be filtered on.
func filtered(items []any, header string) ([]any, error) {
	if header == "" {
		return items, nil
	}
	var filter document
	if err := json.Unmarshal([]byte(header), &filter); err != nil {
		return nil, badFilter("Invalid JSON")
	}
	rows, err := rowsOf(items)
	if err != nil {
		return nil, err
	}
	if err := checkFilter(filter, rows); err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r row) bool { return !matches(r.fields, filter) })
	order(rows, filter)
	kept := make([]any, len(rows))
	for i, r := range rows {
		kept[i] = r.item
	}
	return kept, nil
}

func rowsOf(items []any) ([]row, error) {
	rows := make([]row, len(items))
	for i, item := range items {
		content, err := json.Marshal(item)
		if err != nil {
			return nil, fmt.Errorf("filtering: %w", err)
		}
		rows[i].item = item
		if err := json.Unmarshal(content, &rows[i].fields); err != nil {
			return nil, fmt.Errorf("filtering: %w", err)
		}
	}
	return rows, nil
}

// checkFilter refuses operators that do not exist and fields that no row has.
func checkFilter(filter document, rows []row) error {
	for key, want := range filter {
		switch {
		case key == "+and" || key == "+or":
			for _, part := range parts(want) {
				if err := checkFilter(part, rows); err != nil {
					return err
				}
			}
		case key == "+order":
		case key == "+order_by":
			if err := checkField(fmt.Sprint(want), rows); err != nil {
				return err
			}
		case strings.HasPrefix(key, "+"):
			return badFilter("Unknown operator %s", key)
		default:
			if err := checkField(key, rows); err != nil {
				return err
			}
			for operator := range comparisons(want) {
				if operators[operator] == nil {
					return badFilter("Unknown operator %s", operator)
				}
			}
		}
	}
	return nil
}

func checkField(field string, rows []row) error {
	has := func(r row) bool { _, ok := lookup(r.fields, field); return ok }
	if len(rows) > 0 && !slices.ContainsFunc(rows, has) {
		return badFilter("Cannot filter on %s", field)
	}
	return nil
}

func badFilter(reason string, args ...any) error {
	return refuse(http.StatusBadRequest, "X-Filter", reason, args...)
}

// operators compare the value of a field with the operand of the filter.
var operators = map[string]func(value, operand any) bool{
	"+eq":       func(v, o any) bool { return v == o },
	"+neq":      func(v, o any) bool { return v != o },
	"+gt":       func(v, o any) bool { return sameKind(v, o) && compare(v, o) > 0 },
	"+gte":      func(v, o any) bool { return sameKind(v, o) && compare(v, o) >= 0 },
	"+lt":       func(v, o any) bool { return sameKind(v, o) && compare(v, o) < 0 },
	"+lte":      func(v, o any) bool { return sameKind(v, o) && compare(v, o) <= 0 },
	"+contains": func(v, o any) bool { return strings.Contains(fmt.Sprint(v), fmt.Sprint(o)) },
}

func matches(fields, filter document) bool {
	for key, want := range filter {
		if !holds(fields, key, want) {
			return false
		}
	}
	return true
}

// holds tells whether one condition of a filter is met.
func holds(fields document, key string, want any) bool {
	met := func(part document) bool { return matches(fields, part) }
	switch key {
	case "+order", "+order_by":
		return true
	case "+and":
		return !slices.ContainsFunc(parts(want), func(part document) bool { return !met(part) })
	case "+or":
		return slices.ContainsFunc(parts(want), met)
	}
	value, _ := lookup(fields, key)
	for operator, operand := range comparisons(want) {
		if !compared(value, operators[operator], operand) {
			return false
		}
	}
	return true
}

// compared tests a value; of a list, such as tags, one element is enough.
func compared(value any, operator func(value, operand any) bool, operand any) bool {
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, func(element any) bool { return operator(element, operand) })
	}
	return operator(value, operand)
}

// parts are the conditions under +and and +or.
func parts(want any) []document {
	list, _ := want.([]any)
	result := make([]document, 0, len(list))
	for _, part := range list {
		if d, ok := part.(document); ok {
			result = append(result, d)
		}
	}
	return result
}

// comparisons are the operators and operands of a condition; a plain value is to be equal.
func comparisons(want any) document {
	if d, ok := want.(document); ok {
		return d
	}
	return document{"+eq": want}
}

// lookup finds a field by its name, with dots between the levels.
func lookup(fields document, name string) (any, bool) {
	head, rest, nested := strings.Cut(name, ".")
	value, ok := fields[head]
	if !nested {
		return value, ok
	}
	inner, _ := value.(document)
	return lookup(inner, rest)
}

// order sorts by +order_by, in the direction of +order: asc, the default, or desc.
func order(rows []row, filter document) {
	field, ok := filter["+order_by"].(string)
	if !ok {
		return
	}
	direction := 1
	if filter["+order"] == "desc" {
		direction = -1
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		left, _ := lookup(a.fields, field)
		right, _ := lookup(b.fields, field)
		return direction * compare(left, right)
	})
}

// sameKind tells whether both values are numbers or both are texts.
func sameKind(a, b any) bool { return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b) }

func compare(a, b any) int {
	x, isNumber := a.(float64)
	y, alsoNumber := b.(float64)
	if isNumber && alsoNumber {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
}
