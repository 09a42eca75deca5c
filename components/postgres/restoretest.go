package postgres

import (
	_ "embed" // for the script
	"maps"
	"slices"
	"strings"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/kube"
)

// RestoreTestScript restores the newest backup beside the cluster, and reads all of it.
//
//go:embed restoretest.sh
var RestoreTestScript string

const (
	// restoreTest ends the name of what tests restores, by which alerts and dashboards know it.
	restoreTest = "restore-test"
	// serverUser is the user postgres of the operator's images.
	serverUser = 26
	// restoreTestTime is how long a test may take, in seconds.
	restoreTestTime = 6 * 60 * 60
	// restoreTestDelay is how late one may start, in seconds, before it is left out.
	restoreTestDelay = 600

	// off does without tests of restores, and weekly is when they are made where nothing is said.
	off, weekly = "off", "0 5 * * 1"
)

// restoreTests is the schedule of tests; "" where there are none. The operator alone knows its images with PostGIS.
func (a *Args) restoreTests() string {
	switch {
	case a.Backups.Test == off, a.Backups.Test == "" && a.restoreImage() == "":
		return ""
	case a.Backups.Test == "":
		return weekly
	}
	return a.Backups.Test
}

// restoreImage has the servers' own programs; "" where nobody knows one.
func (a *Args) restoreImage() string {
	switch {
	case a.Image != "":
		return a.Image
	case a.spatial():
		return ""
	}
	return charts.PostgresServer(a.Version)
}

// newRestoreTest restores the newest backup to a schedule, beside the cluster, and gives the volume back. keys names the Secret
// of the repository. That a run succeeded is a metric of kube-state-metrics, by which an alert knows when none does.
func (c *Cluster) newRestoreTest(ctx *pulumi.Context, name string, args *Args, keys pulumi.StringPtrInput) error {
	metadata := args.metadata(args.Name+"-"+restoreTest, nil)
	metadata.Labels = kube.Labels(args.Name+"-"+restoreTest, restoreTest)
	_, err := batchv1.NewCronJob(ctx, name+"-"+restoreTest, &batchv1.CronJobArgs{
		Metadata: metadata,
		Spec: batchv1.CronJobSpecArgs{
			Schedule:                pulumi.String(args.restoreTests()),
			TimeZone:                pulumi.String("Etc/UTC"),
			ConcurrencyPolicy:       pulumi.String("Forbid"),
			StartingDeadlineSeconds: pulumi.Int(restoreTestDelay),
			JobTemplate: batchv1.JobTemplateSpecArgs{Spec: batchv1.JobSpecArgs{
				ActiveDeadlineSeconds: pulumi.Int(restoreTestTime),
				BackoffLimit:          pulumi.Int(1),
				Template: corev1.PodTemplateSpecArgs{
					Metadata: metav1.ObjectMetaArgs{Labels: metadata.Labels}, Spec: args.restoreTestPod(keys),
				},
			}},
		},
	}, pulumi.Parent(c))
	return err
}

func (a *Args) restoreTestPod(keys pulumi.StringPtrInput) corev1.PodSpecArgs {
	return corev1.PodSpecArgs{
		RestartPolicy:                pulumi.String("Never"),
		AutomountServiceAccountToken: pulumi.Bool(false),
		SecurityContext:              kube.PodSecurity(serverUser),
		Volumes: corev1.VolumeArray{
			corev1.VolumeArgs{Name: pulumi.String("work"), Ephemeral: a.scratch()},
			corev1.VolumeArgs{Name: pulumi.String("keys"), Secret: corev1.SecretVolumeSourceArgs{SecretName: keys}},
		},
		Containers: corev1.ContainerArray{corev1.ContainerArgs{
			Name:    pulumi.String(restoreTest),
			Image:   pulumi.String(a.restoreImage()),
			Command: pulumi.ToStringArray([]string{"sh", "-c", RestoreTestScript}),
			Env:     a.restoreTestEnvironment(),
			VolumeMounts: corev1.VolumeMountArray{
				corev1.VolumeMountArgs{Name: pulumi.String("work"), MountPath: pulumi.String(workDir)},
				corev1.VolumeMountArgs{
					Name: pulumi.String("keys"), MountPath: pulumi.String("/etc/pgbackrest/conf.d"), ReadOnly: pulumi.Bool(true),
				},
			},
			Resources: corev1.ResourceRequirementsArgs{
				Requests: pulumi.ToStringMap(map[string]string{"cpu": "100m", "memory": "512Mi"}),
				Limits:   pulumi.ToStringMap(map[string]string{"memory": "512Mi"}),
			},
			SecurityContext: kube.NoRights(),
		}},
	}
}

// scratch is a volume as large as a server's, which is gone, and paid for no longer, with the pod.
func (a *Args) scratch() corev1.EphemeralVolumeSourceArgs {
	return corev1.EphemeralVolumeSourceArgs{VolumeClaimTemplate: corev1.PersistentVolumeClaimTemplateArgs{
		Spec: corev1.PersistentVolumeClaimSpecArgs{
			StorageClassName: a.ScratchClass,
			AccessModes:      pulumi.ToStringArray([]string{"ReadWriteOnce"}),
			Resources: corev1.VolumeResourceRequirementsArgs{
				Requests: pulumi.StringMap{"storage": pulumi.String(a.Storage)},
			},
		},
	}}
}

// restoreTestEnvironment says where the backups are as pgBackRest reads it: each option is a variable.
func (a *Args) restoreTestEnvironment() corev1.EnvVarArray {
	options := repositoryOptions(a.backupPath(), true)
	for option, value := range map[string]pulumi.StringInput{
		"type": pulumi.String("s3"), "s3-bucket": a.Repository.Bucket, "s3-endpoint": a.Repository.Endpoint,
		"s3-region": a.Repository.Region,
	} {
		options[repository+"-"+option] = value
	}
	options["stanza"] = pulumi.String(stanza)
	environment := corev1.EnvVarArray{
		corev1.EnvVarArgs{Name: pulumi.String("WORK"), Value: pulumi.String(workDir)},
		corev1.EnvVarArgs{Name: pulumi.String("DATABASES"), Value: pulumi.String(strings.Join(a.DatabaseNames(), " "))},
	}
	if libraries := a.Parameters["shared_preload_libraries"]; libraries != "" { // Kubernetes leaves an empty value out
		environment = append(environment, corev1.EnvVarArgs{Name: pulumi.String("PRELOAD"), Value: pulumi.String(libraries)})
	}
	for _, option := range slices.Sorted(maps.Keys(options)) {
		name := "PGBACKREST_" + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
		environment = append(environment, corev1.EnvVarArgs{Name: pulumi.String(name), Value: options[option]})
	}
	return environment
}
