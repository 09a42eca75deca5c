package app

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
)

// Args describes an application: its process web, which the keys of Process describe, those beside it, and what they share.
type Args struct {
	// Name is the application's name: that of its objects in Kubernetes.
	Name string `json:"name"`
	// Image is the container image, with a tag or a digest.
	Image string `json:"image"`
	// Registry is the account that pulls the image; nil for a public image.
	Registry *Registry `json:"registry"`
	// User is the numeric user that the container runs as. Root, 0, is for images that know no other: the namespace is then held
	// to a weaker standard, see PodSecurity. Default 1000.
	User int `json:"user"`
	// Hosts are the names that web answers to.
	Hosts []string `json:"hosts"`

	// Process is web. Its Port is 4000, and its Health.Path /health, where nothing else is said; a job gets its Resources, and
	// holds its DatabaseConnections.
	Process
	// Processes run beside web, in the same environment.
	Processes []NamedProcess `json:"processes"`
	// Release is run before each new version.
	Release *Release `json:"release"`
	// Candidate is a version that is tried beside the one that visitors get; nil where each version rolls out at once.
	Candidate *Candidate `json:"candidate"`
	// Files are those that the application looks for in its file system.
	Files []File `json:"files"`
	// Env is the plain environment.
	Env map[string]string `json:"env"`
	// Secrets is the secret environment: the name of a secret of the stack by environment variable.
	Secrets map[string]string `json:"secrets"`
	// Database is the environment that describes the database: by environment variable the key of the operator's Secret, or ca
	// or ca-file for the authority that signs the database's certificate, as text or as the path of a file. A key of a further
	// database stands behind its name and a slash: analytics/uri.
	// Default: DB_HOST, DB_NAME, DB_USER and DB_PASS, with the host of the connection pooler.
	Database map[string]string `json:"database"`
	// Caches is the environment that describes caches: by environment variable the name of a cache, a slash, and uri, host or
	// port.
	Caches map[string]string `json:"caches"`
	// Media is the environment that describes the media bucket: bucket, region, endpoint, accessKey or secretKey by
	// environment variable.
	Media map[string]string `json:"media"`
	// Jobs run besides the replicas, on a schedule.
	Jobs []Job `json:"jobs"`

	// Namespace is where the application runs.
	Namespace pulumi.StringInput `json:"-"`
	// IngressClass is the class of the controller that serves Hosts.
	IngressClass pulumi.StringInput `json:"-"`
	// Certificates are the Secrets in Namespace that hold certificates: their names, each by the domain that it is valid for,
	// together with all names right below. Nil leaves TLS to the ingress controller.
	Certificates pulumi.StringMap `json:"-"`
	// OriginHost is the name that the CDN connects by, and OriginCertificate the Secret in Namespace with the certificate that it
	// is shown. Nil where one of Certificates is valid for that name, too.
	OriginHost        string             `json:"-"`
	OriginCertificate pulumi.StringInput `json:"-"`
	// SecretValues holds a value for every entry of Secrets, by environment variable.
	SecretValues pulumi.StringMap `json:"-"`
	// FileSecrets holds a value for every secret of Files, by its name.
	FileSecrets pulumi.StringMap `json:"-"`
	// StorageClass is the class of the volumes of processes. It should keep them when they are released.
	StorageClass pulumi.StringInput `json:"-"`
	// Protect refuses to delete the volumes.
	Protect bool `json:"-"`
	// RegistryPassword is the password of Registry.
	RegistryPassword pulumi.StringInput `json:"-"`
	// DatabaseSecret is the name of the Secret in Namespace that the Postgres operator writes; nil for no database.
	DatabaseSecret pulumi.StringInput `json:"-"`
	// DatabaseSecrets are those of all databases, by their names.
	DatabaseSecrets pulumi.StringMap `json:"-"`
	// CacheHosts are the hosts of all caches, by their names, and CachePort is their port.
	CacheHosts pulumi.StringMap `json:"-"`
	CachePort  int              `json:"-"`
	// DatabaseAuthority is the name of the Secret in Namespace whose ca.crt is the authority that signs the database's
	// certificate.
	DatabaseAuthority pulumi.StringInput `json:"-"`
	// Bucket is the bucket that Media describes.
	Bucket *Bucket `json:"-"`
	// Annotations of the Deployments of Image, for what delivers new versions to them.
	Annotations map[string]string `json:"-"`
	// Leave are the properties of these Deployments that belong to what delivers new versions to them.
	Leave []string `json:"-"`
}

// Registry is an account of a container registry, that of Image.
type Registry struct {
	// Username of the account.
	Username string `json:"username"`
	// Password is the name of the stack's secret that holds the password or the access token.
	Password string `json:"password"`
}

// Autoscale says how many replicas run at most, and when.
// Upstream: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
type Autoscale struct {
	// Max is how many replicas run at most.
	Max int `json:"max"`
	// CPUPercent is the use of CPU that replicas are added at, in percent of Resources.CPU. Default 70.
	CPUPercent int `json:"cpuPercent"`
}

// Resources of one replica. Memory is reserved and limited; CPU is reserved only, since a limit slows a replica down
// while the node is idle.
type Resources struct {
	// CPU is in cores. Default 250m.
	CPU string `json:"cpu"`
	// Memory is in bytes. Default 512Mi.
	Memory string `json:"memory"`
}

// Health is what Kubernetes asks of a replica: Path, TCP or Command.
// Upstream: https://kubernetes.io/docs/concepts/workloads/pods/probes/
type Health struct {
	// Path of the request that a replica answers with 200 when it can serve visitors. It gets none until it does.
	Path string `json:"path"`
	// TCP says that a replica is well when it takes connections.
	TCP bool `json:"tcp"`
	// Command is run in the container, and succeeds when the replica is well.
	Command []string `json:"command"`
	// StartLimit is how long a replica may take until it is well for the first time. Default 5m.
	StartLimit string `json:"startLimit"`
	// LivenessPath is the path of the request that a replica is restarted for when it does not answer. What asks the database
	// there has a failover restart all replicas. Default: none; it is enough to take connections.
	LivenessPath string `json:"livenessPath"`
	// Host header of the requests, for applications that redirect unknown hosts. Default: the address of the pod.
	Host string `json:"host"`
	// Headers of the requests besides, by name. X-Forwarded-Proto is https unless it stands here.
	Headers map[string]string `json:"headers"`
}

// Job runs a command in the application's image, with the application's environment.
// Upstream: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
type Job struct {
	// Name of the job, unique in the application.
	Name string `json:"name"`
	// Schedule is when it runs, in cron's five fields.
	Schedule string `json:"schedule"`
	// TimeZone of the schedule. Default Etc/UTC.
	TimeZone string `json:"timeZone"`
	// Command and its arguments.
	Command []string `json:"command"`
	// Timeout is how long a run may take. Default 1h.
	Timeout string `json:"timeout"`
}

// Bucket is a bucket of an S3-compatible object storage.
type Bucket struct {
	// Name of the bucket.
	Name pulumi.StringInput
	// Region of the bucket.
	Region pulumi.StringInput
	// Endpoint is the host that serves the bucket's region.
	Endpoint pulumi.StringInput
	// AccessKey and SecretKey may read and write the bucket.
	AccessKey, SecretKey pulumi.StringInput
}

// Defaults are the arguments where nothing else is said.
func Defaults() Args {
	web := defaultProcess()
	web.Port = 4000
	return Args{
		Process: web,
		User:    1000,
		Database: map[string]string{
			"DB_HOST": "pgbouncer-host", "DB_NAME": "dbname", "DB_USER": "user", "DB_PASS": "password",
		},
	}
}

// MostConnections is how many connections to the database there are at most: while a new version rolls out, the release command
// runs beside everything, and then one more replica of each process than otherwise.
func (a *Args) MostConnections() int {
	most := len(a.Jobs) * a.DatabaseConnections
	if a.Release != nil {
		most += a.DatabaseConnections
	}
	for _, process := range a.processes("") {
		most += process.most() * cmp.Or(process.DatabaseConnections, a.DatabaseConnections)
	}
	if a.Candidate != nil && !a.tries() { // there will be one
		most += (1 + surge) * a.DatabaseConnections
	}
	return most
}

// Pools are the databases that the application connects to through their pooler, each once; "" is the one without a name.
func (a *Args) Pools() []string {
	pools := sets.New[string]()
	for _, entry := range a.Database {
		if database, key := databaseOf(entry); strings.HasPrefix(key, "pgbouncer-") {
			pools.Insert(database)
		}
	}
	return sets.List(pools)
}

// Pooled tells whether the application connects through the pooler of a database.
func (a *Args) Pooled() bool { return len(a.Pools()) > 0 }

// Direct tells whether the application knows a way to the database that leads past the pooler.
func (a *Args) Direct() bool {
	return a.uses(func(key string) bool { return slices.Contains([]string{"host", "uri", "jdbc-uri"}, key) })
}

// uses tells whether one of the variables that describe the database is of a kind.
func (a *Args) uses(kind func(key string) bool) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(a.Database)), func(entry string) bool {
		_, key := databaseOf(entry)
		return kind(key)
	})
}

// SecretNames are the secrets of the stack that the application uses, each once and sorted.
func (a *Args) SecretNames() []string {
	names := sets.New(slices.Collect(maps.Values(a.Secrets))...)
	if a.Registry != nil {
		names.Insert(a.Registry.Password)
	}
	for _, file := range a.Files {
		if file.Secret != "" {
			names.Insert(file.Secret)
		}
	}
	return sets.List(names)
}
