package cdn

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
)

// CertificateSync copies certificates to Fastly: once when it is declared or changed, and then on a schedule, so that renewed
// ones get there too.
type CertificateSync struct {
	pulumi.ResourceState

	// Ready is what to wait for: behind it, Fastly serves every domain with its certificate. Nothing while Fastly is bypassed.
	Ready []pulumi.Resource
}

const (
	// syncName is the name of the CronJob and of the Secret with the token, and begins the names of Jobs. Alert rules know it.
	syncName = "certsync"
	// syncSchedule is every six hours, at a minute that few others use. A renewed certificate has a third of its time to get to
	// Fastly.
	syncSchedule = "17 */6 * * *"
	// tokenKey is the key of the token in its Secret.
	tokenKey = "token"
	// certificatesPath is where the container finds a folder for each domain.
	certificatesPath = "/certificates"
	// syncUser is the user of images without a distribution in them.
	syncUser = 65532
)

// Seconds, unless they say otherwise.
const (
	// syncPatience is how long one attempt waits for Fastly and tries again, in minutes.
	syncPatience = 10
	// syncRetries is how often an attempt that failed is made again: its node may have been lost.
	syncRetries = 1
	// syncLimit ends a run, whatever it does: all attempts, and a minute more for each to start.
	syncLimit = (syncRetries + 1) * (syncPatience + 1) * 60
	// syncStartDelay is how late a run may start before it is left out.
	syncStartDelay = 600
	// syncRemembered is how long a scheduled run is kept to look at; one that failed is an alert for so long.
	syncRemembered = 24 * 60 * 60
)

// NewCertificateSync declares what copies certificates to Fastly.
func NewCertificateSync(
	ctx *pulumi.Context, name string, args *CertificateSyncArgs, opts ...pulumi.ResourceOption,
) (*CertificateSync, error) {
	if faults := append(args.Validate(nil), args.checkInputs()...); len(faults) > 0 {
		return nil, fmt.Errorf("cdn: %w", faults.ToAggregate())
	}
	s := &CertificateSync{}
	if err := ctx.RegisterComponentResource("lke-platform:cdn:CertificateSync", name, s, opts...); err != nil {
		return nil, fmt.Errorf("cdn: %w", err)
	}
	// Its name stays, so that a new token is no new Job: the next run reads it.
	token, err := corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata:   args.metadata(pulumi.String(syncName)),
		StringData: pulumi.StringMap{tokenKey: args.TokenValue},
	}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("cdn: declaring the Secret of certsync: %w", err)
	}
	pod := args.pod(token)
	if err := s.newSchedule(ctx, name, args, pod); err != nil {
		return nil, fmt.Errorf("cdn: declaring the CronJob of certsync: %w", err)
	}
	if !args.Bypassed {
		if err := s.newJob(ctx, name, args, pod); err != nil {
			return nil, fmt.Errorf("cdn: declaring the Job of certsync: %w", err)
		}
	}
	return s, component.Done(ctx, s, pulumi.Map{})
}

// newSchedule declares the runs on a schedule.
func (s *CertificateSync) newSchedule(
	ctx *pulumi.Context, name string, args *CertificateSyncArgs, pod *corev1.PodTemplateSpecArgs,
) error {
	run := args.run(pod)
	run.TtlSecondsAfterFinished = pulumi.Int(syncRemembered)
	_, err := batchv1.NewCronJob(ctx, name, &batchv1.CronJobArgs{
		Metadata: args.metadata(pulumi.String(syncName)),
		Spec: batchv1.CronJobSpecArgs{
			Schedule:                   pulumi.String(syncSchedule),
			TimeZone:                   pulumi.String("Etc/UTC"),
			ConcurrencyPolicy:          pulumi.String("Forbid"),
			StartingDeadlineSeconds:    pulumi.Int(syncStartDelay),
			SuccessfulJobsHistoryLimit: pulumi.Int(1),
			FailedJobsHistoryLimit:     pulumi.Int(3),
			JobTemplate:                batchv1.JobTemplateSpecArgs{Spec: run},
		},
	}, pulumi.Parent(s))
	return err
}

// newJob declares the run that the graph waits for. Its name says what it was for: another one is another Job, the same one
// has been done. It stays when it has ended, or it would be missed and made again.
func (s *CertificateSync) newJob(
	ctx *pulumi.Context, name string, args *CertificateSyncArgs, pod *corev1.PodTemplateSpecArgs,
) error {
	jobName := args.ServiceIDs.ToStringArrayOutput().ApplyT(args.jobName).(pulumi.StringOutput)
	metadata := args.metadata(jobName)
	metadata.Annotations = pulumi.StringMap{
		// A run that failed is made again by the next `pulumi up`.
		"pulumi.com/replaceUnready": pulumi.String("true"),
		// The run's own limit comes first, and says more.
		"pulumi.com/timeoutSeconds": pulumi.String(strconv.Itoa(syncLimit + 60)),
	}
	job, err := batchv1.NewJob(ctx, name, &batchv1.JobArgs{Metadata: metadata, Spec: args.run(pod)}, pulumi.Parent(s))
	if err != nil {
		return err
	}
	s.Ready = append(s.Ready, job)
	return nil
}

// jobName is certsync- and a hash of what Fastly has to be told anew when it changes.
func (a *CertificateSyncArgs) jobName(services []string) (string, error) {
	text, err := json.Marshal([]any{a.Image, a.Stack, a.domains(), a.names(), strings.Join(services, ","), a.Configuration})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%x", syncName, sha256.Sum256(text))[:len(syncName)+11], nil
}

func (a *CertificateSyncArgs) domains() []string { return slices.Sorted(maps.Keys(a.Certificates)) }

func (a *CertificateSyncArgs) names() string {
	return strings.Join(slices.Sorted(slices.Values(a.Names)), ",")
}

func (a *CertificateSyncArgs) metadata(name pulumi.StringInput) *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{Name: name, Namespace: a.Namespace, Labels: kube.Labels(syncName, "job")}
}

// run is what every run has in common.
func (a *CertificateSyncArgs) run(pod *corev1.PodTemplateSpecArgs) *batchv1.JobSpecArgs {
	return &batchv1.JobSpecArgs{
		ActiveDeadlineSeconds: pulumi.Int(syncLimit),
		BackoffLimit:          pulumi.Int(syncRetries),
		Template:              pod,
	}
}

// pod reads Secrets as files and asks Fastly. It asks nothing of Kubernetes, and nobody asks it.
func (a *CertificateSyncArgs) pod(token *corev1.Secret) *corev1.PodTemplateSpecArgs {
	const volume = "certificates"
	container := a.container(token)
	container.VolumeMounts = corev1.VolumeMountArray{corev1.VolumeMountArgs{
		Name: pulumi.String(volume), MountPath: pulumi.String(certificatesPath), ReadOnly: pulumi.Bool(true),
	}}
	return &corev1.PodTemplateSpecArgs{
		Metadata: &metav1.ObjectMetaArgs{Labels: kube.Labels(syncName, "job")},
		Spec: &corev1.PodSpecArgs{
			AutomountServiceAccountToken: pulumi.Bool(false),
			EnableServiceLinks:           pulumi.Bool(false),
			RestartPolicy:                pulumi.String("Never"),
			Containers:                   corev1.ContainerArray{container},
			Volumes: corev1.VolumeArray{corev1.VolumeArgs{
				Name: pulumi.String(volume), Projected: a.projection(),
			}},
			SecurityContext: kube.PodSecurity(syncUser),
			Tolerations:     kube.Tolerations(),
		},
	}
}

func (a *CertificateSyncArgs) container(token *corev1.Secret) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name:  pulumi.String(syncName),
		Image: pulumi.String(a.Image),
		Args:  pulumi.ToStringArray(a.arguments()),
		Env: corev1.EnvVarArray{corev1.EnvVarArgs{
			Name: pulumi.String("FASTLY_API_KEY"),
			ValueFrom: corev1.EnvVarSourceArgs{SecretKeyRef: corev1.SecretKeySelectorArgs{
				Name: token.Metadata.Name(), Key: pulumi.String(tokenKey),
			}},
		}},
		Resources: corev1.ResourceRequirementsArgs{
			Requests: pulumi.ToStringMap(map[string]string{"cpu": "10m", "memory": "64Mi"}),
			Limits:   pulumi.ToStringMap(map[string]string{"memory": "64Mi"}),
		},
		// Its last words are in the pod's status then, where `pulumi up` finds them.
		TerminationMessagePolicy: pulumi.String("FallbackToLogsOnError"),
		SecurityContext:          kube.NoRights(),
	}
}

// arguments are those of `certsync sync`.
func (a *CertificateSyncArgs) arguments() []string {
	arguments := []string{
		"sync", "--stack=" + a.Stack, "--certificates=" + certificatesPath, "--names=" + a.names(),
		fmt.Sprintf("--timeout=%dm", syncPatience),
	}
	if a.Configuration != "" {
		arguments = append(arguments, "--configuration="+a.Configuration)
	}
	return arguments
}

// projection is a folder for each domain, with its certificate and its key.
func (a *CertificateSyncArgs) projection() *corev1.ProjectedVolumeSourceArgs {
	var sources corev1.VolumeProjectionArray
	for _, domain := range a.domains() {
		var items corev1.KeyToPathArray
		for _, key := range []string{"tls.crt", "tls.key"} {
			items = append(items, corev1.KeyToPathArgs{Key: pulumi.String(key), Path: pulumi.String(domain + "/" + key)})
		}
		sources = append(sources, corev1.VolumeProjectionArgs{Secret: corev1.SecretProjectionArgs{
			Name: a.Certificates[domain].ToStringOutput(), Items: items,
		}})
	}
	// Nobody but the container's user and group can read it.
	return &corev1.ProjectedVolumeSourceArgs{DefaultMode: pulumi.Int(0o440), Sources: sources}
}
