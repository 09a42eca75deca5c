package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// serverVariable names the environment variable with the address of a server for the S3 API that is asked in place of all
// others, as a rehearsal does.
const serverVariable = "OBJECT_STORAGE_URL"

// key opens a bucket over the S3 API: https://techdocs.akamai.com/linode-api/reference/post-object-storage-keys
type key struct {
	ID     int    `json:"id"`
	Access string `json:"access_key"`
	Secret string `json:"secret_key"`
}

// clear deletes all that is in a bucket: every version of every object, and the parts of uploads that nobody has ended. Linode's
// provider has an option for that, obj_bucket_force_delete; it would empty every bucket that ever leaves the program, asks for
// the deletion of all objects at once, of which S3 takes a thousand, and leaves parts of uploads.
func (d *destruction) clear(ctx context.Context, b *bucket) (err error) {
	opened, err := d.newKey(ctx, b)
	if err != nil {
		return fmt.Errorf("making a key for bucket %s: %w", b.Label, err)
	}
	defer func() {
		err = errors.Join(err, d.linode.Delete(context.WithoutCancel(ctx), fmt.Sprintf("/object-storage/keys/%d", opened.ID)))
	}()
	client, err := connectBucket(b, opened)
	if err != nil {
		return fmt.Errorf("connecting to bucket %s: %w", b.Label, err)
	}
	if err := d.awaitKey(ctx, client, b); err != nil {
		return fmt.Errorf("opening bucket %s: %w", b.Label, err)
	}
	deleted, err := d.deleteVersions(ctx, client, b)
	if err == nil {
		err = abortUploads(ctx, client, b)
	}
	if err != nil {
		return fmt.Errorf("emptying bucket %s, after %d deletions: %w", b.Label, deleted, err)
	}
	d.say("Bucket %s is empty: %d versions of objects were deleted.", b.Label, deleted)
	return nil
}

func (d *destruction) newKey(ctx context.Context, b *bucket) (*key, error) {
	made := &key{}
	return made, d.linode.Post(ctx, "/object-storage/keys", map[string]any{
		"label": d.account() + "-emptying",
		"bucket_access": []map[string]string{{
			"region": b.Region, "bucket_name": b.Label, "permissions": "read_write",
		}},
	}, made)
}

func connectBucket(b *bucket, opened *key) (*minio.Core, error) {
	server, err := url.Parse(cmp.Or(os.Getenv(serverVariable), "https://"+b.S3Endpoint))
	if err != nil {
		return nil, err
	}
	region, _, _ := strings.Cut(b.S3Endpoint, ".")
	return minio.NewCore(server.Host, &minio.Options{
		Creds: credentials.NewStaticV4(opened.Access, opened.Secret, ""), Secure: server.Scheme == "https",
		Region: region, BucketLookup: minio.BucketLookupPath,
	})
}

// awaitKey waits until the key opens its bucket, which takes endpoints of the newer types half a minute.
func (d *destruction) awaitKey(ctx context.Context, client *minio.Core, b *bucket) error {
	const keyTime, pause = 2 * time.Minute, time.Second
	limited, stop := context.WithTimeout(ctx, keyTime)
	defer stop()
	for {
		_, err := client.ListObjectsV2(b.Label, "", "", "", "", 1)
		if err == nil || minio.ToErrorResponse(err).StatusCode != http.StatusForbidden {
			return err
		}
		select {
		case <-time.After(pause):
		case <-limited.Done():
			return err
		}
	}
}

// deleteVersions also deletes the markers of objects that are deleted already. What is locked is not deleted.
func (d *destruction) deleteVersions(ctx context.Context, client *minio.Core, b *bucket) (deleted int, err error) {
	const told = 10_000
	var failed error
	versions := func(yield func(minio.ObjectInfo) bool) {
		for one := range client.ListObjectsIter(ctx, b.Label, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
			if failed = one.Err; failed != nil || !yield(one) {
				return
			}
		}
	}
	results, err := client.RemoveObjectsWithIter(ctx, b.Label, versions, minio.RemoveObjectsOptions{})
	if err != nil {
		return 0, err
	}
	for one := range results {
		if one.Err != nil {
			return deleted, fmt.Errorf("%s: %w", one.ObjectName, one.Err)
		}
		if deleted++; deleted%told == 0 {
			d.say("Bucket %s: %d deleted so far.", b.Label, deleted)
		}
	}
	return deleted, failed
}

// abortUploads deletes the parts of uploads that were begun and not ended.
func abortUploads(ctx context.Context, client *minio.Core, b *bucket) error {
	for {
		page, err := client.ListMultipartUploads(ctx, b.Label, "", "", "", "", 0)
		if err != nil || len(page.Uploads) == 0 {
			return err
		}
		for _, one := range page.Uploads {
			if err := client.AbortMultipartUpload(ctx, b.Label, one.Key, one.UploadID); err != nil {
				return fmt.Errorf("upload of %s: %w", one.Key, err)
			}
		}
	}
}
