package stacks

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/addon"
	"lke-platform/components/charts"
	"lke-platform/components/delivery"
	"lke-platform/components/logs"
	"lke-platform/components/namespace"
)

// Charts are all that a stack installs: the platform's, and those of its own.
func Charts(ctx *pulumi.Context) []charts.Chart {
	all := charts.All()
	stackFile, err := readStackFile(ctx)
	if err != nil {
		return all // Load's to report
	}
	config, _ := Decode(func(section string) string {
		if section != "charts" {
			return ""
		}
		return sectionText(ctx, stackFile, section)
	})
	for _, own := range config.Charts {
		if len(own.Validate(field.NewPath("charts"))) == 0 { // what is no chart is Load's, too
			all = append(all, own.Pinned())
		}
	}
	return all
}

// ownNamespaces are those that the platform has for itself.
var ownNamespaces = []string{
	canaryName, namespace.Ingress, namespace.Monitoring, logs.NamespaceName, delivery.NamespaceName, "cert-manager",
	"postgres-operator",
}

// validateCharts keeps the stack's own charts out of the platform's namespaces, and of the apps'.
func (c *Config) validateCharts(path *field.Path) field.ErrorList {
	names := slices.Clone(ownNamespaces)
	for _, args := range c.apps() {
		names = append(names, args.Name)
	}
	return addon.ValidateAll(path, c.Charts, names...)
}

// declareCharts declares the stack's own charts, each after those that it names.
func (p *platform) declareCharts() error {
	ready := map[string][]pulumi.Resource{}
	for i := range p.config.Charts {
		args := &p.config.Charts[i]
		before := [][]pulumi.Resource{p.monitoring.Ready}
		for _, name := range args.After {
			before = append(before, ready[name])
		}
		own, err := addon.New(p.Context, "chart-"+args.Name, args, p.cluster.Inside(), after(slices.Concat(before...)))
		if err != nil {
			return err
		}
		ready[args.Name] = own.Ready
		p.own = append(p.own, own.Ready...)
	}
	return nil
}
