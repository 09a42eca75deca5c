package buckets_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/buckets"
	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/simulation"
)

const (
	token    = "the-only-token"
	endpoint = "us-east-1.linodeobjects.com"
)

// gateway returns the program, or skips the test where it has not been built.
func gateway(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	require.NoError(t, err)
	candidates := []string{filepath.Join(os.Getenv("REHEARSAL_BIN"), "live", "versitygw")}
	for ; folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		candidates = append(candidates, filepath.Join(folder, ".bin", "live", "versitygw"))
	}
	for _, candidate := range candidates {
		if _, err := os.Stat(candidate); err == nil {
			return candidate
		}
	}
	t.Skip("versitygw is in no .bin above this folder: make test builds it, or set REHEARSAL_BIN")
	return ""
}

// rig is an account with its buckets.
type rig struct {
	*testing.T
	linodego.Client

	api     *linode.API
	options buckets.Options
	server  *buckets.Server
}

func newRig(t *testing.T) *rig {
	t.Helper()
	program, dir := gateway(t), t.TempDir()
	r := &rig{T: t, Client: linodego.NewClient(nil)}
	api, err := linode.New(linode.Options{
		Dir: t.TempDir(), Token: token,
		Contents: func(endpoint, label string) (int, int) { return r.server.Contents(endpoint, label) },
	})
	require.NoError(t, err)
	r.api = api
	server := httptest.NewServer(api)
	t.Cleanup(func() { server.Close(); api.Close() })
	r.SetBaseURL(server.URL)
	r.SetToken(token)
	r.options = buckets.Options{Gateway: program, Dir: dir, Account: api, Log: slog.New(slog.DiscardHandler)}
	r.start()
	t.Cleanup(func() { require.NoError(t, r.server.Close()) })
	return r
}

func (r *rig) start() {
	r.Helper()
	var err error
	r.server, err = buckets.Start(r.options)
	require.NoError(r, err)
}

func (r *rig) bucket(label string, acl linodego.ObjectStorageACL) {
	r.Helper()
	options := linodego.ObjectStorageBucketCreateOptions{Region: "us-east", Label: label, ACL: acl}
	_, err := r.CreateObjectStorageBucket(r.Context(), options)
	require.NoError(r, err)
}

// key makes one that is limited to a bucket.
func (r *rig) key(label, permissions string) *linodego.ObjectStorageKey {
	r.Helper()
	access := []linodego.ObjectStorageKeyBucketAccess{{Region: "us-east", BucketName: label, Permissions: permissions}}
	key, err := r.CreateObjectStorageKey(r.Context(), linodego.ObjectStorageKeyCreateOptions{Label: label, BucketAccess: &access})
	require.NoError(r, err)
	return key
}

// transport comes to the public names of buckets.
func (r *rig) transport() *http.Transport {
	roots := x509.NewCertPool()
	require.True(r, roots.AppendCertsFromPEM(r.server.Roots))
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			require.NoError(r, err)
			require.True(r, strings.HasSuffix(host, endpoint))
			return r.server.Dial(ctx, network, net.JoinHostPort(r.api.Addresses(host)[0].String(), port))
		},
	}
}

// client is one that knows nothing of the simulation but the way.
func (r *rig) client(key *linodego.ObjectStorageKey, lookup minio.BucketLookupType) *minio.Client {
	r.Helper()
	client, err := minio.New(endpoint, &minio.Options{
		Creds:  credentials.NewStaticV4(key.AccessKey, key.SecretKey, ""),
		Secure: true, Region: "us-east-1", BucketLookup: lookup, Transport: r.transport(), MaxRetries: 1,
	})
	require.NoError(r, err)
	return client
}

func read(t *testing.T, object io.Reader) string {
	t.Helper()
	content, err := io.ReadAll(object)
	require.NoError(t, err)
	return string(content)
}

func TestAKeyOpensItsBucketAndNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.bucket("media", linodego.ACLPrivate)
	r.bucket("backups", linodego.ACLPrivate)
	for name, lookup := range map[string]minio.BucketLookupType{"by path": minio.BucketLookupPath, "by host": minio.BucketLookupDNS} {
		media := r.client(r.key("media", "read_write"), lookup)
		content := strings.Repeat("many a line\n", 10000)
		_, err := media.PutObject(t.Context(), "media", "a/b c", strings.NewReader(content), int64(len(content)),
			minio.PutObjectOptions{ContentType: "text/x-lines"})
		require.NoError(t, err, name)
		object, err := media.GetObject(t.Context(), "media", "a/b c", minio.GetObjectOptions{})
		require.NoError(t, err)
		require.Equal(t, content, read(t, object))
		about, err := object.Stat()
		require.NoError(t, err)
		require.Equal(t, "text/x-lines", about.ContentType)
		var listed []string
		for one := range media.ListObjects(t.Context(), "media", minio.ListObjectsOptions{Recursive: true}) {
			require.NoError(t, one.Err)
			listed = append(listed, one.Key)
		}
		require.Equal(t, []string{"a/b c"}, listed)

		_, err = media.PutObject(t.Context(), "backups", "a", strings.NewReader("x"), 1, minio.PutObjectOptions{})
		require.Equal(t, "AccessDenied", minio.ToErrorResponse(err).Code, name)
		_, err = media.StatObject(t.Context(), "backups", "a", minio.StatObjectOptions{})
		require.Equal(t, http.StatusForbidden, minio.ToErrorResponse(err).StatusCode)
		_, err = media.StatObject(t.Context(), "gone", "a", minio.StatObjectOptions{})
		require.Equal(t, http.StatusNotFound, minio.ToErrorResponse(err).StatusCode)

		reader := r.client(r.key("media", "read_only"), lookup)
		_, err = reader.StatObject(t.Context(), "media", "a/b c", minio.StatObjectOptions{})
		require.NoError(t, err)
		require.Equal(t, "AccessDenied", minio.ToErrorResponse(reader.RemoveObject(t.Context(), "media", "a/b c",
			minio.RemoveObjectOptions{})).Code)
	}
	bucket, err := r.GetObjectStorageBucket(t.Context(), "us-east", "media")
	require.NoError(t, err)
	require.Equal(t, []int{1, 120000}, []int{bucket.Objects, bucket.Size})
	require.ErrorContains(t, r.DeleteObjectStorageBucket(t.Context(), "us-east", "media"), "Bucket media is not empty")
	require.NoError(t, r.DeleteObjectStorageBucket(t.Context(), "us-east", "backups"))
}

func TestOnlyWhoHasTheSecretOfAKeyThatIsThereGetsIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.bucket("media", linodego.ACLPrivate)
	key := r.key("media", "read_write")
	wrong := *key
	wrong.SecretKey = strings.Repeat("0", 40)
	put := func(key *linodego.ObjectStorageKey) string {
		_, err := r.client(key, minio.BucketLookupDNS).PutObject(t.Context(), "media", "a", strings.NewReader("x"), 1,
			minio.PutObjectOptions{})
		return minio.ToErrorResponse(err).Code
	}
	require.Equal(t, "SignatureDoesNotMatch", put(&wrong))
	require.Empty(t, put(key))
	link, err := r.client(key, minio.BucketLookupDNS).PresignedGetObject(t.Context(), "media", "a", time.Minute, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.ask(http.MethodGet, link.String(), nil).StatusCode)
	require.NoError(t, r.DeleteObjectStorageKey(t.Context(), key.ID))
	require.Equal(t, "InvalidAccessKeyId", put(key))
	require.Equal(t, http.StatusForbidden, r.ask(http.MethodGet, link.String(), nil).StatusCode)
}

// ask sends a request without a key.
func (r *rig) ask(method, url string, header http.Header) *http.Response {
	r.Helper()
	request, err := http.NewRequestWithContext(r.Context(), method, url, nil)
	require.NoError(r, err)
	maps.Copy(request.Header, header)
	answer, err := r.transport().RoundTrip(request)
	require.NoError(r, err)
	r.Cleanup(func() { require.NoError(r, answer.Body.Close()) })
	return answer
}

func TestWhatIsPublicIsReadWithoutAKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.bucket("media", linodego.ACLPrivate)
	r.bucket("listed", linodego.ACLPublicRead)
	for _, label := range []string{"media", "listed"} {
		client := r.client(r.key(label, "read_write"), minio.BucketLookupDNS)
		for name, acl := range map[string]string{"secret": "", "open": "public-read", "once-open": "public-read"} {
			options := minio.PutObjectOptions{UserMetadata: map[string]string{"x-amz-acl": acl}}
			_, err := client.PutObject(t.Context(), label, name, strings.NewReader(name), int64(len(name)), options)
			require.NoError(t, err)
		}
		_, err := client.PutObject(t.Context(), label, "once-open", strings.NewReader("x"), 1, minio.PutObjectOptions{})
		require.NoError(t, err)
		host := "https://" + label + "." + endpoint + "/"
		open := r.ask(http.MethodGet, host+"open", nil)
		require.Equal(t, http.StatusOK, open.StatusCode)
		require.Equal(t, "open", read(t, open.Body))
		for _, name := range []string{"secret", "once-open", "open?acl", "none"} {
			require.Equal(t, http.StatusForbidden, r.ask(http.MethodGet, host+name, nil).StatusCode, name)
		}
		require.Equal(t, http.StatusForbidden, r.ask(http.MethodDelete, host+"open", nil).StatusCode)
		listing := map[string]int{"media": http.StatusForbidden, "listed": http.StatusOK}[label]
		require.Equal(t, listing, r.ask(http.MethodGet, host+"?list-type=2", nil).StatusCode, "that is what the bucket's ACL is for")
	}
}

func TestPagesOfOtherSitesMayUploadWhereTheBucketLetsThem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.bucket("media", linodego.ACLPrivate)
	asked := http.Header{
		"Origin": {"https://www.example.com"}, "Access-Control-Request-Method": {"PUT"},
		"Access-Control-Request-Headers": {"content-type"},
	}
	const object = "https://media." + endpoint + "/upload"
	answer := r.ask(http.MethodOptions, object, asked)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, "*", answer.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, answer.Header.Get("Access-Control-Allow-Methods"), "PUT")
	require.NoError(t, r.UpdateObjectStorageBucketAccess(t.Context(), "us-east", "media",
		linodego.ObjectStorageBucketUpdateAccessOptions{CorsEnabled: new(false)}))
	answer = r.ask(http.MethodOptions, object, asked)
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	require.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"))
}

// Large objects are uploaded in parts, which are gone when they are put together; and what is in a bucket outlives its server.
func TestBucketsMayAnswerNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.bucket("public", linodego.ACLPublicRead)
	tell := func(method, body string) {
		request, err := http.NewRequestWithContext(t.Context(), method, r.server.URL+simulation.FaultsPath, strings.NewReader(body))
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	}
	const there = "https://public." + endpoint + "/nothing"
	require.Equal(t, http.StatusForbidden, r.ask(http.MethodGet, there, nil).StatusCode)
	tell(http.MethodPost, `[{"delayMs": 3600000}]`)
	ctx, giveUp := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer giveUp()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, there, http.NoBody)
	require.NoError(t, err)
	_, err = r.transport().RoundTrip(request) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.DeadlineExceeded)
	tell(http.MethodDelete, "")
	require.Equal(t, http.StatusForbidden, r.ask(http.MethodGet, there, nil).StatusCode)
}

func TestWhatIsInABucketStays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.bucket("media", linodego.ACLPrivate)
	key := r.key("media", "read_write")
	big := strings.Repeat("0123456789abcdef", 11<<16) // three parts
	_, err := r.client(key, minio.BucketLookupPath).PutObject(t.Context(), "media", "big", strings.NewReader(big), int64(len(big)),
		minio.PutObjectOptions{PartSize: 5 << 20})
	require.NoError(t, err)
	require.NoError(t, r.server.Close())
	r.start()
	object, err := r.client(key, minio.BucketLookupPath).GetObject(t.Context(), "media", "big", minio.GetObjectOptions{})
	require.NoError(t, err)
	require.Equal(t, big, read(t, object))
	bucket, err := r.GetObjectStorageBucket(t.Context(), "us-east", "media")
	require.NoError(t, err)
	require.Equal(t, 1, bucket.Objects)
}
