package stacks

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/app"
	"lke-platform/components/charts"
	"lke-platform/components/namespace"
)

// The canary is a page that never changes, which every path of the platform leads to: DNS, Fastly, the NodeBalancer, the ingress
// controller, a node. While it answers and the site does not, the fault is the app's.
const (
	canaryName = "canary"
	canaryPort = 8080
)

// canaryHost is the public name of the canary.
func (c *Config) canaryHost() string { return canaryName + "." + c.Domains.Zones[0].Name }

// newCanaryNamespace declares the canary's namespace, which the ingress controller is let into.
func (p *platform) newCanaryNamespace() (err error) {
	p.canaryNamespace, err = namespace.New(p.Context, canaryName, &namespace.Args{
		Name: canaryName, Standard: namespace.Restricted,
		Open: []namespace.Opening{{Name: "web", Namespaces: []string{namespace.Ingress}, Ports: []any{canaryPort}}},
	}, p.cluster.Inside())
	return err
}

// declareCanary declares the canary: an app like the other, and nothing that an app could break.
func (p *platform) declareCanary() error {
	if !p.config.Canary {
		return nil
	}
	host := p.config.canaryHost()
	tls, err := p.newHostTLS(canaryName, host, p.canaryNamespace.Name)
	if err != nil {
		return err
	}
	args := app.Defaults()
	args.Name, args.Image, args.Hosts, args.Database = canaryName, charts.Busybox.String(), []string{host}, nil
	args.Command = []string{"httpd", "-f", "-p", "8080", "-h", "/www"}
	args.Files = []app.File{{Path: "/www/index.html", Content: "The platform is well.\n"}}
	args.Port, args.Health.Path = canaryPort, "/"
	args.Resources = app.Resources{CPU: "10m", Memory: "16Mi"}
	args.Namespace, args.IngressClass = p.canaryNamespace.Name, p.entrance.ClassName
	if tls != nil {
		args.Certificates = pulumi.StringMap{host: tls}
	}
	canary, err := app.New(p.Context, canaryName, &args, p.cluster.Inside())
	if err != nil {
		return err
	}
	p.serving = append(p.serving, canary.Ready)
	return nil
}
