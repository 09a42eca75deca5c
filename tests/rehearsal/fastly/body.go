package fastly

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// decodeBody returns the fields of a request's body, which clients send as a form or as JSON. In a form, key[]=value
// adds to a list and key[part]=value to an object, as Fastly's rate limiters want it.
func decodeBody(r *http.Request) (map[string]any, error) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // none is as good as one that is not JSON
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, badRequest("the body ends early")
	}
	if strings.HasSuffix(mediaType, "json") {
		return decodeJSON(content)
	}
	values, err := url.ParseQuery(string(content))
	if err != nil {
		return nil, badRequest("the body is not a valid form")
	}
	return formFields(values), nil
}

func decodeJSON(content []byte) (map[string]any, error) {
	var fields map[string]any
	if len(content) == 0 {
		return fields, nil
	}
	if err := json.Unmarshal(content, &fields); err != nil {
		return nil, badRequest("the body is not a JSON object")
	}
	return fields, nil
}

func formFields(values url.Values) map[string]any {
	fields := map[string]any{}
	for key, list := range values {
		name, part, nested := strings.Cut(strings.TrimSuffix(key, "]"), "[")
		switch {
		case !nested:
			fields[name] = list[len(list)-1]
		case part == "":
			items := make([]any, len(list))
			for i, item := range list {
				items[i] = item
			}
			fields[name] = items
		default:
			object, _ := fields[name].(map[string]any)
			if object == nil {
				object = map[string]any{}
			}
			object[part] = list[len(list)-1]
			fields[name] = object
		}
	}
	return fields
}
