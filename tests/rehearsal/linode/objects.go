package linode

import (
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// objectVersion is one version of an object, or the mark that the object is deleted. What it holds is not kept.
type objectVersion struct {
	Key     string `json:"key"`
	ID      string `json:"id"` // null where the bucket kept no versions when it was written
	Size    int    `json:"size"`
	Deleted bool   `json:"deleted"`
}

// upload is one in parts that nobody has ended.
type upload struct {
	Key string `json:"key"`
	ID  string `json:"id"`
}

const unversioned = "null"

// ObjectStorage serves the S3 API of all endpoints, by the path-style addresses of buckets: as much of it as it takes to fill a
// bucket, list and empty it. A key opens the buckets that it is for; its signatures are not verified.
// Upstream: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
func (a *API) ObjectStorage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		var answer any
		err = a.store.Update(func(s *state) error {
			c := &storageCall{Request: r, body: body}
			c.label, c.key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
			if c.bucket, err = c.open(s); err != nil {
				return err
			}
			answer, err = c.handle(s)
			return err
		})
		status := http.StatusOK
		if r.Method == http.MethodDelete {
			status = http.StatusNoContent
		}
		var refused *storageError
		if errors.As(err, &refused) {
			status, answer = refused.status, refused
		} else if err != nil { // such as a full disk
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if answer != nil {
			_ = xml.NewEncoder(w).Encode(answer) // fails only when the client is gone
		}
	})
}

// storageError is an error as S3 tells it.
type storageError struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
	status  int
}

func (e *storageError) Error() string { return e.Code }

func refuseStorage(status int, code string) error {
	return &storageError{Code: code, Message: code, status: status}
}

// storageCall is one request for a bucket.
type storageCall struct {
	*http.Request
	body       []byte
	label, key string
	bucket     *bucket
}

var credential = regexp.MustCompile(`Credential=([^/]+)/`)

// open finds the bucket that the request is for, if its key may use it so.
func (c *storageCall) open(s *state) (*bucket, error) {
	shown := credential.FindStringSubmatch(c.Header.Get("Authorization"))
	if shown == nil {
		return nil, refuseStorage(http.StatusForbidden, "AccessDenied")
	}
	k := find(s.Keys, func(k *storageKey) bool { return k.AccessKey == shown[1] })
	if k == nil {
		return nil, refuseStorage(http.StatusForbidden, "InvalidAccessKeyId")
	}
	namesakes := slices.DeleteFunc(slices.Clone(s.Buckets), func(b *bucket) bool { return b.Label != c.label })
	if len(namesakes) == 0 {
		return nil, refuseStorage(http.StatusNotFound, "NoSuchBucket")
	}
	for _, b := range namesakes {
		if k.opens(b.Region, b.Label, c.Method != http.MethodGet) {
			return b, nil
		}
	}
	return nil, refuseStorage(http.StatusForbidden, "AccessDenied")
}

func (c *storageCall) handle(s *state) (any, error) {
	query := c.URL.Query()
	switch call := c.Method; {
	case call == http.MethodGet && c.key == "" && query.Has("versions"):
		return c.listVersions(), nil
	case call == http.MethodGet && c.key == "" && query.Has("uploads"):
		return c.listUploads(), nil
	case call == http.MethodGet && c.key == "" && query.Has("list-type"):
		return c.list(), nil
	case call == http.MethodPut && c.key == "" && query.Has("versioning"):
		c.bucket.Versioning = strings.Contains(string(c.body), "<Status>Enabled</Status>")
		return nil, nil
	case call == http.MethodPost && c.key == "" && query.Has("delete"):
		return c.deleteObjects(s)
	case call == http.MethodPost && c.key != "" && query.Has("uploads"):
		begun := upload{c.key, strconv.Itoa(s.newID())}
		c.bucket.Uploads = append(c.bucket.Uploads, begun)
		return &initiated{UploadID: begun.ID}, nil
	case call == http.MethodPut && c.key != "" && len(query) == 0:
		c.put(s, objectVersion{Key: c.key, Size: len(c.body)})
		return nil, nil
	case call == http.MethodDelete && c.key != "" && query.Has("uploadId"):
		c.bucket.Uploads = slices.DeleteFunc(c.bucket.Uploads, func(u upload) bool { return u.ID == query.Get("uploadId") })
		return nil, nil
	}
	return nil, refuseStorage(http.StatusNotImplemented, "NotImplemented")
}

// initiated is the answer to the beginning of an upload in parts.
type initiated struct {
	XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
	UploadID string   `xml:"UploadId"`
}

// put adds a version, in place of the one that there is where the bucket keeps none.
func (c *storageCall) put(s *state, v objectVersion) {
	v.ID = unversioned
	if c.bucket.Versioning {
		v.ID = strconv.Itoa(s.newID())
	}
	c.remove(v.Key, v.ID)
	c.bucket.Versions = append(c.bucket.Versions, v)
}

func (c *storageCall) remove(key, id string) {
	c.bucket.Versions = slices.DeleteFunc(c.bucket.Versions, func(v objectVersion) bool { return v.Key == key && v.ID == id })
}

// entry is a version, or an object, of a list.
type entry struct {
	XMLName   xml.Name
	Key       string
	VersionID string `xml:"VersionId,omitempty"`
	Size      int
}

// versionList is the answer to a call for the versions of a bucket.
type versionList struct {
	XMLName             xml.Name `xml:"ListVersionsResult"`
	IsTruncated         bool
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
	Entries             []entry
}

// storagePage is how many entries a list has at most, and how many objects are deleted by one call.
const storagePage = 1000

func (c *storageCall) listVersions() any {
	all := slices.SortedStableFunc(slices.Values(c.bucket.Versions), func(a, b objectVersion) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID))
	})
	query := c.URL.Query()
	if after := query.Get("key-marker"); after != "" {
		all = slices.DeleteFunc(all, func(v objectVersion) bool {
			return cmp.Or(cmp.Compare(v.Key, after), cmp.Compare(v.ID, query.Get("version-id-marker"))) <= 0
		})
	}
	list := &versionList{IsTruncated: len(all) > storagePage}
	for _, v := range all[:min(len(all), storagePage)] {
		list.Entries = append(list.Entries, entry{
			XMLName: xml.Name{Local: pick(v.Deleted, "DeleteMarker", "Version")}, Key: v.Key, VersionID: v.ID, Size: v.Size,
		})
	}
	if list.IsTruncated {
		last := list.Entries[storagePage-1]
		list.NextKeyMarker, list.NextVersionIDMarker = last.Key, last.VersionID
	}
	return list
}

// list has the objects that are not deleted, up to a page of them.
func (c *storageCall) list() any {
	list := &struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []entry
	}{}
	for _, v := range c.bucket.Versions {
		if !v.Deleted && len(list.Contents) < storagePage {
			list.Contents = append(list.Contents, entry{XMLName: xml.Name{Local: "Contents"}, Key: v.Key, Size: v.Size})
		}
	}
	return list
}

func (c *storageCall) listUploads() any {
	type shown struct {
		Key      string
		UploadID string `xml:"UploadId"`
	}
	list := &struct {
		XMLName xml.Name `xml:"ListMultipartUploadsResult"`
		Upload  []shown
	}{}
	for _, u := range c.bucket.Uploads[:min(len(c.bucket.Uploads), storagePage)] {
		list.Upload = append(list.Upload, shown{u.Key, u.ID})
	}
	return list
}

// deleteObjects deletes versions, and marks objects as deleted whose version is not named where the bucket keeps versions.
func (c *storageCall) deleteObjects(s *state) (any, error) {
	type named struct {
		Key       string
		VersionID string `xml:"VersionId"`
	}
	var in struct{ Object []named }
	if err := xml.Unmarshal(c.body, &in); err != nil || len(in.Object) > storagePage {
		return nil, refuseStorage(http.StatusBadRequest, "MalformedXML")
	}
	done := &struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Deleted []named
	}{}
	for _, one := range in.Object {
		if one.VersionID == "" && c.bucket.Versioning {
			c.put(s, objectVersion{Key: one.Key, Deleted: true})
		} else {
			c.remove(one.Key, cmp.Or(one.VersionID, unversioned))
		}
		done.Deleted = append(done.Deleted, one)
	}
	return done, nil
}
