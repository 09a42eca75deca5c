package buckets

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"lke-platform/tests/rehearsal/linode"
)

// private is the ACL of objects where nobody says anything.
const private = "private"

// aclFile is where the ACL of an object stands, if it is not private.
func (s *Server) aclFile(bucket linode.StoredBucket, object string) string {
	name := sha256.Sum256([]byte(object))
	return filepath.Join(s.options.Dir, bucket.Endpoint, "acls", bucket.Label, hex.EncodeToString(name[:]))
}

func (s *Server) objectACL(bucket linode.StoredBucket, object string) string {
	acl, err := os.ReadFile(s.aclFile(bucket, object))
	if err != nil {
		return private
	}
	return string(acl)
}

func (s *Server) setObjectACL(bucket linode.StoredBucket, object, acl string) {
	path := s.aclFile(bucket, object)
	if acl == "" || acl == private {
		_ = os.Remove(path) // there is none as a rule
		return
	}
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(acl), 0o600)
	}
	if err != nil {
		s.options.Log.Error("the ACL of an object cannot be kept", "bucket", bucket.Label, "error", err)
	}
}
