package edge

import (
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"lke-platform/tests/rehearsal/edge/cache"
	"lke-platform/tests/rehearsal/edge/program"
)

// site is one of Fastly's, as far as one service is concerned: the one that visitors ask, or one that shields.
type site struct {
	code     string // of the datacenter
	visits   int64  // how many sites had a request before
	cache    *cache.Cache
	shieldBy func(code string) *site
	log      *slog.Logger
}

// edgeCode is the site that visitors ask. None of Fastly's is called so, so that it is never its own shield.
const edgeCode = "EDGE"

func newSite(code string, log *slog.Logger, shieldBy func(code string) *site) *site {
	s := &site{code: code, cache: cache.New(), log: log, shieldBy: shieldBy}
	if code != edgeCode {
		s.visits = 1
	}
	return s
}

// answer is what comes of a request.
type answer struct {
	*http.Response
	// kept is the body where it is at hand as a whole.
	kept []byte
	// key is where in the cache the answer belongs, as far as the request came.
	key string
	// upgrade hands the visitor's connection on, in place of an answer.
	upgrade func(http.ResponseWriter)
}

// close is to be called when the answer has gone out.
func (a *answer) close() {
	if a.Body != nil {
		_ = a.Body.Close() // nothing more is expected of it
	}
}

// What Fastly adds to requests that it gets, at each site.
// Upstream: https://www.fastly.com/documentation/reference/http/http-headers/X-Forwarded-Host
func (s *site) prepare(r *http.Request) {
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		client = r.RemoteAddr
	}
	add := func(name, value string) {
		r.Header.Set(name, strings.Join(append(r.Header.Values(name), value), ", "))
	}
	add("X-Forwarded-For", client)
	add("X-Forwarded-Host", r.Host)
	add("X-Forwarded-Server", program.CacheName(s.code))
	setDefault(r.Header, "Fastly-Client-IP", client)
	if r.TLS != nil {
		setDefault(r.Header, "Fastly-SSL", "1")
	}
	r.Header.Set("Fastly-Orig-Accept-Encoding", r.Header.Get("Accept-Encoding"))
	if takesGzip(r.Header) {
		r.Header.Set("Accept-Encoding", "gzip")
	} else {
		r.Header.Del("Accept-Encoding")
	}
	r.Header.Set("Host", r.Host)
}

func setDefault(header http.Header, name, value string) {
	if header.Get(name) == "" {
		header.Set(name, value)
	}
}

// takesGzip reads Accept-Encoding, of which Fastly tells VCL no more than what it would make of it. Brotli is not made here.
func takesGzip(header http.Header) bool {
	for encoding := range strings.SplitSeq(strings.Join(header.Values("Accept-Encoding"), ","), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(encoding), ";")
		if strings.TrimSpace(name) == "gzip" && strings.ReplaceAll(quality, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// ask answers a request, which it may change.
func (s *site) ask(svc *service, r *http.Request) *answer {
	if svc.fault != nil {
		return refusal(r, svc.fault)
	}
	url := r.RequestURI
	if !strings.HasPrefix(url, "/") {
		url = r.URL.RequestURI()
	}
	s.prepare(r)
	v, err := newVisit(s, svc, r, url)
	if err != nil {
		return refusal(r, err)
	}
	return v.run(recv)
}

// plainAnswer is a short answer in text.
func plainAnswer(r *http.Request, status int, text string) *answer {
	header := http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Cache-Control": {"no-store"}}
	response := newResponse(status, header, r)
	response.Body = io.NopCloser(strings.NewReader(text + "\n"))
	return &answer{Response: response}
}

// place is a number below a limit, always the same for a text.
func place(text string, limit int) int {
	sum := fnv.New32a()
	fmt.Fprint(sum, text)
	return int(sum.Sum32() % uint32(limit))
}

func wildcardOf(name string) string {
	_, parent, _ := strings.Cut(name, ".")
	return "*." + parent
}
