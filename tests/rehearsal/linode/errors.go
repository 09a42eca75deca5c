package linode

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// apiError is an error as the API tells it: https://techdocs.akamai.com/linode-api/reference/errors
type apiError struct {
	status int
	Errors []fault `json:"errors"`
}

// fault is one thing that is wrong with a request.
type fault struct {
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
}

func (e *apiError) Error() string {
	reasons := make([]string, len(e.Errors))
	for i, f := range e.Errors {
		reasons[i] = strings.TrimSpace(f.Field + " " + f.Reason)
	}
	return strings.Join(reasons, "; ")
}

var (
	errInvalidToken = refuse(http.StatusUnauthorized, "", "Invalid Token")
	errNotFound     = refuse(http.StatusNotFound, "", "Not found")
)

// refuse is the error of a status code and one reason; field is the part of the request at fault, or empty.
func refuse(status int, field, reason string, args ...any) error {
	return &apiError{status, []fault{{field, fmt.Sprintf(reason, args...)}}}
}

// checks gathers all that is wrong with a request.
type checks []fault

// that notes a fault of a field unless ok.
func (c *checks) that(ok bool, field, reason string, args ...any) {
	if !ok {
		*c = append(*c, fault{field, fmt.Sprintf(reason, args...)})
	}
}

// err is nil when no fault was noted.
func (c *checks) err() error {
	if len(*c) == 0 {
		return nil
	}
	return &apiError{http.StatusBadRequest, *c}
}

// decode reads the request's body. An empty body is an empty object.
func (c *call) decode(into any) error {
	if len(c.body) == 0 {
		return nil
	}
	err := json.Unmarshal(c.body, into)
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mismatch):
		return refuse(http.StatusBadRequest, mismatch.Field, "Expected %s, not %s", mismatch.Type, mismatch.Value)
	case err != nil:
		return refuse(http.StatusBadRequest, "", "Invalid JSON")
	}
	return nil
}

func writeError(w http.ResponseWriter, err error) {
	var known *apiError
	if !errors.As(err, &known) { // such as a full disk
		known = &apiError{http.StatusInternalServerError, []fault{{"", err.Error()}}}
	}
	answer, err := json.Marshal(known)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if known.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1") // clients would else back off for up to half a minute
	}
	writeJSON(w, known.status, answer)
}

// writeStatus answers an injected fault.
func writeStatus(w http.ResponseWriter, status int) {
	reason := http.StatusText(status)
	if status == http.StatusTooManyRequests {
		reason = "Too many requests"
	}
	writeError(w, refuse(status, "", "%s", reason))
}

// writeJSON sends exactly the content type that clients ask for: linodego refuses one with a charset.
func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only when the client is gone
}
