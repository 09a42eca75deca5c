package fastly

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// An object is what the API answers for one thing, by the names of the API.
type object map[string]any

// text returns a field that is text, "" where it is missing or null.
func (o object) text(name string) string {
	value, _ := o[name].(string)
	return value
}

type fieldType int

const (
	isText   fieldType = iota
	isDigits           // a number that answers have as text, as Fastly's older objects do
	isNumber
	isFlag
	isList
	isSet // a list whose order means nothing, which answers have sorted
	isObject
)

// A field is one property of a kind of object: its type in answers, and its value until a client sets it.
type field struct {
	is      fieldType
	initial any
	refills bool // empty text, too, becomes the initial value
	empties bool // empty text becomes null
	signed  bool // a number may be negative
	most    int  // the highest number, 0 where there is none
	allowed []string
	parts   fields // of an object
}

type fields map[string]field

func text(initial string) field     { return field{is: isText, initial: initial} }
func refilled(initial string) field { return field{is: isText, initial: initial, refills: true} }
func number(initial int) field      { return field{is: isNumber, initial: initial} }
func digits(initial string) field   { return field{is: isDigits, initial: initial} }
func flag(initial bool) field       { return field{is: isFlag, initial: initial} }

// oneOf makes a field for text that must be one of some words, null until it is set.
func oneOf(words string) field { return field{is: isText}.oneOf(words) }

func (f field) oneOf(words string) field  { f.allowed = strings.Fields(words); return f }
func (f field) initially(value any) field { f.initial = value; return f }
func (f field) upTo(most int) field       { f.most = most; return f }

// Fields that are null until they are set.
var (
	anyNumber = field{is: isNumber}
	anyDigits = field{is: isDigits}
	anyFlag   = field{is: isFlag}
	emptied   = field{is: isText, empties: true} // and again where it is set to nothing
)

// priority orders objects; a negative one comes first.
var priority = field{is: isDigits, initial: "100", signed: true}

// texts makes fields of the names in a space-separated list that are null until they are set.
func texts(names string) fields {
	f := fields{}
	for _, name := range strings.Fields(names) {
		f[name] = field{is: isText}
	}
	return f
}

// merge returns all fields of several sets; the last to define a field wins.
func merge(sets ...fields) fields {
	all := fields{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}

// initial returns an object with the initial value of every field.
func (f fields) initial() object {
	o := object{}
	for name, field := range f {
		o[name] = field.initial
	}
	return o
}

// create returns an object with the values of a request's body, and the initial ones of all other fields.
func (f fields) create(body map[string]any) (object, error) {
	sent, err := f.read(body)
	if err != nil {
		return nil, err
	}
	o := f.initial()
	maps.Copy(o, sent)
	return o, nil
}

// read returns those values of a request's body that are fields, in the types of answers. What is no field is ignored,
// as Fastly does: its own clients send such.
func (f fields) read(body map[string]any) (object, error) {
	o := object{}
	for name, field := range f {
		raw, sent := body[name]
		if !sent {
			continue
		}
		value, err := field.convert(raw)
		if err != nil {
			return nil, badRequest("'%s' %s", name, err)
		}
		o[name] = value
	}
	return o, nil
}

// convert returns what a client sent, in the type of answers.
func (f field) convert(raw any) (any, error) {
	if raw == nil {
		return f.initial, nil
	}
	if value := plain(raw); len(f.allowed) > 0 && value != "" && !slices.Contains(f.allowed, value) {
		return nil, fmt.Errorf("must be one of %s, not '%s'", strings.Join(f.allowed, ", "), value)
	}
	switch f.is {
	case isNumber:
		return f.convertNumber(raw)
	case isDigits:
		if _, err := f.convertNumber(raw); err != nil || plain(raw) == "" {
			return f.initial, err
		}
		return plain(raw), nil
	case isFlag:
		return f.convertFlag(raw)
	case isList:
		return convertList(raw)
	case isSet:
		return convertSet(raw)
	case isObject:
		parts, ok := raw.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("must be an object")
		}
		return f.parts.read(parts)
	default:
		value := plain(raw)
		switch {
		case value == "" && f.refills:
			return f.initial, nil
		case value == "" && f.empties:
			return nil, nil
		}
		return value, nil
	}
}

func (f field) convertNumber(raw any) (any, error) {
	value := plain(raw)
	if value == "" {
		return f.initial, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return nil, fmt.Errorf("must be a whole number")
	}
	if n < 0 && !f.signed || f.most > 0 && n > f.most {
		return nil, fmt.Errorf("is out of range: %d", n)
	}
	return n, nil
}

func (f field) convertFlag(raw any) (any, error) {
	value := plain(raw)
	if value == "" {
		return f.initial, nil
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		return nil, fmt.Errorf("must be true or false")
	}
	return on, nil
}

// convertList takes a list that comes as JSON, in a form too.
func convertList(raw any) ([]any, error) {
	if encoded, ok := raw.(string); ok && encoded != "" {
		var items []any
		if err := json.Unmarshal([]byte(encoded), &items); err != nil {
			return nil, fmt.Errorf("must be a list")
		}
		raw = items
	}
	items, _ := raw.([]any)
	return slices.Clone(items), nil
}

func convertSet(raw any) (any, error) {
	list, err := convertList(raw)
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(plain(a), plain(b)) })
	return list, err
}

// plain writes a value of a form or of JSON as Fastly's older, text-only objects have it.
func plain(raw any) string {
	switch value := raw.(type) {
	case string:
		return value
	case bool:
		if value {
			return "1"
		}
		return "0"
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	default:
		return fmt.Sprint(value)
	}
}
