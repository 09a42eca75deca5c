package monitoring

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"

	"lke-platform/components/internal/kube"
)

// ruleFiles are rule files of Prometheus, a group each. Their tests, for `promtool test rules`, are in rules/tests.
//
//go:embed rules/*.yaml
var ruleFiles embed.FS

// newRules declares the alert rules. The release's CRD has to be there.
func (s *Stack) newRules(ctx *pulumi.Context, name string, args *Args, release pulumi.Resource) error {
	groups, err := ruleGroups()
	if err != nil {
		return err
	}
	groups = append(groups, args.Alerts.limits())
	if len(args.NodePrices) > 0 {
		groups = append(groups, args.prices())
	}
	_, err = apiextensions.NewCustomResource(ctx, name+"-rules", &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("monitoring.coreos.com/v1"),
		Kind:       pulumi.String("PrometheusRule"),
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String("platform"), Namespace: s.Namespace, Labels: kube.Labels("platform", "alerts"),
		},
		OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{"groups": groups}},
	}, pulumi.Parent(s), pulumi.DependsOn([]pulumi.Resource{release}))
	return err
}

// ruleGroups reads the groups of all rule files, in the order of the files' names.
func ruleGroups() (pulumi.Array, error) {
	names, err := fs.Glob(ruleFiles, "rules/*.yaml")
	if err != nil {
		return nil, err
	}
	var groups pulumi.Array
	for _, name := range names {
		content, err := ruleFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var file struct{ Groups []any }
		if err := yaml.Unmarshal(content, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		groups = append(groups, pulumi.ToArray(file.Groups)...)
	}
	return groups, nil
}

// limits are what the rules compare with where that is a matter of configuration.
func (a *Alerts) limits() pulumi.Map {
	limit := func(backup, age string) pulumi.Map {
		return pulumi.Map{
			"record": pulumi.String("platform:backup_age_limit:seconds"),
			"expr":   pulumi.String(fmt.Sprintf("vector(%d)", seconds(age))),
			"labels": pulumi.StringMap{"backup": pulumi.String(backup)},
		}
	}
	return pulumi.Map{
		"name":  pulumi.String("limits"),
		"rules": pulumi.Array{limit("any", a.BackupAge), limit("full", a.FullBackupAge)},
	}
}

// prices are what the nodes of each type cost, which the program has asked Linode for.
func (a *Args) prices() pulumi.Map {
	rules := pulumi.Array{}
	for _, nodeType := range slices.Sorted(maps.Keys(a.NodePrices)) {
		rules = append(rules, pulumi.Map{
			"record": pulumi.String("platform:node_month:usd"),
			"expr":   pulumi.String(fmt.Sprintf("vector(%g)", a.NodePrices[nodeType])),
			"labels": pulumi.StringMap{"type": pulumi.String(nodeType)},
		})
	}
	return pulumi.Map{"name": pulumi.String("prices"), "rules": rules}
}
