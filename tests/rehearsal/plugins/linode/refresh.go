package linode

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// drifted gives the inputs after a refresh, or an import: those that are in the API as the last write left them stay as
// they are declared, though the API may write them in another way, the others become what they are now.
func drifted[T any](declared, before, now T) T {
	result, old, actual := reflect.ValueOf(&declared).Elem(), reflect.ValueOf(before), reflect.ValueOf(now)
	for i := range result.NumField() {
		if !reflect.DeepEqual(old.Field(i).Interface(), actual.Field(i).Interface()) {
			result.Field(i).Set(actual.Field(i))
		}
	}
	return declared
}

// ifDeclared is what a property has become, nil where nobody declares it.
func ifDeclared[T any](declared, now *T) *T {
	if declared == nil {
		return nil
	}
	return now
}

// foreseen gives the settings that the preview of an update shows: those that are declared, else as they were.
func foreseen[T any](declared, before T) T {
	result, input := reflect.ValueOf(&before).Elem(), reflect.ValueOf(declared)
	for i := range result.NumField() {
		if !input.Field(i).IsZero() {
			result.Field(i).Set(input.Field(i))
		}
	}
	return before
}

// stay tells previews of updates that outputs stay as they are. Without it all would be unknown, and so would be all
// that is made of them.
func stay(f infer.FieldSelector, exists bool, outputs ...any) {
	if !exists {
		return
	}
	for _, output := range outputs {
		f.OutputField(output).AlwaysKnown()
	}
}

// number reads an ID; kind is what it is the ID of, for instance "a domain".
func number(id, kind string) (int, error) {
	result, err := strconv.Atoi(id)
	if err != nil {
		return 0, fmt.Errorf("%q is no ID of %s", id, kind)
	}
	return result, nil
}

// some is nil for a zero value.
func some[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

// filled is nil for an empty list.
func filled[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// value is what a pointer points to, the zero value when it is nil.
func value[T any](pointer *T) T {
	if pointer == nil {
		var zero T
		return zero
	}
	return *pointer
}
