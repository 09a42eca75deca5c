// Package stacks holds the one program that every stack runs, and the configuration that tells the stacks apart.
package stacks

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/app"
	"lke-platform/components/cdn"
	"lke-platform/components/lke"
)

// ingressClass is the class that Ingress objects ask for: the ingress controller's.
const ingressClass = "traefik"

// Deploy declares the platform that the stack's configuration describes. Nothing is declared unless all of it is valid.
func Deploy(ctx *pulumi.Context) error {
	config, err := Load(ctx)
	if err != nil {
		return err
	}
	// Names in the Linode and Fastly accounts, which all stacks share.
	account := ctx.Project() + "-" + ctx.Stack()

	config.Cluster.Label = account
	config.Cluster.Protect = config.Protect
	cluster, err := lke.New(ctx, "cluster", &config.Cluster)
	if err != nil {
		return err
	}

	// Everything inside the cluster is declared through its provider, which waits for the nodes.
	namespace, err := newNamespace(ctx, config.App.Name, pulumi.Provider(cluster.Provider))
	if err != nil {
		return err
	}
	config.App.Namespace = namespace.Metadata.Name().Elem()
	config.App.IngressClass = pulumi.String(ingressClass)
	if _, err = app.New(ctx, "app", &config.App, pulumi.Providers(cluster.Provider)); err != nil {
		return err
	}

	config.CDN.Name = account
	config.CDN.Domains = config.App.Hosts
	config.CDN.Protect = config.Protect
	service, err := cdn.New(ctx, "cdn", &config.CDN)
	if err != nil {
		return err
	}

	ctx.Export("clusterId", cluster.ID)
	ctx.Export("kubeconfig", cluster.Kubeconfig)
	ctx.Export("fastlyServiceId", service.ID)
	ctx.Export("url", pulumi.String("https://"+config.App.Hosts[0]))
	return nil
}

// newNamespace declares a namespace whose pods run without privileges.
// Upstream: https://kubernetes.io/docs/concepts/security/pod-security-standards/
func newNamespace(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (*corev1.Namespace, error) {
	namespace, err := corev1.NewNamespace(ctx, name, &corev1.NamespaceArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name:   pulumi.String(name),
			Labels: pulumi.StringMap{"pod-security.kubernetes.io/enforce": pulumi.String("restricted")},
		},
	}, opts...)
	if err != nil {
		return nil, fmt.Errorf("stacks: declaring namespace %s: %w", name, err)
	}
	return namespace, nil
}
