package stacks

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/cdn"
	"lke-platform/components/delivery"
	"lke-platform/components/dns"
	"lke-platform/components/ingress"
	"lke-platform/components/monitoring"
	"lke-platform/components/namespace"
)

// declareEntrance declares the way in: the ingress controller behind a NodeBalancer, and the records of the origin, which lead
// there. They come after its certificate, and before whoever asks for them.
func (p *platform) declareEntrance() (err error) {
	config := p.config
	if !config.CDN.Bypassed() {
		if config.Ingress.FastlyRanges, err = fastlyRanges(p.Context); err != nil {
			return err
		}
	}
	certificate := config.Domains.Zones[0].Name
	if config.CDN.TLS.IsManaged() {
		certificate = config.originHost()
	}
	config.Ingress.DefaultCertificate = pulumi.Sprintf("%s/%s", p.appNamespace.Name, p.siteTLS.SecretNames[certificate])
	config.Ingress.Label, config.Ingress.Kubeconfig = p.account, p.cluster.Kubeconfig
	config.Ingress.Taints = config.Cluster.Taints()
	if config.Monitoring.Objectives.AreThere() {
		config.Ingress.LatencyBuckets = monitoring.LatencyBuckets()
	}
	config.Ingress.Anonymous = config.haveWebSockets() // which Fastly opens without a certificate of its own
	if config.Ingress.Serves, err = p.servedNamespaces(); err != nil {
		return err
	}
	p.entrance, err = ingress.New(p.Context, "ingress", &config.Ingress,
		p.cluster.Inside(), after(p.monitoring.Ready, p.siteTLS.Ready))
	if err != nil {
		return err
	}
	ipv4, ipv6 := p.entrance.Addresses(p.Context)
	p.door = edge{ipv4: []pulumi.StringInput{ipv4}, ipv6: []pulumi.StringInput{ipv6}}
	p.origin, err = dns.NewHosts(p.Context, "origin", &dns.HostsArgs{
		Zones: p.zones, Hosts: []string{config.originHost()}, IPv4: p.door.ipv4, IPv6: p.door.ipv6,
	}, after(p.siteTLS.Ready))
	if err != nil {
		return err
	}
	p.serving = append(p.serving, p.origin.Ready)
	tls, err := p.newHostTLS("grafana", config.grafanaHost(), p.monitoring.Namespace)
	if err != nil {
		return err
	}
	grafana, err := p.monitoring.NewIngress(p.Context, "grafana", &monitoring.IngressArgs{
		Host: config.grafanaHost(), Class: p.entrance.ClassName, TLSSecret: tls,
	}, p.cluster.Inside())
	p.serving = append(p.serving, []pulumi.Resource{grafana})
	return err
}

// servedNamespaces are those with names that visitors ask for. The controller may look into no others.
func (p *platform) servedNamespaces() (served map[string]pulumi.StringInput, err error) {
	served = map[string]pulumi.StringInput{
		namespace.Monitoring: p.monitoring.Namespace, p.config.App.Name: p.appNamespace.Name,
	}
	for name, further := range p.furtherNamespaces {
		served[name] = further.Name
	}
	if p.config.Delivery.Keel() {
		if p.keelNamespace, err = delivery.NewNamespace(p.Context, p.cluster.Inside()); err != nil {
			return nil, err
		}
		served[delivery.NamespaceName] = p.keelNamespace.Name
	}
	if p.config.Canary {
		if err = p.newCanaryNamespace(); err != nil {
			return nil, err
		}
		served[canaryName] = p.canaryNamespace.Name
	}
	return served, nil
}

// fastlyRanges are the networks that Fastly's requests come from.
func fastlyRanges(ctx *pulumi.Context) (pulumi.StringArrayInput, error) {
	ranges, err := fastly.GetFastlyIpRanges(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking Fastly for its networks: %w", err)
	}
	return pulumi.ToStringArray(slices.Concat(ranges.CidrBlocks, ranges.Ipv6CidrBlocks)), nil
}

// declareCDN declares the Fastly services that all visitors come through, and has Fastly show certificates. What the first gives
// up one of the others can have: Fastly gives a name to one service at a time.
func (p *platform) declareCDN() error {
	config := p.config
	p.Export("url", pulumi.String("https://"+config.siteHost()))
	if config.off.Has("cdn") {
		return nil
	}
	further := pulumi.Map{}
	// An active service asks for its origin at once, and remembers for minutes that a name is not there.
	before := [][]pulumi.Resource{p.siteTLS.Ready, p.origin.Ready}
	var ready []pulumi.Resource
	for i, s := range config.services() {
		made, err := p.newService(s, before)
		if err != nil {
			return err
		}
		p.services, ready = append(p.services, made.ID), append(ready, made.Ready...)
		if i == 0 {
			before = append(before, made.Ready)
			p.Export("fastlyServiceId", made.ID)
			continue
		}
		further[s.app().Name] = made.ID
	}
	if len(further) > 0 {
		p.Export("fastlyServiceIds", further)
	}
	return p.showCertificates(ready)
}

func (p *platform) newService(s *service, before [][]pulumi.Resource) (*cdn.Service, error) {
	args := s.args
	args.Protect = p.config.Protect
	if p.config.fastly != nil {
		args.Known = p.config.fastly.Domains
	}
	args.ClientCertificate, args.ClientKey = p.entrance.Identity.Certificate, p.entrance.Identity.Key
	return cdn.New(p.Context, s.prefix+"cdn", args, after(before...))
}

// showCertificates has Fastly show certificates of all names, which its services have.
func (p *platform) showCertificates(ready []pulumi.Resource) error {
	config, args := p.config, &p.config.CDN
	if !config.Certificates.Trusted() {
		return nil // Fastly would take none of them
	}
	if args.TLS.IsManaged() {
		return p.declareSubscriptions(ready)
	}
	sync, err := cdn.NewCertificateSync(p.Context, "certsync", &cdn.CertificateSyncArgs{
		TLS: args.TLS, Stack: p.account, Namespace: p.appNamespace.Name, Certificates: p.siteTLS.SecretNames,
		Names: config.servedNames(), ServiceIDs: p.services, Bypassed: args.Bypassed(), TokenValue: config.fastlyTLSToken,
	}, p.cluster.Inside(), after(ready))
	if err != nil {
		return err
	}
	p.serving = append(p.serving, sync.Ready)
	return nil
}

// declareSubscriptions has Fastly get certificates of its own. During a bypass nothing waits for them: the records that prove the
// names are the cluster's then. Nothing waits for those of names in zones at other providers, either, which lead here when
// somebody sets their records.
func (p *platform) declareSubscriptions(services []pulumi.Resource) error {
	args, served := &p.config.CDN, p.config.servedNames()
	subscriptions, err := cdn.NewSubscriptions(p.Context, "tls", &cdn.SubscriptionsArgs{
		Authority: args.TLS.Authority, Configuration: args.TLS.Configuration, Names: served,
	}, after(services))
	if err != nil || args.Bypassed() {
		return err
	}
	if err := p.declareChallenges(subscriptions.Challenges); err != nil {
		return err
	}
	names, _ := p.config.Domains.Split(served)
	issued, err := subscriptions.Await(p.Context, names, after(p.free))
	p.serving = append(p.serving, issued)
	return err
}

// declarePassages declares ways to the media and to the backends that do not lead through Fastly, for a bypass.
func (p *platform) declarePassages() error {
	for _, s := range p.config.services() {
		if hosts := s.args.MediaHosts(); len(hosts) > 0 {
			media := &cdn.PassageArgs{
				Name: "media", Component: "media", Routes: cdn.WholeHosts(hosts), Address: s.args.MediaAddress(),
			}
			if err := p.newPassage(s, media); err != nil {
				return err
			}
		}
		for _, backend := range s.args.Backends {
			args := &cdn.PassageArgs{
				Name: "backend-" + backend.Name, Component: "backend", Routes: backend.Routes(),
				Address: pulumi.String(backend.Address), KeepHost: backend.KeepHost,
			}
			if err := p.newPassage(s, args); err != nil {
				return err
			}
		}
	}
	return nil
}

// newPassage declares a passage beside the app, whose certificates are valid for it, too.
func (p *platform) newPassage(s *service, args *cdn.PassageArgs) error {
	args.Namespace, args.Certificates, args.IngressClass = s.app().Namespace, s.app().Certificates, p.entrance.ClassName
	passage, err := cdn.NewPassage(p.Context, s.prefix+args.Name, args, p.cluster.Inside())
	if err != nil {
		return err
	}
	p.serving = append(p.serving, passage.Ready)
	return nil
}
