package fastly

import (
	"fmt"
	"net/http"
	"strings"
)

// failure is the body of most of Fastly's errors.
type failure struct {
	Msg    string `json:"msg"`
	Detail string `json:"detail,omitempty"`
}

// problem is the body of the errors of Fastly's newer endpoints, after RFC 7807.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Errors []any  `json:"errors"`
	Detail string `json:"detail"`
}

// A refusal is an error that the client gets to see.
type refusal struct {
	status int
	body   any
}

func (r *refusal) Error() string { return fmt.Sprintf("%d: %v", r.status, r.body) }

func badRequest(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, failure{Msg: "Bad request", Detail: fmt.Sprintf(format, args...)}}
}

// badMessage is a bad request whose fault is its whole message.
func badMessage(fault string) error { return &refusal{http.StatusBadRequest, failure{Msg: fault}} }

func badProblem(title, detail string) error {
	return &refusal{http.StatusBadRequest, problem{Title: title, Status: http.StatusBadRequest, Detail: detail}}
}

// notFound words a missing record as Fastly does; keys are pairs of a name and a value.
func notFound(noun string, keys ...any) error {
	pairs := make([]string, 0, len(keys)/2)
	for i := 0; i < len(keys); i += 2 {
		pairs = append(pairs, fmt.Sprintf("%v => %v", keys[i], keys[i+1]))
	}
	detail := fmt.Sprintf("Couldn't find %s '{ %s }'", noun, strings.Join(pairs, ", "))
	return &refusal{http.StatusNotFound, failure{Msg: "Record not found", Detail: detail}}
}

// missing is notFound for an object of a version.
func missing(noun, name string, svc *service, v *version) error {
	return notFound(noun, "deleted", never, "name", name, "service", svc.ID, "version", v.Number)
}

func duplicate(noun, name string) error {
	return &refusal{http.StatusConflict, failure{Msg: "Duplicate record", Detail: fmt.Sprintf("Duplicate %s: '%s'", noun, name)}}
}

func locked(service string, version int) error {
	detail := fmt.Sprintf("Version '%d' for service '%s' is locked", version, service)
	return &refusal{http.StatusUnprocessableEntity, failure{Msg: "Version locked", Detail: detail}}
}
