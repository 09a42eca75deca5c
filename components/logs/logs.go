// Package logs declares where all that is written ends up: Loki, with its lines in a bucket, and Alloy on every node, which reads
// what containers write, what Kubernetes notes, and what the ingress controller answered.
package logs

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/components/internal/component"
	"lke-platform/components/internal/kube"
	"lke-platform/components/namespace"
)

// Store is Loki, and what fills it.
type Store struct {
	pulumi.ResourceState
}

const (
	// NamespaceName is the namespace of both.
	NamespaceName = "logs"
	// Port is where Loki is asked, and told.
	Port = 3100
	// alloyPort is where Alloys tell metrics, and each other who is there.
	alloyPort = 12345

	loki, alloy = "loki", "alloy"
)

// URL is Loki's, inside the cluster.
var URL = fmt.Sprintf("http://%s.%s.svc:%d", loki, NamespaceName, Port)

// New declares the store. The kinds of object that monitoring brings have to be there: its caller depends on them.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Store, error) {
	if faults := args.Validate(nil); len(faults) > 0 {
		return nil, fmt.Errorf("logs: %w", faults.ToAggregate())
	}
	s := &Store{}
	if err := ctx.RegisterComponentResource("lke-platform:logs:Store", name, s, opts...); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	space, err := namespace.New(ctx, name, confinement(), pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	store, err := s.newLoki(ctx, name, args, space.Name)
	if err != nil {
		return nil, fmt.Errorf("logs: declaring Loki: %w", err)
	}
	if err := s.newAlloy(ctx, name, args, space.Name, store); err != nil {
		return nil, fmt.Errorf("logs: declaring Alloy: %w", err)
	}
	return s, component.Done(ctx, s, pulumi.Map{})
}

// confinement is privileged, since Alloy reads files of the host, which no stricter standard allows. Loki is unprivileged by its
// own settings. Nobody but Alloy tells Loki anything.
func confinement() *namespace.Args {
	pods := func(name string) map[string]string { return map[string]string{"app.kubernetes.io/name": name} }
	return &namespace.Args{
		Name: NamespaceName, Standard: namespace.Privileged,
		Open: []namespace.Opening{
			{Name: loki, Pods: pods(loki), Namespaces: []string{namespace.Monitoring}, Ports: []any{Port}},
			{Name: alloy, Pods: pods(alloy), Namespaces: []string{namespace.Monitoring}, Ports: []any{alloyPort}},
		},
		Bound: []namespace.Bound{
			{Name: loki + "-bound", Pods: pods(loki), Ports: []int{443}}, // Object Storage
			{Name: alloy + "-bound", Pods: pods(alloy), Ports: namespace.APIServer},
		},
	}
}

// newLoki declares Loki, and the key that it opens the bucket with.
func (s *Store) newLoki(ctx *pulumi.Context, name string, args *Args, space pulumi.StringInput) (*charts.Release, error) {
	// Immutable and named by the engine, so that another key is another Secret, which rolls Loki.
	key, err := corev1.NewSecret(ctx, name+"-bucket", &corev1.SecretArgs{
		Metadata:  metav1.ObjectMetaArgs{Namespace: space, Labels: kube.Labels(loki, "bucket")},
		Immutable: pulumi.Bool(true),
		StringData: pulumi.StringMap{
			accessKeyVariable: args.Bucket.AccessKey, secretKeyVariable: args.Bucket.SecretKey,
		},
	}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("key of the bucket: %w", err)
	}
	return charts.NewRelease(ctx, name+"-"+loki, &charts.ReleaseArgs{
		Chart: charts.Loki, Name: loki, Namespace: space,
		Values: args.lokiValues(key.Metadata.Name().Elem()), Overrides: args.Values,
	}, pulumi.Parent(s))
}

// newAlloy declares Alloy on every node. It comes after Loki, and so begins with all that nodes still have.
func (s *Store) newAlloy(
	ctx *pulumi.Context, name string, args *Args, space pulumi.StringInput, store *charts.Release,
) error {
	pipeline, err := args.pipeline()
	if err != nil {
		return err
	}
	name += "-" + alloy
	// Immutable and named by the engine, so that another pipeline is another ConfigMap, which rolls Alloy. The chart would take
	// its text for a template.
	config, err := corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
		Metadata:  metav1.ObjectMetaArgs{Namespace: space, Labels: kube.Labels(alloy, "pipeline")},
		Immutable: pulumi.Bool(true),
		Data:      pulumi.StringMap{pipelineFile: pulumi.String(pipeline)},
	}, pulumi.Parent(s))
	if err != nil {
		return err
	}
	_, err = charts.NewRelease(ctx, name, &charts.ReleaseArgs{
		Chart: charts.Alloy, Name: alloy, Namespace: space, Values: alloyValues(config.Metadata.Name().Elem()),
	}, pulumi.Parent(s), pulumi.DependsOn([]pulumi.Resource{store}))
	return err
}
