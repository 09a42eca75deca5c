package simulation

import "net/http"

// StatusWriter remembers the status that was answered.
type StatusWriter struct {
	http.ResponseWriter

	Status int
}

// WriteHeader is as of net/http.
func (w *StatusWriter) WriteHeader(status int) {
	w.Status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap has http.ResponseController find what it controls.
func (w *StatusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
