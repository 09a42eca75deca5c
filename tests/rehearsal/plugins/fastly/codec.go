package fastly

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// values are the fields of an object of the API, as they are sent.
type values map[string]string

// An attribute is one field of a block, as its tags describe it.
type attribute struct {
	field   reflect.StructField
	name    string // of the Pulumi property
	api     string // of the API's field
	json    bool   // a list is sent as JSON, not as words
	initial *string
	allowed []string
	form    string // that a text must have
	open    string // the value that leaves the field to Fastly
}

// attributesOf returns the attributes of a block's type.
func attributesOf(t reflect.Type) []attribute {
	var all []attribute
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("pulumi"), ",")
		api, form, _ := strings.Cut(field.Tag.Get("api"), ",")
		a := attribute{field: field, name: name, api: firstOf(api, snake(name)), json: form == "json",
			allowed: strings.Fields(field.Tag.Get("values")), form: field.Tag.Get("form"), open: field.Tag.Get("open")}
		if initial, ok := field.Tag.Lookup("default"); ok {
			a.initial = &initial
		}
		all = append(all, a)
	}
	return all
}

// snake turns sslCaCert into ssl_ca_cert.
func snake(camel string) string {
	var b strings.Builder
	for _, r := range camel {
		if unicode.IsUpper(r) {
			b.WriteRune('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// annotate declares to infer the token of a block's type, and its defaults.
func annotate(a infer.Annotator, block any, token string) {
	a.SetToken(tokens.ModuleName("index/"+token), tokens.TypeName(token))
	annotateDefaults(a, block)
}

// annotateDefaults declares the default of each property of a struct.
func annotateDefaults(a infer.Annotator, block any) {
	v := reflect.ValueOf(block).Elem()
	for _, attribute := range attributesOf(v.Type()) {
		if attribute.initial != nil {
			initial := reflect.New(attribute.field.Type).Elem()
			attribute.set(initial, *attribute.initial)
			a.SetDefault(v.FieldByIndex(attribute.field.Index).Addr().Interface(), initial.Elem().Interface())
		}
	}
}

// encode returns a block as it is sent, without what the program leaves to Fastly.
func encode(block any) values {
	v := reflect.ValueOf(block)
	sent := values{}
	for _, a := range attributesOf(v.Type()) {
		if field := v.FieldByIndex(a.field.Index); field.Kind() == reflect.String || !field.IsNil() {
			if text := a.text(reflect.Indirect(field).Interface()); a.open == "" || text != a.open {
				sent[a.api] = text
			}
		}
	}
	return sent
}

// fault says what the official provider refuses of a text that is sent, "" where that is nothing.
func (a *attribute) fault(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "": // as is what is not known yet
		return ""
	case len(a.allowed) > 0 && !slices.Contains(a.allowed, text):
		return fmt.Sprintf("expected one of %s, not %q", strings.Join(a.allowed, ", "), text)
	case a.form == "trimmed" && text != strings.TrimSpace(text):
		return "must not contain trailing space characters"
	case a.form == "https" && (err != nil || u.Scheme != "https" || u.Host == ""):
		return fmt.Sprintf("expected a URL with https, not %q", text)
	}
	return ""
}

// text writes a value as a form has it; values of the API's answers, too, whether they come as text or typed.
func (a *attribute) text(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case bool:
		if value {
			return "1"
		}
		return "0"
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	case []any:
		words := make([]string, len(value))
		for i, word := range value {
			words[i] = fmt.Sprint(word)
		}
		return a.text(words)
	case []string:
		if !a.json {
			return strings.Join(value, " ")
		}
		sorted := slices.Sorted(slices.Values(value)) // such a list has no order
		encoded, _ := json.Marshal(sorted)            // text always encodes
		return string(encoded)
	default:
		return fmt.Sprint(value)
	}
}

// set gives a field the value that a text stands for; one that is empty makes it nil where that is possible.
func (a *attribute) set(field reflect.Value, text string) {
	switch t := field.Type(); {
	case t.Kind() == reflect.String:
		field.SetString(text)
	case t.Kind() == reflect.Slice:
		field.Set(reflect.ValueOf(a.list(text)))
	case text == "" && a.initial == nil, text == "" && t.Elem().Kind() != reflect.String:
		field.SetZero()
	default:
		field.Set(reflect.New(t.Elem()))
		switch e := field.Elem(); e.Kind() {
		case reflect.Bool:
			e.SetBool(text == "1" || text == "true")
		case reflect.Int:
			n, _ := strconv.Atoi(text) // the API's numbers are numbers
			e.SetInt(int64(n))
		default:
			e.SetString(text)
		}
	}
}

func (a *attribute) list(text string) []string {
	var list []string
	if a.json {
		_ = json.Unmarshal([]byte(text), &list) // the API's lists are lists
	} else {
		list = strings.Fields(text)
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

// decode returns the block that an object of the API is. What the program leaves to Fastly in prior stays so, and what is
// the same but for its writing stays as the program wrote it.
func decode[B any](object map[string]any, prior *B) B {
	var block B
	v := reflect.ValueOf(&block).Elem()
	for _, a := range attributesOf(v.Type()) {
		text, field := a.text(object[a.api]), v.FieldByIndex(a.field.Index)
		if prior == nil {
			a.set(field, text)
			continue
		}
		old := reflect.ValueOf(prior).Elem().FieldByIndex(a.field.Index)
		if a.unchanged(old, text) {
			field.Set(old)
		} else {
			a.set(field, text)
		}
	}
	return block
}

// unchanged says whether the API's answer is what the program declares, or what the program leaves to Fastly.
func (a *attribute) unchanged(declared reflect.Value, text string) bool {
	if declared.Kind() != reflect.String && declared.IsNil() {
		return a.initial == nil
	}
	written := a.text(reflect.Indirect(declared).Interface())
	return written == text || text == "" && isEmpty(declared) || a.open != "" && written == a.open
}

// isEmpty says whether a value is what Fastly answers null for: no text, zero, false or an empty list.
func isEmpty(v reflect.Value) bool {
	v = reflect.Indirect(v)
	return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}
