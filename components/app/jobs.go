package app

import (
	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

const (
	// startDelay is how late a run may start, in seconds, before it is left out; without it, a job that missed a hundred runs
	// while the control plane was away would never run again.
	startDelay = 600
	// retries is how often a run that failed is tried again.
	retries = 2
	// history is how many runs that succeeded, and how many that failed, are kept to look at.
	history = 3
)

// newJob runs a command in the application's image on a schedule, one run at a time.
func (a *App) newJob(ctx *pulumi.Context, name string, args *Args, job Job, shared *shared, before []pulumi.Resource) error {
	timeout, err := duration(job.Timeout, jobTimeout)
	if err != nil {
		return err
	}
	metadata := args.metadata()
	metadata.Name = pulumi.String(args.jobName(job))
	// Labels of its own: the Service would send visitors to a pod with the application's.
	metadata.Labels = kube.Labels(args.jobName(job), "job")
	container := args.container(shared, args.Image, args.Resources)
	container.Command = pulumi.ToStringArray(job.Command)
	pod := args.pod(shared, container)
	pod.RestartPolicy = pulumi.String("Never")
	_, err = batchv1.NewCronJob(ctx, name+"-"+job.Name, &batchv1.CronJobArgs{
		Metadata: metadata,
		Spec: batchv1.CronJobSpecArgs{
			Schedule:                   pulumi.String(job.Schedule),
			TimeZone:                   pulumi.String(job.timeZone()),
			ConcurrencyPolicy:          pulumi.String("Forbid"),
			StartingDeadlineSeconds:    pulumi.Int(startDelay),
			SuccessfulJobsHistoryLimit: pulumi.Int(history),
			FailedJobsHistoryLimit:     pulumi.Int(history),
			JobTemplate: batchv1.JobTemplateSpecArgs{Spec: batchv1.JobSpecArgs{
				ActiveDeadlineSeconds: pulumi.Int(int(timeout.Seconds())),
				BackoffLimit:          pulumi.Int(retries),
				Template: corev1.PodTemplateSpecArgs{
					Metadata: &metav1.ObjectMetaArgs{Labels: metadata.Labels}, Spec: pod,
				},
			}},
		},
	}, pulumi.Parent(a), pulumi.DependsOn(before))
	return err
}

func (a *Args) jobName(job Job) string { return a.Name + "-" + job.Name }

func (j *Job) timeZone() string {
	if j.TimeZone == "" {
		return "Etc/UTC"
	}
	return j.TimeZone
}
