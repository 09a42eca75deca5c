package postgres

import (
	_ "embed" // for the script

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/kube"
)

// LoadScript is what loads a dump. It does nothing where the database has tables, so that a load that is declared anew, or left
// in the configuration, does no harm.
//
//go:embed load.sh
var LoadScript string

const (
	// loadUser is the user postgres of the image.
	loadUser = 70
	// workDir is where the dump lies while it is loaded.
	workDir = "/work"
	// loadRetries is how often the load is tried again.
	loadRetries = 3
)

// newLoad fills the database once, as the role that owns it. user names that role's Secret.
func (c *Cluster) newLoad(ctx *pulumi.Context, name string, args *Args, user pulumi.StringInput) (*batchv1.Job, error) {
	// An address that is signed opens what it points to.
	secret, err := corev1.NewSecret(ctx, name+"-load", &corev1.SecretArgs{
		Metadata:   args.metadata(args.Name+"-load", nil),
		StringData: pulumi.StringMap{"url": args.secret(args.Load.URL)},
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	annotations := pulumi.StringMap{"pulumi.com/timeoutSeconds": pulumi.String(args.timeoutSeconds())}
	return batchv1.NewJob(ctx, name+"-load", &batchv1.JobArgs{
		Metadata: args.metadata(args.Name+"-load", annotations),
		Spec: batchv1.JobSpecArgs{
			BackoffLimit: pulumi.Int(loadRetries),
			Template: corev1.PodTemplateSpecArgs{
				Metadata: metav1.ObjectMetaArgs{Labels: kube.Labels(args.Name+"-load", "load")},
				Spec:     args.loadPod(user, secret.Metadata.Name()),
			},
		},
	}, pulumi.Parent(c))
}

func (a *Args) loadPod(user pulumi.StringInput, secret pulumi.StringPtrInput) corev1.PodSpecArgs {
	return corev1.PodSpecArgs{
		RestartPolicy:                pulumi.String("Never"),
		AutomountServiceAccountToken: pulumi.Bool(false),
		SecurityContext:              kube.PodSecurity(loadUser),
		Tolerations:                  kube.Tolerations(),
		Volumes: corev1.VolumeArray{corev1.VolumeArgs{
			Name: pulumi.String("work"), EmptyDir: corev1.EmptyDirVolumeSourceArgs{},
		}},
		Containers: corev1.ContainerArray{corev1.ContainerArgs{
			Name:    pulumi.String("load"),
			Image:   pulumi.String(charts.PostgresTools(a.Version)),
			Command: pulumi.ToStringArray([]string{"sh", "-c", LoadScript}),
			Env:     loadEnvironment(user, secret),
			VolumeMounts: corev1.VolumeMountArray{corev1.VolumeMountArgs{
				Name: pulumi.String("work"), MountPath: pulumi.String(workDir),
			}},
			Resources: corev1.ResourceRequirementsArgs{
				Requests: pulumi.ToStringMap(map[string]string{"cpu": "100m", "memory": "256Mi"}),
				Limits:   pulumi.ToStringMap(map[string]string{"memory": "256Mi"}),
			},
			SecurityContext: kube.NoRights(),
		}},
	}
}

// loadEnvironment is how PostgreSQL's clients find the primary: a pooler is of no use to one long transaction.
func loadEnvironment(user pulumi.StringInput, secret pulumi.StringPtrInput) corev1.EnvVarArray {
	environment := corev1.EnvVarArray{
		corev1.EnvVarArgs{Name: pulumi.String("WORK"), Value: pulumi.String(workDir)},
		fromSecret("URL", secret, "url"),
	}
	for _, variable := range []struct{ name, key string }{
		{"PGHOST", "host"}, {"PGPORT", "port"}, {"PGDATABASE", "dbname"}, {"PGUSER", "user"}, {"PGPASSWORD", "password"},
	} {
		environment = append(environment, fromSecret(variable.name, user, variable.key))
	}
	return environment
}

func fromSecret(variable string, secret pulumi.StringPtrInput, key string) corev1.EnvVarArgs {
	return corev1.EnvVarArgs{Name: pulumi.String(variable), ValueFrom: corev1.EnvVarSourceArgs{
		SecretKeyRef: corev1.SecretKeySelectorArgs{Name: secret, Key: pulumi.String(key)},
	}}
}
