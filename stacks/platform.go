// Package stacks holds the one program that every stack runs, and the configuration that tells the stacks apart.
package stacks

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/app"
	"lke-platform/components/cdn"
	"lke-platform/components/lke"
	"lke-platform/components/namespace"
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
	appNamespace, err := namespace.New(ctx, config.App.Name, &namespace.Args{
		Name: config.App.Name, Standard: namespace.Restricted,
		Open: []namespace.Opening{{Name: "web", Ports: []any{"http"}}},
	}, pulumi.Providers(cluster.Provider))
	if err != nil {
		return err
	}
	config.App.Namespace = appNamespace.Name
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
