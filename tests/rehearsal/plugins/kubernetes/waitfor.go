package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/theory/jsonpath"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// parseWaitFor reads the annotation pulumi.com/waitFor: condition=<type>[=<status>], jsonpath={<path>}[=<value>], or a JSON
// list of these, which must all be fulfilled. Paths are read by the library that the official provider reads them by, which
// follows RFC 9535 and not kubectl: {.status.a-b} is none. https://www.rfc-editor.org/rfc/rfc9535
func parseWaitFor(text string) ([]requirement, error) {
	expressions := []string{text}
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		if err := json.Unmarshal([]byte(text), &expressions); err != nil {
			return nil, fmt.Errorf("a JSON list of strings is wanted: %w", err)
		}
	}
	if len(expressions) == 0 {
		return nil, errors.New("at least one condition is wanted")
	}
	required := make([]requirement, len(expressions))
	for i, expression := range expressions {
		how, what, _ := strings.Cut(expression, "=")
		var err error
		switch how {
		case "condition":
			required[i], err = waitForCondition(what)
		case "jsonpath":
			required[i], err = waitForPath(what)
		default:
			err = fmt.Errorf("%q starts neither with condition= nor with jsonpath=", expression)
		}
		if err != nil {
			return nil, err
		}
	}
	return required, nil
}

func waitForCondition(text string) (requirement, error) {
	name, want, found := strings.Cut(text, "=")
	if !found {
		want = "True"
	}
	if name == "" || want == "" {
		return nil, fmt.Errorf("condition=%s: condition=<type> or condition=<type>=<status> is wanted", text)
	}
	return func(object *unstructured.Unstructured) (string, error) {
		condition := conditionOf(object, name)
		have, _ := condition["status"].(string)
		switch {
		case condition == nil:
			return fmt.Sprintf("it has no condition %s yet", name), nil
		case isStale(object, object.Object["status"]) || isStale(object, condition):
			return fmt.Sprintf("its condition %s is about an earlier generation", name), nil
		case !strings.EqualFold(have, want):
			return fmt.Sprintf("its condition %s is %s, not %s%s", name, have, want, reasonOf(condition)), nil
		}
		return "", nil
	}, nil
}

func waitForPath(text string) (requirement, error) {
	// A filter of a path may compare (==); the one sign of equality after the path says what is wanted there.
	parts := strings.Split(strings.ReplaceAll(text, "==", sameSign), "=")
	path, compare := strings.ReplaceAll(parts[0], sameSign, "=="), len(parts) == 2
	inner, isBraced := strings.CutPrefix(path, "{")
	inner, isClosed := strings.CutSuffix(inner, "}")
	if !isBraced || !isClosed || len(parts) > 2 || compare && parts[1] == "" {
		return nil, fmt.Errorf("jsonpath=%s: jsonpath={<path>} or jsonpath={<path>}=<value> is wanted", text)
	}
	parsed, err := jsonpath.Parse("$" + strings.TrimPrefix(strings.TrimSpace(inner), "$"))
	if err != nil {
		return nil, fmt.Errorf("jsonpath=%s: paths are those of RFC 9535, such as {.status['a-b']}: %w", text, err)
	}
	return func(object *unstructured.Unstructured) (string, error) {
		found := parsed.Select(object.Object)
		switch {
		case isStale(object, object.Object["status"]):
			return "its status is about an earlier generation", nil
		case len(found) == 0:
			return fmt.Sprintf("it has nothing at %s yet", path), nil
		case compare:
			return compareFound(path, found[0], strings.ReplaceAll(parts[1], sameSign, "=="))
		}
		return "", nil
	}, nil
}

// sameSign stands for == while a text is cut at =.
const sameSign = "\x00"

func compareFound(path string, found any, want string) (string, error) {
	switch found.(type) {
	case map[string]any, []any:
		return "", fmt.Errorf("what is at %s cannot be compared with %q", path, want)
	}
	if have := fmt.Sprint(found); have != want {
		return fmt.Sprintf("it has %s at %s, not %s", have, path, want), nil
	}
	return "", nil
}

// isStale tells whether a status, or one of its conditions, was written before the object last changed.
func isStale(object *unstructured.Unstructured, written any) bool {
	fields, _ := written.(map[string]any)
	observed, found := fields["observedGeneration"].(int64)
	return found && observed < object.GetGeneration()
}

// conditionOf returns a condition of an object's status by its type, nil where it has none.
func conditionOf(object *unstructured.Unstructured, name string) map[string]any {
	for _, condition := range conditions(object) {
		if condition["type"] == name {
			return condition
		}
	}
	return nil
}

func conditions(object *unstructured.Unstructured) []map[string]any {
	list, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	var conditions []map[string]any
	for _, element := range list {
		if condition, isMap := element.(map[string]any); isMap {
			conditions = append(conditions, condition)
		}
	}
	return conditions
}

// reasonOf quotes the reason and the message of a condition.
func reasonOf(condition map[string]any) string {
	text := ""
	for _, key := range []string{"reason", "message"} {
		if part, _ := condition[key].(string); part != "" {
			text += ": " + part
		}
	}
	return text
}
