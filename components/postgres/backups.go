package postgres

import (
	"cmp"
	"time"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
	"lke-platform/components/internal/network"
)

// backups is the part of the cluster that pgBackRest does.
// Upstream: https://pgbackrest.org/configuration.html
func (a *Args) backups(keys pulumi.StringPtrOutput) pulumi.Map {
	repo := a.repo(a.Repository.Bucket, a.Repository.Endpoint, a.Repository.Region)
	repo["schedules"] = pulumi.StringMap{
		"full": pulumi.String(a.Backups.Full), "differential": pulumi.String(a.Backups.Differential),
	}
	global := repositoryOptions(a.backupPath(), true)
	global[repository+"-retention-full"] = pulumi.Sprintf("%d", a.Backups.RetentionDays)
	global[repository+"-retention-full-type"] = pulumi.String("time")
	// Small files go in bundles: each object has its price in time.
	global[repository+"-bundle"] = pulumi.String("y")
	global["start-fast"] = pulumi.String("y")
	// Where the bucket cannot be reached for so long that the log takes three fifths of its volume, pgBackRest gives up
	// archiving until the next backup, instead of PostgreSQL stopping for want of space.
	global["archive-push-queue-max"] = pulumi.String(part(a.WALStorage, 0.6) + "MiB")

	backups := pulumi.Map{
		"configuration": secretFiles(keys),
		"global":        global,
		"repos":         pulumi.Array{repo},
		"jobs": pulumi.Map{
			"resources":         kube.Requests("100m", "256Mi"),
			"priorityClassName": pulumi.String(kube.PriorityData),
		},
		"sidecars": pulumi.Map{
			"pgbackrest":       resources("20m", "256Mi"),
			"pgbackrestConfig": resources("5m", "32Mi"),
		},
	}
	if a.Restore != nil {
		restore := a.restoreJob(a.Restore.Time)
		restore["enabled"] = pulumi.Bool(true)
		restore["repoName"] = pulumi.String(repository)
		backups["restore"] = restore
	}
	return backups
}

// dataSource is the backup that a new cluster starts from. keys names the Secret of its repository.
func (a *Args) dataSource(keys pulumi.StringPtrOutput) pulumi.Map {
	source := a.restoreJob(a.StartFrom.Time)
	source["stanza"] = pulumi.String(stanza)
	source["configuration"] = secretFiles(keys)
	source["global"] = repositoryOptions(a.backupPath(), true)
	source["repo"] = a.repo(a.Repository.Bucket, a.Repository.Endpoint, a.Repository.Region)
	if bucket := a.StartFrom.Bucket; bucket != nil {
		source["global"] = repositoryOptions(bucket.Path, bucket.Encryption != "")
		source["repo"] = a.repo(pulumi.String(bucket.Name), pulumi.String(bucket.Endpoint),
			pulumi.String(network.SigningRegion(bucket.Endpoint)))
	}
	return source
}

// restoreJob is a restore up to a moment, or to the end of the archive. It gets what a server gets, and like one it does not
// leave a node in haste: it would begin anew.
func (a *Args) restoreJob(moment string) pulumi.Map {
	job := pulumi.Map{
		"resources":         kube.Requests(a.CPU, a.Memory),
		"priorityClassName": pulumi.String(kube.PriorityData),
	}
	if moment != "" {
		// The operator puts the options into a shell's command as they are, and the time has a space in it.
		job["options"] = pulumi.ToStringArray([]string{"--type=time", `--target="` + target(moment) + `"`})
	}
	return job
}

// target is a moment, which Validate has checked, as pgBackRest reads it.
func target(moment string) string {
	instant, _ := time.Parse(time.RFC3339, moment)
	return instant.UTC().Format("2006-01-02 15:04:05+00")
}

func (a *Args) backupPath() string { return cmp.Or(a.Backups.Path, "/"+a.Name) }

func (a *Args) repo(bucket, endpoint, region pulumi.StringInput) pulumi.Map {
	return pulumi.Map{
		"name": pulumi.String(repository),
		"s3":   pulumi.Map{"bucket": bucket, "endpoint": endpoint, "region": region},
	}
}

// repositoryOptions are those that reading needs as much as writing does.
func repositoryOptions(path string, encrypted bool) pulumi.StringMap {
	options := pulumi.StringMap{
		repository + "-path": pulumi.String(path),
		// The certificate of Linode's endpoints is not valid for the names of all buckets.
		repository + "-s3-uri-style": pulumi.String("path"),
	}
	if encrypted {
		options[repository+"-cipher-type"] = pulumi.String("aes-256-cbc")
	}
	return options
}

func secretFiles(name pulumi.StringPtrInput) pulumi.Array {
	return pulumi.Array{pulumi.Map{"secret": pulumi.Map{"name": name}}}
}

// ownKeys open the cluster's own repository, and sourceKeys that which it starts from. pgBackRest reads both as a file.
func (a *Args) ownKeys() pulumi.StringOutput {
	return keyFile(a.Repository.AccessKey, a.Repository.SecretKey, a.secret(a.Backups.Encryption))
}

func (a *Args) sourceKeys() pulumi.StringOutput {
	bucket := a.StartFrom.Bucket
	var passphrase pulumi.StringInput
	if bucket.Encryption != "" {
		passphrase = a.secret(bucket.Encryption)
	}
	return keyFile(a.secret(bucket.AccessKey), a.secret(bucket.SecretKey), passphrase)
}

func keyFile(accessKey, secretKey, passphrase pulumi.StringInput) pulumi.StringOutput {
	file := pulumi.Sprintf("[global]\n%[1]s-s3-key=%[2]s\n%[1]s-s3-key-secret=%[3]s\n", repository, accessKey, secretKey)
	if passphrase != nil {
		file = pulumi.Sprintf("%s%s-cipher-pass=%s\n", file, repository, passphrase)
	}
	return pulumi.ToSecret(file).(pulumi.StringOutput)
}

// newRepositorySecret holds the keys of a repository. It keeps its name when a key changes: pgBackRest reads it each time.
func (c *Cluster) newRepositorySecret(
	ctx *pulumi.Context, name string, args *Args, purpose string, file pulumi.StringOutput,
) (pulumi.StringPtrOutput, error) {
	secret, err := corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata:   args.metadata(args.Name+"-"+purpose, nil),
		StringData: pulumi.StringMap{"s3.conf": file},
	}, pulumi.Parent(c))
	if err != nil {
		return pulumi.StringPtrOutput{}, err
	}
	return secret.Metadata.Name(), nil
}
