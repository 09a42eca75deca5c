package linode_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/linode/linodego"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/linode"
)

func TestBuckets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	bucket, err := r.CreateObjectStorageBucket(ctx, linodego.ObjectStorageBucketCreateOptions{Region: "us-ord", Label: "media"})
	require.NoError(t, err)
	require.Equal(t, linodego.ObjectStorageEndpointE1, bucket.EndpointType, "the oldest kind that the region has")
	require.Equal(t, "us-ord-1.linodeobjects.com", bucket.S3Endpoint)
	require.Equal(t, "media.us-ord-1.linodeobjects.com", bucket.Hostname)
	access, err := r.GetObjectStorageBucketAccessV2(ctx, "us-ord", "media")
	require.NoError(t, err)
	require.Equal(t, linodego.ACLPrivate, access.ACL)
	require.True(t, *access.CorsEnabled)

	change := linodego.ObjectStorageBucketUpdateAccessOptions{ACL: linodego.ACLPublicRead, CorsEnabled: new(false)}
	require.NoError(t, r.UpdateObjectStorageBucketAccess(ctx, "us-ord-1", "media", change), "also by the cluster")
	access, err = r.GetObjectStorageBucketAccessV2(ctx, "us-ord-1", "media")
	require.NoError(t, err)
	require.Equal(t, linodego.ACLPublicRead, access.ACL)
	require.False(t, *access.CorsEnabled)

	newer, err := r.CreateObjectStorageBucket(ctx, linodego.ObjectStorageBucketCreateOptions{
		Region: "us-ord", Label: "backups", EndpointType: linodego.ObjectStorageEndpointE3, CorsEnabled: new(false),
	})
	require.NoError(t, err)
	require.Equal(t, "us-ord-10.linodeobjects.com", newer.S3Endpoint)
	access, err = r.GetObjectStorageBucketAccessV2(ctx, "us-ord", "backups")
	require.NoError(t, err)
	require.Nil(t, access.CorsEnabled, "the newer kinds leave it to the S3 API")
	status, answer := r.request("POST", "/v4/object-storage/buckets", `{"cluster":"us-east-1","label":"media"}`)
	require.Equal(t, 200, status, "a label is unique per endpoint")
	require.Contains(t, answer, `"region":"us-east"`, "clients from before the regions")
	require.Contains(t, answer, `"cluster":"us-east-1"`)

	all, err := r.ListObjectStorageBuckets(ctx, nil)
	require.NoError(t, err)
	require.Len(t, all, 3)
	some, err := r.ListObjectStorageBucketsInCluster(ctx, nil, "us-ord")
	require.NoError(t, err)
	require.Len(t, some, 2)
	require.NoError(t, r.DeleteObjectStorageBucket(ctx, "us-ord", "media"))
	_, err = r.GetObjectStorageBucket(ctx, "us-ord", "media")
	require.True(t, linodego.IsNotFound(err), err)
	_, err = r.GetObjectStorageBucket(ctx, "us-west", "media")
	require.EqualError(t, err, "[404] The specified region was not found or does not support Object Storage.")
}

func TestBucketsThatLinodeRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	_, err := r.CreateObjectStorageBucket(ctx, linodego.ObjectStorageBucketCreateOptions{Region: "us-east", Label: "taken"})
	require.NoError(t, err)
	for reason, options := range map[string]linodego.ObjectStorageBucketCreateOptions{
		"[label] The label is taken":          {Region: "us-east", Label: "taken"},
		"[label] Length must be 3-63":         {Region: "us-east", Label: "ab"},
		"[label] Must be lower-case letters":  {Region: "us-east", Label: "Media"},
		"[label] Must be lower-case letters,": {Region: "us-east", Label: "a.-b"},
		"[label] Must be lower-case":          {Region: "us-east", Label: "192.0.2.1"},
		"[region] region is required":         {Label: "media"},
		"[region] The specified region was":   {Region: "us-west", Label: "media"},
		"[region] The specified region":       {Region: "us-east", Label: "media", EndpointType: "E3"},
		"[acl] Must be one of private":        {Region: "us-east", Label: "media", ACL: "custom"},
		"[cors_enabled] Endpoints of type E2": {Region: "au-mel", Label: "media", CorsEnabled: new(true)},
	} {
		_, err := r.CreateObjectStorageBucket(ctx, options)
		require.ErrorContains(t, err, reason)
	}
}

// s3 sends a request with a key, whose signature nobody verifies.
func (r *rig) s3(key, method, path, body string) (status int, answer string) {
	r.t.Helper()
	request := httptest.NewRequestWithContext(r.t.Context(), method, path, strings.NewReader(body))
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20260101/us-ord-1/s3/aws4_request, Signature=x")
	recorder := httptest.NewRecorder()
	r.api.ObjectStorage().ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.String()
}

func TestABucketIsDeletedWhenItIsEmpty(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	for _, label := range []string{"media", "other"} {
		_, err := r.CreateObjectStorageBucket(ctx, linodego.ObjectStorageBucketCreateOptions{Region: "us-ord", Label: label})
		require.NoError(t, err)
	}
	grants := []linodego.ObjectStorageKeyBucketAccess{{Region: "us-ord", BucketName: "media", Permissions: "read_write"}}
	key, err := r.CreateObjectStorageKey(ctx, linodego.ObjectStorageKeyCreateOptions{Label: "app", BucketAccess: &grants})
	require.NoError(t, err)
	done := func(method, path, body, answer string) {
		t.Helper()
		status, text := r.s3(key.AccessKey, method, path, body)
		require.Equal(t, map[bool]int{false: 200, true: 204}[method == "DELETE"], status, text)
		require.Contains(t, text, answer)
	}
	refused := func(access, path string, status int, code string) {
		t.Helper()
		got, text := r.s3(access, "PUT", path, "x")
		require.Equal(t, status, got)
		require.Contains(t, text, "<Code>"+code+"</Code>")
	}
	refused("unknown", "/media/a", 403, "InvalidAccessKeyId")
	refused(key.AccessKey, "/other/a", 403, "AccessDenied")
	refused(key.AccessKey, "/gone/a", 404, "NoSuchBucket")

	done("PUT", "/media/a", "first", "")
	done("PUT", "/media/a", "second", "")
	done("GET", "/media/?versions", "", "<Version><Key>a</Key><VersionId>null</VersionId><Size>6</Size></Version></ListVersionsResult>")
	done("PUT", "/media?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", "")
	done("PUT", "/media/a", "third", "")
	done("POST", "/media?delete", "<Delete><Object><Key>a</Key></Object></Delete>", "<Deleted><Key>a</Key>")
	bucket, err := r.GetObjectStorageBucket(ctx, "us-ord", "media")
	require.NoError(t, err)
	require.Equal(t, 3, bucket.Objects, "two versions, and the mark that it is deleted")
	require.ErrorContains(t, r.DeleteObjectStorageBucket(ctx, "us-ord", "media"), "Bucket media is not empty")

	_, text := r.s3(key.AccessKey, "GET", "/media?versions", "")
	var whole strings.Builder
	for _, id := range regexp.MustCompile("<VersionId>(.*?)</VersionId>").FindAllStringSubmatch(text, -1) {
		whole.WriteString("<Object><Key>a</Key><VersionId>" + id[1] + "</VersionId></Object>")
	}
	done("POST", "/media?delete", "<Delete>"+whole.String()+"</Delete>", "")
	done("POST", "/media/b?uploads", "", "<UploadId>")
	require.ErrorContains(t, r.DeleteObjectStorageBucket(ctx, "us-ord", "media"), "Bucket media is not empty", "a part of an object")
	_, text = r.s3(key.AccessKey, "GET", "/media?uploads", "")
	upload := regexp.MustCompile("<UploadId>(.*?)</UploadId>").FindStringSubmatch(text)[1]
	done("DELETE", "/media/b?uploadId="+upload, "", "")
	require.NoError(t, r.DeleteObjectStorageBucket(ctx, "us-ord", "media"))
}

func TestObjectStorageCatalog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	endpoints, err := r.ListObjectStorageEndpoints(t.Context(), &linodego.ListOptions{Filter: `{"region":"us-ord"}`})
	require.NoError(t, err)
	require.Len(t, endpoints, 2)
	clusters, err := r.ListObjectStorageClusters(t.Context(), nil)
	require.NoError(t, err)
	require.Contains(t, clusters, linodego.ObjectStorageCluster{
		ID: "us-east-1", Domain: "us-east-1.linodeobjects.com", Status: "available", Region: "us-east",
		StaticSiteDomain: "website-us-east-1.linodeobjects.com",
	})
}

func TestObjectStorageKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	_, err := r.CreateObjectStorageBucket(ctx, linodego.ObjectStorageBucketCreateOptions{Region: "us-ord", Label: "media"})
	require.NoError(t, err)
	grants := []linodego.ObjectStorageKeyBucketAccess{{Region: "us-ord", BucketName: "media", Permissions: "read_write"}}
	key, err := r.CreateObjectStorageKey(ctx, linodego.ObjectStorageKeyCreateOptions{Label: "app", BucketAccess: &grants})
	require.NoError(t, err)
	require.Len(t, key.AccessKey, 20)
	require.Len(t, key.SecretKey, 40)
	require.True(t, key.Limited)
	require.Len(t, key.Regions, 2, "a region with two endpoints")

	shown, err := r.GetObjectStorageKey(ctx, key.ID)
	require.NoError(t, err)
	require.Equal(t, "[REDACTED]", shown.SecretKey, "the secret is shown once")
	require.Equal(t, key.AccessKey, shown.AccessKey)
	shown, err = r.UpdateObjectStorageKey(ctx, key.ID, linodego.ObjectStorageKeyUpdateOptions{
		Label: "renamed", Regions: []string{"us-ord", "us-east"},
	})
	require.NoError(t, err)
	require.Equal(t, "renamed", shown.Label)
	require.Equal(t, "[REDACTED]", shown.SecretKey)
	require.Len(t, shown.Regions, 3)

	unlimited, err := r.CreateObjectStorageKey(ctx, linodego.ObjectStorageKeyCreateOptions{Label: "all"})
	require.NoError(t, err)
	require.False(t, unlimited.Limited)
	require.Nil(t, unlimited.BucketAccess)
	require.Greater(t, len(unlimited.Regions), 20)

	for reason, options := range map[string]linodego.ObjectStorageKeyCreateOptions{
		"[label] Length must be 1-50": {},
		"[bucket_access[0].bucket_name] The specified bucket was not found": {Label: "x",
			BucketAccess: &[]linodego.ObjectStorageKeyBucketAccess{{Region: "us-ord", BucketName: "gone", Permissions: "read_only"}}},
		"[bucket_access[0].permissions] Must be one of read_only, read_write": {Label: "x",
			BucketAccess: &[]linodego.ObjectStorageKeyBucketAccess{{Region: "us-ord", BucketName: "media", Permissions: "all"}}},
		"[regions] us-ord, the region of bucket media, is missing": {Label: "x", BucketAccess: &grants, Regions: []string{"us-east"}},
		"[regions] region us-moon is not valid":                    {Label: "x", Regions: []string{"us-moon"}},
	} {
		_, err := r.CreateObjectStorageKey(ctx, options)
		require.ErrorContains(t, err, reason)
	}
	require.NoError(t, r.DeleteObjectStorageKey(ctx, key.ID))
	_, err = r.GetObjectStorageKey(ctx, key.ID)
	require.True(t, linodego.IsNotFound(err), err)
}

func (r *rig) volume(label string, size int) *linodego.Volume {
	r.t.Helper()
	options := linodego.VolumeCreateOptions{Label: label, Region: "us-ord", Size: size, Encryption: "enabled", Tags: []string{"pvc"}}
	volume, err := r.CreateVolume(r.t.Context(), options)
	require.NoError(r.t, err)
	return volume
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	cluster := r.cluster("volumes", 1)
	node := r.nodesReady(cluster.ID, 1)[0].InstanceID
	volume := r.volume("pvc-1", 10)
	require.Equal(t, linodego.VolumeCreating, volume.Status)
	_, err := r.WaitForVolumeStatus(ctx, volume.ID, linodego.VolumeActive, 1)
	require.NoError(t, err)
	require.Equal(t, "/dev/disk/by-id/scsi-0Linode_Volume_pvc-1", volume.FilesystemPath)

	persist := false
	_, err = r.AttachVolume(ctx, volume.ID, &linodego.VolumeAttachOptions{LinodeID: node, PersistAcrossBoots: &persist})
	require.NoError(t, err)
	volume, err = r.WaitForVolumeLinodeID(ctx, volume.ID, &node, 1)
	require.NoError(t, err)
	require.True(t, volume.IOReady)
	_, err = r.AttachVolume(ctx, volume.ID, &linodego.VolumeAttachOptions{LinodeID: node})
	require.ErrorContains(t, err, "is already attached", "as the CSI driver looks for it")
	require.ErrorContains(t, r.DeleteVolume(ctx, volume.ID), "must be detached")
	require.NoError(t, r.ResizeVolume(ctx, volume.ID, 20))
	require.ErrorContains(t, r.ResizeVolume(ctx, volume.ID, 20), "[size] Volumes can only be resized up")

	for i := range 6 { // a node with 4 GiB takes 8 disks, one of which is its own
		_, err = r.AttachVolume(ctx, r.volume(fmt.Sprintf("more-%d", i), 10).ID, &linodego.VolumeAttachOptions{LinodeID: node})
		require.NoError(t, err)
	}
	last := r.volume("one-too-many", 10)
	_, err = r.AttachVolume(ctx, last.ID, &linodego.VolumeAttachOptions{LinodeID: node})
	require.ErrorContains(t, err, "[linode_id] The Linode has 7 volumes, which is its limit")
	attached, err := r.ListInstanceVolumes(ctx, node, nil)
	require.NoError(t, err)
	require.Len(t, attached, 7)

	require.NoError(t, r.DetachVolume(ctx, volume.ID))
	volume, err = r.WaitForVolumeLinodeID(ctx, volume.ID, nil, 1)
	require.NoError(t, err)
	require.Equal(t, 20, volume.Size)
	require.NoError(t, r.DeleteVolume(ctx, volume.ID))
	require.NoError(t, r.DeleteInstance(ctx, node))
	attached, err = r.ListVolumes(ctx, &linodego.ListOptions{Filter: `{"linode_id":{"+neq":null}}`})
	require.NoError(t, err)
	require.Empty(t, attached, "a Linode that is deleted lets go of its volumes")

	renamed, err := r.UpdateVolume(ctx, last.ID, linodego.VolumeUpdateOptions{Label: "renamed", Tags: &[]string{"kept"}})
	require.NoError(t, err)
	require.Equal(t, "renamed", renamed.Label)
	require.Equal(t, "/dev/disk/by-id/scsi-0Linode_Volume_renamed", renamed.FilesystemPath)
	for reason, options := range map[string]linodego.VolumeCreateOptions{
		"[size] Must be 10-16384":                   {Label: "small", Region: "us-ord", Size: 9},
		"[label] Label must be unique among your":   {Label: "renamed", Region: "us-ord"},
		"[label] Must be 1-32 letters":              {Label: "a label", Region: "us-ord"},
		"[region] region is not valid":              {Label: "x", Region: "us-moon"},
		"[linode_id] linode_id is not valid":        {Label: "x", Region: "us-ord", LinodeID: 1},
		"[encryption] Must be disabled or, where t": {Label: "x", Region: "us-ord", Encryption: "maybe"},
	} {
		_, err := r.CreateVolume(ctx, options)
		require.ErrorContains(t, err, reason)
	}
}

// plugs are disks that note what was done to them.
type plugs struct {
	done []string
	fail error // of Unplug
}

func (p *plugs) note(format string, arguments ...any) error {
	p.done = append(p.done, fmt.Sprintf(format, arguments...))
	return nil
}

func (p *plugs) Plug(instance, volume int) error { return p.note("plug %d into %d", volume, instance) }
func (p *plugs) Destroy(volume int) error        { return p.note("destroy %d", volume) }
func (p *plugs) Unplug(instance, volume int) error {
	return errors.Join(p.note("unplug %d from %d", volume, instance), p.fail)
}

func TestDisksAreWhereTheirVolumesAre(t *testing.T) {
	t.Parallel()
	disks := &plugs{fail: errors.New("it is in use")}
	r := newRig(t, func(o *linode.Options) { o.Disks = disks })
	ctx := t.Context()
	instance, err := r.CreateInstance(ctx, linodego.InstanceCreateOptions{Region: "us-ord", Type: "g6-standard-2"})
	require.NoError(t, err)
	volume := r.volume("data", 10)
	_, err = r.AttachVolume(ctx, volume.ID, &linodego.VolumeAttachOptions{LinodeID: instance.ID})
	require.NoError(t, err)
	require.Error(t, r.DetachVolume(ctx, volume.ID))
	volume, err = r.GetVolume(ctx, volume.ID)
	require.NoError(t, err)
	require.Equal(t, instance.ID, *volume.LinodeID, "what cannot be unplugged stays attached")
	disks.fail, disks.done = nil, disks.done[:1]
	require.NoError(t, r.DetachVolume(ctx, volume.ID))
	require.NoError(t, r.DeleteVolume(ctx, volume.ID))
	require.Equal(t, []string{
		fmt.Sprintf("plug %d into %d", volume.ID, instance.ID), fmt.Sprintf("unplug %d from %d", volume.ID, instance.ID),
		fmt.Sprintf("destroy %d", volume.ID),
	}, disks.done)
}
