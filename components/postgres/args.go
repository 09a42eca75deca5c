package postgres

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
)

// Args describes a database cluster.
type Args struct {
	// Operator is what runs database clusters.
	Operator OperatorArgs `json:"operator"`
	// Version is the major version of PostgreSQL, 15 to 17: the operator's exporter has no metrics of 18 yet. Another one needs
	// a new cluster. Default 17.
	Version int `json:"version"`
	// Image is one of PostgreSQL of one's own, for extensions that the operator's lacks; it has to be made for the operator.
	Image string `json:"image"`
	// Database is the name of the database, or of the first. Default app.
	Database string `json:"database"`
	// User is the name of the ordinary role that owns it, see Database.User.
	User string `json:"user"`
	// Extensions are created in it, see Database.Extensions.
	Extensions []string `json:"extensions"`
	// Databases are further ones.
	Databases []Database `json:"databases"`
	// Readers are roles that read everything and change nothing, for people and reports.
	Readers []string `json:"readers"`
	// Instances is the number of servers, each on a node of its own: one primary, the others take over. Default 2.
	Instances int `json:"instances"`
	// Storage is the size of each server's data, at least 10Gi, which is Linode's smallest volume. It only ever grows.
	// Default 20Gi.
	Storage string `json:"storage"`
	// WALStorage is the size of each server's write-ahead log, at least 10Gi. What may pile up in it is bounded by its size.
	// Default 10Gi.
	WALStorage string `json:"walStorage"`
	// CPU is reserved for each server, in cores. Default 500m.
	CPU string `json:"cpu"`
	// Memory is reserved for each server and limits it, in bytes; a quarter of it is PostgreSQL's own cache. Default 2Gi.
	Memory string `json:"memory"`
	// Parameters of PostgreSQL, by name, over those that the component sets.
	// Upstream: https://www.postgresql.org/docs/current/runtime-config.html
	Parameters map[string]string `json:"parameters"`
	// RequireTLS refuses connections without TLS. They come from pods of the same namespace either way. Default true.
	RequireTLS bool `json:"requireTLS"`
	// Pooler shares few connections to the primary among many clients.
	Pooler Pooler `json:"pooler"`
	// Backups are on Object Storage: the write-ahead log, minute by minute, and backups to a schedule.
	Backups Backups `json:"backups"`
	// Restore takes the cluster, in place, back to what it was. It happens once.
	Restore *Restore `json:"restore"`
	// StartFrom fills a cluster that does not exist yet from a backup.
	StartFrom *StartFrom `json:"startFrom"`
	// Load fills the database from a dump, as long as it is empty.
	Load *Load `json:"load"`
	// Timeout is how long the cluster, or the load, may take to get ready, a restore included. Default 30m.
	Timeout string `json:"timeout"`

	// Name of the cluster, which begins the names of everything that belongs to it.
	Name string `json:"-"`
	// Namespace is where the cluster runs, and where the application has to run that uses it.
	Namespace pulumi.StringInput `json:"-"`
	// StorageClass is the class of the volumes. It should keep them when they are released.
	StorageClass pulumi.StringInput `json:"-"`
	// Repository is the bucket of the backups.
	Repository Repository `json:"-"`
	// ScratchClass is the class of the volume that restores are tested on. It should delete it when it is released.
	ScratchClass pulumi.StringInput `json:"-"`
	// SecretValues holds a value for every secret of SecretNames, by name.
	SecretValues pulumi.StringMapInput `json:"-"`
	// Protect refuses to delete the cluster.
	Protect bool `json:"-"`
}

// Pooler is PgBouncer.
type Pooler struct {
	// Replicas, at least 1. Default 2.
	Replicas int `json:"replicas"`
	// Mode says when a connection to the primary goes to the next client: after each transaction, or when the client hangs up
	// (session). With transaction, LISTEN, advisory locks and SET do not outlive a transaction. Default transaction.
	// Upstream: https://www.pgbouncer.org/features.html
	Mode string `json:"mode"`
	// Size is how many connections to the primary each replica holds at most, for each database. In session mode it has to be
	// enough for all clients: which replica one of them meets is chance, and when a replica is lost they all meet the others.
	// Default 20.
	Size int `json:"size"`
}

// Backups says when backups are made and how long they are kept. Schedules are those of cron, in UTC.
type Backups struct {
	// Path within the bucket. A cluster that starts anew, not from the backups that are there, needs another one.
	// Default: / and the cluster's name.
	Path string `json:"path"`
	// Full is the schedule of backups of everything. Default: Sundays at 03:00.
	Full string `json:"full"`
	// Differential is the schedule of backups of what has changed since the last full one. Default: the other days at 03:00.
	Differential string `json:"differential"`
	// RetentionDays is how far back the cluster can be restored, to any moment. Default 14.
	RetentionDays int `json:"retentionDays"`
	// Encryption names the secret that holds the passphrase of the backups. Without the passphrase they are lost, and it
	// cannot be changed but together with Path.
	Encryption string `json:"encryption"`
	// Test is the schedule by which the newest backup is restored, beside the cluster, and all of it read; off does without.
	// Default: Mondays at 05:00, but none for PostGIS, which needs Image.
	Test string `json:"test"`
}

// Restore is a moment of the past. What was written after it is gone, but for the backups.
type Restore struct {
	// Time in RFC 3339, to the second and in quotes, for instance "2026-11-20T10:00:00Z".
	Time string `json:"time"`
}

// StartFrom is the backup that a new cluster starts from.
type StartFrom struct {
	// Time in RFC 3339, to the second. Default: the last moment that was archived.
	Time string `json:"time"`
	// Bucket is where the backup is. Default: where the cluster's own backups go.
	Bucket *SourceBucket `json:"bucket"`
}

// SourceBucket is the bucket of another cluster.
type SourceBucket struct {
	// Name of the bucket.
	Name string `json:"name"`
	// Endpoint is the host of the S3 API, for instance us-east-1.linodeobjects.com.
	Endpoint string `json:"endpoint"`
	// Path of the backups within the bucket.
	Path string `json:"path"`
	// AccessKey and SecretKey name the secrets that hold a key of the bucket; reading is enough.
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
	// Encryption names the secret that holds the passphrase. Default: the backups are not encrypted.
	Encryption string `json:"encryption"`
}

// Load is a dump to begin with: what pg_dump writes, as an archive or as SQL, compressed with gzip or not.
type Load struct {
	// URL names the secret that holds the https address of the dump, such as a signed one of an object in a bucket.
	URL string `json:"url"`
}

// Repository is a bucket that backups go to.
type Repository struct {
	Bucket, Endpoint, Region, AccessKey, SecretKey pulumi.StringInput
}

// Defaults are the arguments where nothing else is said.
func Defaults() Args {
	return Args{
		Version:    17,
		Database:   "app",
		Instances:  2,
		Storage:    "20Gi",
		WALStorage: "10Gi",
		CPU:        "500m",
		Memory:     "2Gi",
		RequireTLS: true,
		Pooler:     Pooler{Replicas: 2, Mode: "transaction", Size: 20},
		Backups:    Backups{Full: "0 3 * * 0", Differential: "0 3 * * 1-6", RetentionDays: 14},
		Timeout:    "30m",
	}
}

// SecretNames are the secrets of the stack that the cluster uses, each once and sorted.
func (a *Args) SecretNames() []string {
	names := sets.New(a.Backups.Encryption)
	if a.StartFrom != nil && a.StartFrom.Bucket != nil {
		names.Insert(a.StartFrom.Bucket.AccessKey, a.StartFrom.Bucket.SecretKey, a.StartFrom.Bucket.Encryption)
	}
	if a.Load != nil {
		names.Insert(a.Load.URL)
	}
	return sets.List(names)
}

// secret is the value of a secret of the stack.
func (a *Args) secret(name string) pulumi.StringOutput {
	return pulumi.ToSecret(a.SecretValues.ToStringMapOutput().MapIndex(pulumi.String(name))).(pulumi.StringOutput)
}
