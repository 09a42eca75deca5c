package monitoring

import (
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// ProbesArgs says what is asked for, as visitors do.
type ProbesArgs struct {
	// Hosts are the public names. Each has to answer over TLS, and its certificate is that which visitors see.
	Hosts []string
	// Origin is a URL that answers 200 when the origin is well. It is one of the CDN's, which lets nobody else through to the
	// origin; what is asked for is passed on.
	Origin string
}

// Probe jobs, as the rules know them.
const (
	siteProbe   = "site"
	originProbe = "origin"
)

// NewProbes has the platform asked from time to time. It is not part of the Stack: who is asked comes after it.
func (s *Stack) NewProbes(ctx *pulumi.Context, name string, args *ProbesArgs, opts ...pulumi.ResourceOption) error {
	var sites []string
	for _, host := range args.Hosts {
		sites = append(sites, "https://"+host+"/")
	}
	opts = append(opts, pulumi.DependsOn(s.Ready))
	if err := s.newProbe(ctx, name+"-"+siteProbe, siteProbe, sites, opts); err != nil {
		return fmt.Errorf("monitoring: declaring the probe of the sites: %w", err)
	}
	if err := s.newProbe(ctx, name+"-"+originProbe, originProbe, []string{args.Origin}, opts); err != nil {
		return fmt.Errorf("monitoring: declaring the probe of the origin: %w", err)
	}
	return nil
}

// newProbe asks for URLs by the exporter's module of the job's name.
// Upstream: https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.Probe
func (s *Stack) newProbe(ctx *pulumi.Context, name, job string, urls []string, opts []pulumi.ResourceOption) error {
	_, err := apiextensions.NewCustomResource(ctx, name, &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("monitoring.coreos.com/v1"),
		Kind:       pulumi.String("Probe"),
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(job), Namespace: s.Namespace, Labels: kube.Labels(job, "probe"),
		},
		OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{
			"jobName":       pulumi.String(job),
			"module":        pulumi.String(job),
			"interval":      pulumi.String("1m"),
			"scrapeTimeout": pulumi.String("20s"),
			"prober":        pulumi.Map{"url": s.prober},
			"targets":       pulumi.Map{"staticConfig": pulumi.Map{"static": pulumi.ToStringArray(urls)}},
		}},
	}, opts...)
	return err
}
