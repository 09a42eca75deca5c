package app

import (
	"strconv"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// Release is a command that a new version is made ready by, such as the migration of the database. It runs in the new image, with
// the new environment, before any process of them starts; the old version goes on serving meanwhile, and keeps on where the
// command fails.
type Release struct {
	// Command and its arguments.
	Command []string `json:"command"`
	// Timeout is how long it may take. Default 10m.
	Timeout string `json:"timeout"`
}

// releaseName is the process that a release command is.
const releaseName = "release"

// awaitMargin is how much longer than a Job may take it is waited for, in seconds: its own end says more.
const awaitMargin = 60

// newRelease runs the release command once for what the processes are about to run. There is one Job by its name, and the last
// one is gone before the next is made, so that two never run. It stays when it has ended, or it would be missed and made again.
func (a *App) newRelease(ctx *pulumi.Context, name string, args *Args, shared *shared) (*batchv1.Job, error) {
	timeout, err := duration(args.Release.Timeout, releaseTimeout)
	if err != nil {
		return nil, err
	}
	seconds := int(timeout.Seconds())
	object := args.Name + "-" + releaseName
	labels := kube.Labels(object, releaseName)
	container := args.container(shared, args.released(), args.Resources)
	container.Command = pulumi.ToStringArray(args.Release.Command)
	// Its last words are in the pod's status then, where `pulumi up` finds them.
	container.TerminationMessagePolicy = pulumi.String("FallbackToLogsOnError")
	pod := args.pod(shared, container)
	pod.RestartPolicy = pulumi.String("Never")
	return batchv1.NewJob(ctx, name+"-"+releaseName, &batchv1.JobArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(object), Namespace: args.Namespace, Labels: labels,
			Annotations: pulumi.StringMap{
				// A run that failed is made again by the next `pulumi up`.
				"pulumi.com/replaceUnready": pulumi.String("true"),
				"pulumi.com/timeoutSeconds": pulumi.String(strconv.Itoa(seconds + awaitMargin)),
			},
		},
		Spec: batchv1.JobSpecArgs{
			ActiveDeadlineSeconds: pulumi.Int(seconds),
			BackoffLimit:          pulumi.Int(0), // what half of it did is for somebody to look at
			Template:              corev1.PodTemplateSpecArgs{Metadata: &metav1.ObjectMetaArgs{Labels: labels}, Spec: pod},
		},
	}, pulumi.Parent(a), pulumi.DeleteBeforeReplace(true))
}
