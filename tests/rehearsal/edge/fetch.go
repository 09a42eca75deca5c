package edge

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ysugimoto/falco/interpreter"
	"github.com/ysugimoto/falco/interpreter/value"

	"lke-platform/tests/rehearsal/edge/cache"
	"lke-platform/tests/rehearsal/edge/program"
)

// What Fastly keeps as a whole, and what is kept here of what it keeps in parts. The origin is not asked for parts: it is asked
// for everything, and whoever wants a part gets it once all is there.
const (
	largest        = 20 << 20
	largestInParts = 256 << 20
)

// hopByHop are the headers that are about a connection.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

// conditional are the headers that ask for less than everything.
var conditional = []string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}

// requestForAll makes the request whose answer is for everybody, also when this visitor has gone.
func (v *visit) requestForAll() {
	v.newRequest()
	v.BackendRequest = detached(v.BackendRequest)
	if v.BackendRequest.Method == http.MethodHead {
		v.BackendRequest.Method = http.MethodGet
	}
	for _, name := range conditional {
		v.BackendRequest.Header.Del(name)
	}
	if v.old == nil {
		return
	}
	for asked, known := range map[string]string{"If-None-Match": "Etag", "If-Modified-Since": "Last-Modified"} {
		if value := v.old.Header.Get(known); value != "" {
			v.BackendRequest.Header.Set(asked, value)
		}
	}
}

// requestAsItIs makes the request whose answer is for this visitor.
func (v *visit) requestAsItIs() {
	v.newRequest()
	v.BackendRequest.Body, v.BackendRequest.ContentLength = v.Request.Body, v.Request.ContentLength
	if !v.EnableRangeOnPass.Value {
		v.BackendRequest.Header.Del("Range")
		v.BackendRequest.Header.Del("If-Range")
	}
}

func (v *visit) newRequest() {
	r := v.Request.Clone(v.Request.Context())
	r.RequestURI, r.Body, r.ContentLength, r.TransferEncoding = "", http.NoBody, 0, nil
	for _, name := range hopByHop {
		r.Header.Del(name)
	}
	r.Header.Set("CDN-Loop", "Fastly")
	r.Header.Set("Fastly-FF", program.CacheName(v.site.code))
	v.BackendRequest, v.BackendURL = r, &value.String{Value: v.URL.Value}
	v.ConnectTimeout, v.FirstByteTimeout, v.BetweenBytesTimeout = &value.RTime{}, &value.RTime{}, &value.RTime{}
}

// parsed is a URL whose path goes out as it came in.
func parsed(raw string) *url.URL {
	path, query, has := strings.Cut(raw, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		decoded = path
	}
	return &url.URL{Path: decoded, RawPath: path, RawQuery: query, ForceQuery: has && query == ""}
}

// send asks what VCL has chosen.
func (v *visit) send() (*http.Response, error) {
	r := v.BackendRequest.Clone(v.BackendRequest.Context())
	r.URL = parsed(v.BackendURL.Value)
	r.Host = r.Header.Get("Host")
	if code := v.service.shields[v.BackendName()]; code != "" {
		return v.askShield(r, code), nil
	}
	r.Header.Del("Host")
	withoutImageOptions(r)
	if r.UserAgent() == "" {
		r.Header.Set("User-Agent", "") // Go would say its own
	}
	b, err := v.service.choose(v.BackendName(), v.key, v.client())
	if err != nil {
		return nil, err
	}
	answer, err := b.ask(r, timeouts{
		cmp.Or(v.ConnectTimeout.Value, b.Connect), cmp.Or(v.FirstByteTimeout.Value, b.FirstByte),
		cmp.Or(v.BetweenBytesTimeout.Value, b.BetweenBytes),
	})
	if err != nil {
		v.site.log.Info("a backend does not answer", "backend", b.Name, "path", r.URL.Path, "reason", err.Error())
	}
	return answer, err
}

// client is who visits, for directors that always send him to the same backend.
func (v *visit) client() string {
	if v.ClientIdentity != nil {
		return v.ClientIdentity.Value
	}
	return v.Request.Header.Get("Fastly-Client-IP")
}

// optimizer is by what VCL has an image optimized.
const optimizer = "X-Fastly-Imageopto-Api"

// withoutImageOptions takes off the parameters that are for the optimizer, as it does. Images stay as they are.
func withoutImageOptions(r *http.Request) {
	if options := r.Header.Get(optimizer); options != "" && !strings.Contains(options, "qp=*") {
		r.URL.RawQuery, r.URL.ForceQuery = "", false
	}
	r.Header.Del(optimizer)
}

// edgeAddress is where shields see requests come from: one of Fastly's.
const edgeAddress = "151.101.0.7:443"

// askShield has another site answer, which runs the same version.
func (v *visit) askShield(r *http.Request, code string) *http.Response {
	r.RemoteAddr, r.RequestURI, r.TLS = edgeAddress, v.BackendURL.Value, &tls.ConnectionState{}
	return v.site.shieldBy(code).ask(v.service, r).Response
}

func fetch(v *visit) step {
	v.begun = time.Now()
	response, err := v.send()
	if err != nil {
		return v.failWith(err.Error())
	}
	for _, name := range hopByHop {
		response.Header.Del(name)
	}
	v.stream = response.Body
	v.RequestEndTime = time.Now()
	v.BackendResponse = newResponse(response.StatusCode, response.Header, v.Request)
	if v.old != nil && !v.passing && response.StatusCode == http.StatusNotModified {
		v.renew(response.Header)
	}
	freshness := cache.Read(v.BackendResponse.Header, time.Now())
	v.BackendResponseTTL = &value.RTime{Value: freshness.TTL}
	v.BackendResponseStaleWhileRevalidate = &value.RTime{Value: freshness.StaleWhileRevalidate}
	v.BackendResponseStaleIfError = &value.RTime{Value: freshness.StaleIfError}
	v.BackendResponseCacheable = &value.Boolean{Value: cache.IsCacheable(v.BackendResponse.StatusCode)}
	v.BackendResponseResponse = &value.String{Value: http.StatusText(v.BackendResponse.StatusCode)}
	v.BackendResponseGzip, v.BackendResponseDoStream = &value.Boolean{}, &value.Boolean{}
	return v.do("fetch", map[program.State]step{
		interpreter.NONE: keep, interpreter.DELIVER: keep, interpreter.PASS: keepNothing, interpreter.DELIVER_STALE: deliverStale,
		interpreter.ERROR: fail, interpreter.RESTART: restart,
	})
}

// renew takes the old copy for what the origin says is still so.
func (v *visit) renew(header http.Header) {
	renewed := v.old.Renewed(header)
	_ = v.stream.Close() // it has no body
	v.stream = io.NopCloser(bytes.NewReader(renewed.Body))
	v.BackendResponse = newResponse(renewed.Status, renewed.Header, v.Request)
}

// passedFor is how long Fastly remembers at least that there is nothing to keep.
const passedFor = 2 * time.Minute

// keepNothing remembers that requests need not wait for each other.
func keepNothing(v *visit) step {
	if !v.passing {
		v.put(&cache.Object{Pass: true, Header: v.BackendResponse.Header, TTL: max(v.BackendResponseTTL.Value, passedFor)})
	}
	v.passing = true
	return handOut
}

// handOut makes the backend's answer the visitor's.
func handOut(v *visit) step {
	v.Response = newResponse(v.BackendResponse.StatusCode, v.BackendResponse.Header.Clone(), v.Request)
	return deliver
}

func (v *visit) put(object *cache.Object) {
	object.Stored, object.Request = time.Now(), cache.VariesIn(v.BackendResponse.Header, v.Request.Header)
	if object.Pass {
		object.Request = nil
	}
	v.site.cache.Put(v.key, object, v.begun)
	v.release()
}

// keep keeps the answer if it may, as a whole, or while it goes out.
func keep(v *visit) step {
	if v.passing || !v.BackendResponseCacheable.Value || v.BackendResponseTTL.Value <= 0 {
		v.release()
		return handOut
	}
	header := v.BackendResponse.Header
	object := &cache.Object{
		Status: v.BackendResponse.StatusCode, Header: header, TTL: v.BackendResponseTTL.Value, Age: cache.Age(header),
		StaleWhileRevalidate: v.BackendResponseStaleWhileRevalidate.Value, StaleIfError: v.BackendResponseStaleIfError.Value,
	}
	compressed := v.BackendResponseGzip.Value && header.Get("Content-Encoding") == ""
	inParts := v.BackendResponseDoStream.Value || v.EnableSegmentedCaching.Value
	if inParts && !compressed && v.Request.Header.Get("Range") == "" {
		v.keepStream(object)
		return handOut
	}
	limit := largest
	if inParts {
		limit = largestInParts
	}
	body, err := v.readAll(limit)
	if err != nil {
		return v.failWith(err.Error())
	}
	if compressed {
		body = zipped(header, body)
	}
	object.Body = body
	v.put(object)
	v.hand(object)
	delete(v.Response.Header, "Age")
	if age := object.Age; age > 0 {
		v.Response.Header["Age"] = header["Age"]
	}
	return deliver
}

// keepStream keeps the answer while it goes out. Whoever wants the same waits until it is there.
func (v *visit) keepStream(object *cache.Object) {
	release := v.release
	v.release = func() {}
	if length, _ := strconv.Atoi(object.Header.Get("Content-Length")); length > largestInParts {
		release()
		return
	}
	v.stream = fill(v.stream, func(body []byte, err error) {
		if errors.Is(err, io.EOF) && len(body) <= largestInParts {
			object.Body = body
			v.put(object)
		}
		release()
	})
}

var errTooLarge = &unavailable{"Response object too large"}

// readAll reads an answer that is kept as a whole.
func (v *visit) readAll(limit int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(v.stream, int64(limit)+1))
	if err == nil && len(body) > limit {
		err = errTooLarge
	}
	if closed := v.stream.Close(); err == nil {
		err = closed
	}
	v.stream = nil
	return body, err
}

// zipped compresses a body, and says so.
func zipped(header http.Header, body []byte) []byte {
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	_, _ = writer.Write(body) // to memory, which does not fail
	_ = writer.Close()
	sayZipped(header)
	return compressed.Bytes()
}

// sayZipped says that what follows is compressed; it is the same as before only by its meaning.
func sayZipped(header http.Header) {
	header.Set("Content-Encoding", "gzip")
	header.Del("Content-Length")
	header.Del("Accept-Ranges")
	if tag := header.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		header.Set("Etag", "W/"+tag)
	}
}
