package monitoring

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"

	"lke-platform/components/internal/check"
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
	objectives, err := args.Objectives.groups(args.Fastly != nil)
	if err != nil {
		return err
	}
	groups = append(groups, objectives...)
	args.Alerts.link(groups)
	declared := append(pulumi.ToArray(groups), args.Alerts.limits())
	if len(args.NodePrices) > 0 {
		declared = append(declared, args.prices())
	}
	_, err = apiextensions.NewCustomResource(ctx, name+"-rules", &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("monitoring.coreos.com/v1"),
		Kind:       pulumi.String("PrometheusRule"),
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String("platform"), Namespace: s.Namespace, Labels: kube.Labels("platform", "alerts"),
		},
		OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{"groups": declared}},
	}, pulumi.Parent(s), pulumi.DependsOn([]pulumi.Resource{release}))
	return err
}

// ruleGroups reads the groups of all rule files, in the order of the files' names.
func ruleGroups() ([]any, error) {
	names, err := fs.Glob(ruleFiles, "rules/*.yaml")
	if err != nil {
		return nil, err
	}
	var groups []any
	for _, name := range names {
		content, err := ruleFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var file struct{ Groups []any }
		if err := yaml.Unmarshal(content, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		groups = append(groups, file.Groups...)
	}
	return groups, nil
}

// link has each alert name its place among the pages about alerts: one page a group, with a heading for each.
func (a *Alerts) link(groups []any) {
	for _, group := range groups {
		group := group.(map[string]any)
		for _, rule := range group["rules"].([]any) {
			rule := rule.(map[string]any)
			if alert, is := rule["alert"].(string); is {
				rule["annotations"].(map[string]any)["runbook_url"] = fmt.Sprintf("%s/%s.md#%s",
					strings.TrimSuffix(a.Pages, "/"), group["name"], strings.ToLower(alert))
			}
		}
	}
}

// limits are what the rules compare with where that is a matter of configuration.
func (a *Alerts) limits() pulumi.Map {
	limit := func(backup, age string) pulumi.Map {
		return pulumi.Map{
			"record": pulumi.String("platform:backup_age_limit:seconds"),
			"expr":   pulumi.String(fmt.Sprintf("vector(%d)", check.Seconds(age))),
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
