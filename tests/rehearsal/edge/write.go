package edge

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"time"

	"lke-platform/tests/rehearsal/edge/cache"
)

// compressHint is by what VCL has an answer compressed on its way to the visitor. Brotli is not made here; gzip takes its place.
const compressHint = "X-Compress-Hint"

// write sends an answer to the visitor.
func write(w http.ResponseWriter, r *http.Request, a *answer) {
	if a.upgrade != nil {
		a.upgrade(w)
		return
	}
	header := w.Header()
	for name, values := range a.Header {
		header[name] = values
	}
	for _, name := range hopByHop {
		header.Del(name)
	}
	if header.Get("Content-Type") == "" {
		header["Content-Type"] = nil // Go would guess one
	}
	hint := header.Get(compressHint)
	header.Del(compressHint)
	isForAll := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case hint != "" && takesGzip(r.Header) && header.Get("Content-Encoding") == "" && r.Method != http.MethodHead:
		writeZipped(w, a)
	case a.kept != nil && a.StatusCode == http.StatusOK && isForAll:
		header.Del("Content-Length")
		modified, _ := http.ParseTime(header.Get("Last-Modified")) // none is none
		http.ServeContent(w, r, "", modified, bytes.NewReader(a.kept))
	default:
		w.WriteHeader(a.StatusCode)
		stream(w, a.Body)
	}
}

func writeZipped(w http.ResponseWriter, a *answer) {
	header := w.Header()
	sayZipped(header)
	if _, varies := cache.VariesIn(header, header)["Accept-Encoding"]; !varies {
		header.Add("Vary", "Accept-Encoding")
	}
	w.WriteHeader(a.StatusCode)
	zip := gzip.NewWriter(w)
	defer zip.Close()
	stream(&flushed{zip, w}, a.Body)
}

// flushed is a compressed answer whose parts go out as they come.
type flushed struct {
	zip *gzip.Writer
	http.ResponseWriter
}

func (f *flushed) Write(p []byte) (int, error) { return f.zip.Write(p) }

// FlushError is that of http.ResponseController.
func (f *flushed) FlushError() error {
	if err := f.zip.Flush(); err != nil {
		return err
	}
	return http.NewResponseController(f.ResponseWriter).Flush()
}

// stream sends what comes as it comes. Where it ends too soon, so does the visitor's connection: nothing else tells him.
func stream(w http.ResponseWriter, body io.Reader) {
	controller := http.NewResponseController(w)
	part := make([]byte, 32<<10)
	for {
		n, err := body.Read(part)
		if n > 0 {
			if _, failed := w.Write(part[:n]); failed != nil {
				return
			}
			_ = controller.Flush() // the next write would fail as well
		}
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			panic(http.ErrAbortHandler)
		}
	}
}

// unknownDomain is Fastly's answer where no service has the name.
// Upstream: https://www.fastly.com/documentation/guides/debugging/common-errors/
func unknownDomain(r *http.Request, host string) *answer {
	return plainAnswer(r, http.StatusInternalServerError, "Fastly error: unknown domain: "+host+
		". Please check that this domain has been added to a service.")
}

// misdirected is Fastly's answer where the connection's certificate is for other names.
func misdirected(r *http.Request) *answer {
	return plainAnswer(r, http.StatusMisdirectedRequest,
		"Requested host does not match any Subject Alternative Names (SANs) on TLS certificate in use with this connection.")
}

// patience is how long a visitor may take to say what he wants.
const patience = 10 * time.Second
