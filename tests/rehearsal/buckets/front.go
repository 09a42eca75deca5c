package buckets

import (
	"encoding/xml"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"

	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/simulation"
)

// request is what somebody wants of a bucket.
type request struct {
	*http.Request

	endpoint, label, object string
	access                  string // the key that signs it; "" for none
}

var credential = regexp.MustCompile(`Credential=([^/]+)/[^/]*/([^/]*)/`)

// read finds out what a request is for. The bucket stands in the host or in the path; where the host is no endpoint, the
// signature says for which one it was made.
func (s *Server) read(r *http.Request) request {
	q := request{Request: r}
	signature := r.Header.Get("Authorization")
	if presigned := r.URL.Query().Get("X-Amz-Credential"); presigned != "" {
		signature = "Credential=" + presigned
	}
	region := ""
	if parts := credential.FindStringSubmatch(signature); parts != nil {
		q.access, region = parts[1], parts[2]
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if q.endpoint, q.label = s.endpointOf(strings.ToLower(host)); q.label != "" {
		q.object = path
		return q
	}
	if q.endpoint == "" && region != "" {
		q.endpoint, _ = s.endpointOf(region)
	}
	q.label, q.object, _ = strings.Cut(path, "/")
	return q
}

// changes says whether the request is for more than a look.
func (q request) changes() bool { return q.Method != http.MethodGet && q.Method != http.MethodHead }

// usual are the parameters of requests for objects and lists, beside those of signatures. Others are for settings.
var usual = regexp.MustCompile(`^(X-Amz-.*|response-.*|x-id|versionId|partNumber|list-type|prefix|delimiter|marker|max-keys|` +
	`continuation-token|start-after|encoding-type|fetch-owner)$`)

// isUsual says whether the request is for an object or a list.
func (q request) isUsual() bool {
	for name := range q.URL.Query() {
		if !usual.MatchString(name) {
			return false
		}
	}
	return true
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := s.read(r)
	bucket, exists := s.options.Account.StoredBucket(q.endpoint, q.label)
	if !exists {
		refuse(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	if bucket.CORS && crosses(w, q) {
		return
	}
	key := s.options.Account.StorageKey(bucket.Endpoint, q.access)
	switch {
	case q.access != "" && key == nil:
		refuse(w, http.StatusForbidden, "InvalidAccessKeyId")
	case !s.allows(bucket, key, q) && q.Method != http.MethodOptions:
		refuse(w, http.StatusForbidden, "AccessDenied")
	case q.object == "" && q.changes() && len(q.URL.Query()) == 0 && q.Method != http.MethodOptions:
		refuse(w, http.StatusNotImplemented, "NotImplemented") // the account's buckets are those of the API
	default:
		s.pass(w, q, bucket, key)
	}
}

// refuse tells an error as S3 does.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(struct { // fails only when the client is gone
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: code})
}

// crosses lets pages of all sites use a bucket, and answers browsers that ask whether they may.
func crosses(w http.ResponseWriter, q request) (answered bool) {
	if q.Header.Get("Origin") == "" {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if q.Method != http.MethodOptions {
		return false
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE")
	w.Header().Set("Access-Control-Allow-Headers", q.Header.Get("Access-Control-Request-Headers"))
	return true
}

// allows says whether somebody may do what he asks for: with a key for the bucket, or because it or the object is open to others.
// A bucket that others may read is one that they may list: what is in it is open by the ACL of each object.
// Upstream: https://techdocs.akamai.com/cloud-computing/docs/define-access-and-permissions-using-acls-access-control-lists
func (s *Server) allows(bucket linode.StoredBucket, key *linode.StorageKey, q request) bool {
	switch {
	case key != nil && key.May(bucket, q.changes()):
		return true
	case !q.isUsual():
		return false
	case q.changes():
		return q.object != "" && bucket.ACL == "public-read-write"
	case q.object == "":
		return isReadable(bucket.ACL, key != nil)
	}
	return isReadable(s.objectACL(bucket, q.object), key != nil)
}

// isReadable says whether an ACL lets others read, where it matters those who sign with any key.
func isReadable(acl string, signed bool) bool {
	return slices.Contains([]string{"public-read", "public-read-write"}, acl) || acl == "authenticated-read" && signed
}

// pass has the gateway do what is asked for.
func (s *Server) pass(w http.ResponseWriter, q request, bucket linode.StoredBucket, key *linode.StorageKey) {
	g, err := s.gateway(bucket.Endpoint)
	if err == nil {
		err = g.make(q.Context(), bucket.Label)
	}
	if err == nil && key != nil {
		err = g.admit(key)
	}
	if err != nil {
		s.options.Log.Error("a bucket cannot be served", "bucket", bucket.Label, "error", err)
		refuse(w, http.StatusInternalServerError, "InternalError")
		return
	}
	if q.Method == http.MethodPut && q.object != "" && q.URL.Query().Has("acl") {
		s.passACL(w, q, bucket, g)
		return
	}
	answer := &simulation.StatusWriter{ResponseWriter: w}
	g.proxy.ServeHTTP(answer, q.Request)
	if answer.Status < http.StatusMultipleChoices && q.setsACL() {
		s.setObjectACL(bucket, q.object, q.Header.Get("x-amz-acl"))
	}
}

// setsACL says whether the request makes or deletes an object, and with it what its ACL says.
func (q request) setsACL() bool {
	query := q.URL.Query()
	switch q.Method {
	case http.MethodPut:
		return q.object != "" && q.isUsual() && !query.Has("partNumber")
	case http.MethodPost:
		return q.object != "" && query.Has("uploads")
	case http.MethodDelete:
		return q.object != "" && q.isUsual()
	}
	return false
}

// passACL sets the ACL of an object. The gateway has none, but says whether the signature is right before it says so.
func (s *Server) passACL(w http.ResponseWriter, q request, bucket linode.StoredBucket, g *gateway) {
	answer := httptest.NewRecorder()
	g.proxy.ServeHTTP(answer, q.Request)
	if answer.Code != http.StatusNotImplemented || q.Header.Get("x-amz-acl") == "" {
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
		return
	}
	s.setObjectACL(bucket, q.object, q.Header.Get("x-amz-acl"))
}
