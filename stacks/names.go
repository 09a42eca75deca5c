package stacks

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/certificates"
	"lke-platform/components/dns"
	"lke-platform/components/monitoring"
)

// declareNames declares the zones and the certificates for all names in them. Let's Encrypt asks the zones, and nothing else of
// the platform, so that certificates are there before anything points at it.
func (p *platform) declareNames() (err error) {
	config := p.config
	config.Certificates.Label, config.Certificates.Delegated = p.account, config.Domains.ExternalZones()
	p.issuers, err = certificates.New(p.Context, "certificates", &config.Certificates,
		p.cluster.Inside(), after(p.monitoring.Ready))
	if err != nil {
		return err
	}
	config.Domains.Protect = config.Protect
	if p.zones, err = dns.New(p.Context, "domains", &config.Domains); err != nil {
		return err
	}
	if err := p.newAppNamespaces(); err != nil {
		return err
	}
	request := config.siteCertificates()
	request.Namespace = p.appNamespace.Name
	if config.CDN.TLS.IsManaged() && config.CDN.Bypassed() {
		if err := p.declareChallenges(nil); err != nil {
			return err
		}
	}
	p.tellDelegations()
	p.siteTLS, err = p.newCertificates("site", request)
	return err
}

func (p *platform) newCertificates(name string, request *certificates.Request) (*certificates.Certificates, error) {
	request.Issuer = p.issuers.Name
	before := [][]pulumi.Resource{p.zones.Ready, p.free}
	if p.siteTLS != nil && p.config.siteCertificates().Meets(request) {
		// Fastly has another certificate of the same name, and the record that proves it can hold one proof only.
		before = append(before, p.siteTLS.Ready)
	}
	return certificates.NewCertificates(p.Context, name, request, p.cluster.Inside(), after(before...))
}

// shown are the Secrets with the certificates of public names, by domain; none where visitors come to Fastly only.
func (p *platform) shown() pulumi.StringMap {
	if !p.config.showsCertificates() {
		return nil
	}
	return p.siteTLS.SecretNames
}

// newHostTLS returns the Secret with the certificate of one public name; nil where visitors come to Fastly only.
func (p *platform) newHostTLS(name, host string, namespace pulumi.StringInput) (pulumi.StringInput, error) {
	if !p.config.showsCertificates() {
		return nil, nil
	}
	tls, err := p.newCertificates(name, &certificates.Request{Hosts: []string{host}, Namespace: namespace})
	if err != nil {
		return nil, err
	}
	return tls.SecretNames[host], nil
}

// declareChallenges declares the records that prove to Fastly's authority whose the public names are. Without targets they leave
// the way to the cluster's own authority. In zones at other providers they are told.
func (p *platform) declareChallenges(targets map[string]pulumi.StringOutput) error {
	domains := &p.config.Domains
	names, external := domains.Split(p.config.servedNames())
	challenges, err := dns.NewChallenges(p.Context, "challenges", &dns.ChallengesArgs{
		Zones: p.zones, Names: names, Targets: targets,
	})
	if err != nil {
		return err
	}
	p.free = challenges.Ready
	for _, name := range external {
		if target, asked := targets[name]; asked {
			record := domains.Challenge(name, "has Fastly get the certificate of "+name+"; before its addresses")
			p.byHand = append(p.byHand, record.Output(target))
		}
	}
	return nil
}

// hostGroup are names that lead to the platform when something is ready.
type hostGroup struct {
	name  string // in the graph
	hosts []string
	ready []pulumi.Resource
}

// declareHosts declares the records of the public names, last of all: nothing points at a place that does not serve yet, or
// without a valid certificate. They lead to Fastly; a bypass leads them past it, straight to the NodeBalancer.
func (p *platform) declareHosts() error {
	lead := p.config.edge
	if p.config.CDN.Bypassed() {
		lead = p.door
	}
	// One app that does not get well keeps none but its own names back.
	ready := slices.Clone(p.serving)
	for _, group := range p.names {
		ready = append(ready, group.ready)
		atLinode, external := p.config.Domains.Split(group.hosts)
		p.tellHosts(external, lead)
		args := &dns.HostsArgs{Zones: p.zones, Hosts: atLinode, IPv4: lead.ipv4, IPv6: lead.ipv6}
		if _, err := dns.NewHosts(p.Context, group.name, args, after(append(p.serving, group.ready)...)); err != nil {
			return err
		}
	}
	// From now on they are asked for, too.
	candidates := candidateHosts(p.config.apps())
	answering := slices.DeleteFunc(p.config.publicHosts(), func(host string) bool {
		return isWildcard(host) || slices.Contains(candidates, host)
	})
	err := p.monitoring.NewProbes(p.Context, "probes", &monitoring.ProbesArgs{
		Hosts: answering, Origin: "https://" + p.config.siteHost() + p.config.CDN.Origin.HealthPath,
	}, p.cluster.Inside(), after(ready...))
	if err != nil || p.config.Monitoring.Fastly == nil {
		return err
	}
	return p.monitoring.NewFastlyStatistics(p.Context, "fastly-statistics", &p.config.Monitoring.Args, p.services,
		p.cluster.Inside())
}
