package stacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// decode fills target with a value as encoding/json decodes it (numbers as json.Number), and returns everything that does
// not fit: unknown keys, wrong types, empty values. Libraries stop at the first such fault, or lose some of them.
func decode(path *field.Path, value any, target reflect.Value) field.ErrorList {
	if value == nil {
		return field.ErrorList{noValue(path)}
	}
	switch target.Kind() {
	case reflect.Pointer:
		target.Set(reflect.New(target.Type().Elem()))
		return decode(path, value, target.Elem())
	case reflect.Struct:
		return decodeStruct(path, value, target)
	case reflect.Slice:
		return decodeSlice(path, value, target)
	case reflect.Map:
		return decodeMap(path, value, target)
	case reflect.Int:
		if number, isNumber := value.(json.Number); isNumber {
			if whole, err := number.Int64(); err == nil {
				target.SetInt(whole)
				return nil
			}
		}
		return mismatch(path, value, "a whole number")
	case reflect.Float64:
		if number, isNumber := value.(json.Number); isNumber {
			if fraction, err := number.Float64(); err == nil {
				target.SetFloat(fraction)
				return nil
			}
		}
		return mismatch(path, value, "a number")
	case reflect.Bool:
		return decodeScalar[bool](path, value, target, "true or false")
	case reflect.Interface:
		converted, faults := freeForm(path, value)
		target.Set(reflect.ValueOf(converted))
		return faults
	case reflect.String:
		return decodeScalar[string](path, value, target, "text; put it in quotes")
	default:
		return field.ErrorList{field.InternalError(path, fmt.Errorf("configuration of kind %s", target.Kind()))}
	}
}

// defaulter is an entry of a list, or a part that a stack can do without, which has defaults of its own.
type defaulter interface{ Default() }

// part is what a section can do without.
type part interface{ SwitchOff() }

func decodeStruct(path *field.Path, value any, target reflect.Value) field.ErrorList {
	if part, can := target.Addr().Interface().(part); can && value == off {
		part.SwitchOff()
		return nil
	}
	entries, isMap := value.(map[string]any)
	if !isMap {
		return mismatch(path, value, "an object")
	}
	if known, has := target.Addr().Interface().(defaulter); has {
		known.Default()
	}
	fields := fieldsByKey(target)
	var faults field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		known, ok := fields[key]
		if !ok {
			faults = append(faults, unknownKey(path.Child(key), slices.Collect(maps.Keys(fields))))
			continue
		}
		faults = append(faults, decode(path.Child(key), entries[key], known)...)
	}
	return faults
}

// fieldsByKey returns the fields of a struct that configuration can set, and those of what is embedded in it.
func fieldsByKey(target reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range target.NumField() {
		if target.Type().Field(i).Anonymous {
			maps.Copy(fields, fieldsByKey(target.Field(i)))
		} else if key := target.Type().Field(i).Tag.Get("json"); key != "" && key != "-" {
			fields[key] = target.Field(i)
		}
	}
	return fields
}

func decodeSlice(path *field.Path, value any, target reflect.Value) field.ErrorList {
	items, isList := value.([]any)
	if !isList {
		return mismatch(path, value, "a list")
	}
	target.Set(reflect.MakeSlice(target.Type(), len(items), len(items)))
	var faults field.ErrorList
	for i, item := range items {
		faults = append(faults, decode(path.Index(i), item, target.Index(i))...)
	}
	return faults
}

func decodeMap(path *field.Path, value any, target reflect.Value) field.ErrorList {
	entries, isMap := value.(map[string]any)
	if !isMap {
		return mismatch(path, value, "an object")
	}
	target.Set(reflect.MakeMap(target.Type()))
	var faults field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		item := reflect.New(target.Type().Elem()).Elem()
		faults = append(faults, decode(path.Key(key), entries[key], item)...)
		target.SetMapIndex(reflect.ValueOf(key), item)
	}
	return faults
}

func decodeScalar[T any](path *field.Path, value any, target reflect.Value, wanted string) field.ErrorList {
	scalar, ok := value.(T)
	if !ok {
		return mismatch(path, value, wanted)
	}
	target.Set(reflect.ValueOf(scalar))
	return nil
}

// freeForm returns a value of which only its user knows the form, such as a chart's, with ordinary numbers. A null in it, by
// which Helm would drop a default, is refused: Pulumi's SDK leaves nulls out, and nothing would come of it.
func freeForm(path *field.Path, value any) (any, field.ErrorList) {
	var faults field.ErrorList
	switch value := value.(type) {
	case nil:
		faults = append(faults, field.Required(path, "null does not reach the chart; give the key another value of its type, "+
			"for instance {} or false, or leave it out"))
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			converted, inside := freeForm(path.Key(key), value[key])
			value[key], faults = converted, append(faults, inside...)
		}
	case []any:
		for i, item := range value {
			converted, inside := freeForm(path.Index(i), item)
			value[i], faults = converted, append(faults, inside...)
		}
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return int(whole), nil
		}
		if fraction, err := value.Float64(); err == nil {
			return fraction, nil
		}
	}
	return value, faults
}

func noValue(path *field.Path) *field.Error {
	return field.Required(path, "has no value; leave the key out to get its default")
}

func mismatch(path *field.Path, found any, wanted string) field.ErrorList {
	if number, isNumber := found.(json.Number); isNumber {
		found = field.OmitValueType{}
		wanted += fmt.Sprintf(", not the number %s", number)
	}
	return field.ErrorList{field.TypeInvalid(path, found, "must be "+wanted)}
}

func unknownKey(path *field.Path, known []string) *field.Error {
	slices.Sort(known)
	return field.Forbidden(path, "unknown key; known are: "+strings.Join(known, ", "))
}
