// Package stacks holds the one program that every stack runs, and the configuration that tells the stacks apart.
package stacks

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/app"
	"lke-platform/components/cache"
	"lke-platform/components/cdn"
	"lke-platform/components/certificates"
	"lke-platform/components/delivery"
	"lke-platform/components/dns"
	"lke-platform/components/ingress"
	"lke-platform/components/lke"
	"lke-platform/components/monitoring"
	"lke-platform/components/namespace"
	"lke-platform/components/objectstorage"
	"lke-platform/components/postgres"
)

// Deploy declares the platform that the stack's configuration describes. Nothing is declared unless all of it is valid.
func Deploy(ctx *pulumi.Context) error {
	config, err := Load(ctx)
	if err != nil {
		return err
	}
	p := &platform{Context: ctx, config: config, account: accountName(ctx)}
	for _, declare := range []func() error{
		p.declareCluster,
		p.declareMonitoring,
		p.declareNames,
		p.declareEntrance,
		p.declareDatabase,
		p.declareCaches,
		p.declareCharts,
		p.declareApp,
		p.declareDelivery,
		p.declareCDN,
		p.declareMedia,
		p.declareHosts,
	} {
		if err := declare(); err != nil {
			return err
		}
	}
	return nil
}

// platform is what has been declared so far.
type platform struct {
	*pulumi.Context
	config *Config
	// account names the stack in the Linode and Fastly accounts, which all stacks share.
	account string

	cluster    *lke.Cluster
	monitoring *monitoring.Stack
	issuers    *certificates.Issuers
	zones      *dns.Zones
	entrance   *ingress.Controller
	// door is where the entrance is reached past Fastly, and origin the records that lead Fastly there.
	door   edge
	origin *dns.Hosts
	// appNamespace holds the app, its database and its certificates.
	appNamespace *namespace.Namespace
	// keelNamespace is nil where Keel does not run.
	keelNamespace *namespace.Namespace
	siteTLS       *certificates.Certificates
	// free are the records that have to be there before the cluster can prove whose the public names are.
	free  []pulumi.Resource
	media *objectstorage.Bucket
	// caches are their hosts, by name.
	caches pulumi.StringMap
	// own are the releases of the stack's own charts, which the app may need.
	own []pulumi.Resource
	// database is nil where the stack does without.
	database *postgres.Cluster
	app      *app.App
	// serving is what has to be there before visitors come.
	serving [][]pulumi.Resource
}

// declareCluster declares the Kubernetes cluster. Everything inside it goes through its provider, which waits for the nodes.
func (p *platform) declareCluster() (err error) {
	args := &p.config.Cluster
	args.Label, args.Protect = p.account, p.config.Protect
	if p.cluster, err = lke.New(p.Context, "cluster", args); err != nil {
		return err
	}
	p.Export("clusterId", p.cluster.ID)
	p.Export("kubeconfig", p.cluster.Kubeconfig)
	return nil
}

// declareMonitoring comes before all that brings metrics along: it knows what a monitor is.
func (p *platform) declareMonitoring() (err error) {
	args := &p.config.Monitoring
	args.GrafanaHost, args.StorageClass = p.config.grafanaHost(), pulumi.String(lke.StorageDelete)
	p.monitoring, err = monitoring.New(p.Context, "monitoring", args, p.cluster.Inside())
	return err
}

// declareNames declares the zones and the certificates for all names in them. Let's Encrypt asks the zones, and nothing else of
// the platform, so that certificates are there before anything points at it.
func (p *platform) declareNames() (err error) {
	config := p.config
	config.Certificates.Label = p.account
	p.issuers, err = certificates.New(p.Context, "certificates", &config.Certificates,
		p.cluster.Inside(), after(p.monitoring.Ready))
	if err != nil {
		return err
	}
	config.Domains.Protect, config.Domains.Hosts = config.Protect, config.publicHosts()
	if p.zones, err = dns.New(p.Context, "domains", &config.Domains); err != nil {
		return err
	}
	p.appNamespace, err = namespace.New(p.Context, config.App.Name, &namespace.Args{
		Name: config.App.Name, Standard: config.App.PodSecurity(),
		Open: []namespace.Opening{
			{Name: "web", Namespaces: []string{namespace.Ingress}, Ports: []any{"http"}},
			{Name: "metrics", Namespaces: []string{namespace.Monitoring}, Ports: p.metricsPorts()},
		},
		Bound: p.bounds(),
	}, p.cluster.Inside())
	if err != nil {
		return err
	}
	request := &certificates.Request{Namespace: p.appNamespace.Name}
	if config.CDN.TLS.IsManaged() {
		request.Hosts = []string{config.originHost()} // what Fastly proves has other names, so that the two never meet
	}
	if config.CDN.TLS.IsManaged() && config.CDN.Bypassed() {
		if err := p.declareChallenges(nil); err != nil {
			return err
		}
	}
	if config.showsCertificates() {
		request.Domains = config.Domains.Names()
	}
	p.siteTLS, err = p.newCertificates("site", request)
	return err
}

// bounds are for what runs beside the app: its database and its caches.
func (p *platform) bounds() []namespace.Bound {
	bounds := cache.Bounds(p.config.Caches)
	if p.config.off.Has("postgres") {
		return bounds
	}
	return append(postgres.Bounds(), bounds...)
}

// metricsPorts are those of the app, and of what runs beside it.
func (p *platform) metricsPorts() []any {
	ports := []any{"http", "metrics", postgres.ExporterPort}
	if len(p.config.Caches) > 0 {
		ports = append(ports, cache.ExporterPort)
	}
	return ports
}

func (p *platform) newCertificates(name string, request *certificates.Request) (*certificates.Certificates, error) {
	request.Issuer = p.issuers.Name
	return certificates.NewCertificates(p.Context, name, request, p.cluster.Inside(), after(p.zones.Ready, p.free))
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
// the way to the cluster's own authority.
func (p *platform) declareChallenges(targets map[string]pulumi.StringOutput) error {
	challenges, err := dns.NewChallenges(p.Context, "challenges", &dns.ChallengesArgs{
		Zones: p.zones, Names: p.config.CDN.Domains, Targets: targets,
	})
	if err == nil {
		p.free = challenges.Ready
	}
	return err
}

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
	config.Ingress.Anonymous = config.CDN.WebSockets // which Fastly opens without a certificate of its own
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
	if p.config.Delivery.Keel() {
		if p.keelNamespace, err = delivery.NewNamespace(p.Context, p.cluster.Inside()); err != nil {
			return nil, err
		}
		served[delivery.NamespaceName] = p.keelNamespace.Name
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

// declareDatabase declares the database, and before it the bucket that it writes every change to.
func (p *platform) declareDatabase() error {
	if p.config.off.Has("postgres") {
		return nil
	}
	backups, err := p.newBucket("backups", false)
	if err != nil {
		return err
	}
	args := &p.config.Postgres
	operator, err := postgres.NewOperator(p.Context, "postgres-operator", &args.Operator, p.cluster.Inside())
	if err != nil {
		return err
	}
	args.Name, args.Protect = p.config.App.Name, p.config.Protect
	args.Namespace, args.StorageClass = p.appNamespace.Name, pulumi.String(lke.StorageRetain)
	args.Repository = postgres.Repository{
		Bucket: backups.Name, Endpoint: backups.Endpoint, Region: backups.Region,
		AccessKey: backups.AccessKey, SecretKey: backups.SecretKey,
	}
	p.database, err = postgres.New(p.Context, "postgres", args, p.cluster.Inside(), after(operator.Ready, p.monitoring.Ready))
	return err
}

func (p *platform) newBucket(purpose string, cors bool) (*objectstorage.Bucket, error) {
	args := p.config.Storage
	args.Purpose, args.CORS, args.Protect = purpose, cors, p.config.Protect
	if args.Prefix == "" {
		args.Prefix = p.account
	}
	return objectstorage.New(p.Context, purpose, &args)
}

// declareCaches declares the caches beside the app.
func (p *platform) declareCaches() error {
	p.caches = pulumi.StringMap{}
	for i := range p.config.Caches {
		args := &p.config.Caches[i]
		args.Namespace, args.StorageClass = p.appNamespace.Name, pulumi.String(lke.StorageDelete)
		made, err := cache.New(p.Context, "cache-"+args.Name, args, p.cluster.Inside(), after(p.monitoring.Ready))
		if err != nil {
			return err
		}
		p.caches[args.Name] = made.Host
	}
	return nil
}

// declareApp declares the web application.
func (p *platform) declareApp() (err error) {
	cors := p.config.endpoints.HaveCORS(p.config.Storage.Region)
	if p.media, err = p.newBucket("media", cors); err != nil {
		return err
	}
	// Whoever moves a site in copies its media there.
	p.Export("media", pulumi.Map{
		"bucket": p.media.Name, "endpoint": p.media.Endpoint, "accessKey": p.media.AccessKey, "secretKey": p.media.SecretKey,
	})
	args := &p.config.App
	args.Namespace, args.IngressClass = p.appNamespace.Name, p.entrance.ClassName
	args.StorageClass, args.Protect = pulumi.String(lke.StorageRetain), p.config.Protect
	args.Certificates = p.shown()
	if origin := p.config.originHost(); p.config.CDN.TLS.IsManaged() {
		args.OriginHost, args.OriginCertificate = origin, p.siteTLS.SecretNames[origin]
	}
	if p.database != nil {
		args.DatabaseSecret, args.DatabaseAuthority = p.database.SecretName, p.database.AuthorityName
		args.DatabaseSecrets = p.database.SecretNames
	}
	args.CacheHosts, args.CachePort = p.caches, cache.Port
	args.Bucket = &app.Bucket{
		Name: p.media.Name, Region: p.media.Region, Endpoint: p.media.Endpoint,
		AccessKey: p.media.AccessKey, SecretKey: p.media.SecretKey,
	}
	args.Annotations, args.Leave = p.config.Delivery.Annotations(), p.config.Delivery.Leave()
	if p.app, err = app.New(p.Context, "app", args, p.cluster.Inside(), after(p.monitoring.Ready, p.own)); err != nil {
		return err
	}
	p.serving = append(p.serving, p.app.Ready)
	return nil
}

// declareDelivery declares what brings new versions of the app; where the stack file names each version there is nothing to
// declare.
func (p *platform) declareDelivery() (err error) {
	args := &p.config.Delivery
	if !args.Keel() {
		return nil
	}
	if args.TLSSecret, err = p.newHostTLS("keel", args.Host, p.keelNamespace.Name); err != nil {
		return err
	}
	args.Namespace, args.AppNamespace, args.IngressClass = p.keelNamespace.Name, p.appNamespace.Name, p.entrance.ClassName
	args.Deployments, args.PullSecret = p.app.Followed, p.app.PullSecret
	watcher, err := delivery.New(p.Context, "delivery", args, p.cluster.Inside(), after(p.monitoring.Ready))
	if err != nil {
		return err
	}
	p.serving = append(p.serving, watcher.Ready)
	return nil
}

// declareCDN declares the Fastly service that all visitors come through, and has it show certificates.
func (p *platform) declareCDN() error {
	config, args := p.config, &p.config.CDN
	p.Export("url", pulumi.String("https://"+config.siteHost()))
	if config.off.Has("cdn") {
		return nil
	}
	args.Name, args.Protect = p.account, config.Protect
	if config.fastly != nil {
		args.Known = config.fastly.Domains
	}
	args.OriginHost, args.HealthHost = config.originHost(), config.siteHost()
	args.ClientCertificate, args.ClientKey = p.entrance.Identity.Certificate, p.entrance.Identity.Key
	args.Uncached = config.toolHosts()
	args.MediaHost = pulumi.Sprintf("%s.%s", p.media.Name, p.media.Endpoint)
	// An active service asks for its origin at once, and remembers for minutes that a name is not there.
	service, err := cdn.New(p.Context, "cdn", args, after(p.siteTLS.Ready, p.origin.Ready))
	if err != nil {
		return err
	}
	p.Export("fastlyServiceId", service.ID)
	if !config.Certificates.Trusted() {
		return nil // Fastly would take none of them
	}
	if args.TLS.IsManaged() {
		return p.declareSubscriptions(service)
	}
	sync, err := cdn.NewCertificateSync(p.Context, "certsync", &cdn.CertificateSyncArgs{
		TLS: args.TLS, Stack: p.account, Namespace: p.appNamespace.Name, Certificates: p.siteTLS.SecretNames, Names: args.Domains,
		ServiceID: service.ID, Bypassed: args.Bypassed(), TokenValue: config.fastlyTLSToken,
	}, p.cluster.Inside(), after(service.Ready))
	if err != nil {
		return err
	}
	p.serving = append(p.serving, sync.Ready)
	return nil
}

// declareSubscriptions has Fastly get certificates of its own. During a bypass nothing waits for them: the records that prove the
// names are the cluster's then.
func (p *platform) declareSubscriptions(service *cdn.Service) error {
	args := &p.config.CDN
	subscriptions, err := cdn.NewSubscriptions(p.Context, "tls", &cdn.SubscriptionsArgs{
		Authority: args.TLS.Authority, Configuration: args.TLS.Configuration, Names: args.Domains,
	}, after(service.Ready))
	if err != nil || args.Bypassed() {
		return err
	}
	if err := p.declareChallenges(subscriptions.Challenges); err != nil {
		return err
	}
	issued, err := subscriptions.Await(p.Context, after(p.free))
	p.serving = append(p.serving, issued)
	return err
}

// declareMedia declares a way to the media that does not lead through Fastly, for a bypass.
func (p *platform) declareMedia() error {
	args := &p.config.CDN
	if len(args.MediaHosts()) == 0 {
		return nil
	}
	passage, err := cdn.NewMediaPassage(p.Context, "media", &cdn.MediaPassageArgs{
		Namespace: p.appNamespace.Name, IngressClass: p.entrance.ClassName, Certificates: p.shown(),
		Hosts: args.MediaHosts(), Bucket: args.MediaAddress(),
	}, p.cluster.Inside())
	if err != nil {
		return err
	}
	p.serving = append(p.serving, passage.Ready)
	return nil
}

// declareHosts declares the records of the public names, last of all: nothing points at a place that does not serve yet, or
// without a valid certificate. They lead to Fastly; a bypass leads them past it, straight to the NodeBalancer.
func (p *platform) declareHosts() error {
	lead := p.config.edge
	if p.config.CDN.Bypassed() {
		lead = p.door
	}
	args := &dns.HostsArgs{Zones: p.zones, Hosts: p.config.publicHosts(), IPv4: lead.ipv4, IPv6: lead.ipv6}
	if _, err := dns.NewHosts(p.Context, "hosts", args, after(p.serving...)); err != nil {
		return err
	}
	// From now on they are asked for, too.
	return p.monitoring.NewProbes(p.Context, "probes", &monitoring.ProbesArgs{
		Hosts: args.Hosts, Origin: "https://" + p.config.siteHost() + p.config.CDN.Origin.HealthPath,
	}, p.cluster.Inside(), after(p.serving...))
}

// after orders what has no property of the other to wait for. It names resources and not components: the SDK finds the parts of
// a component that have been registered so far, and misses the others.
func after(ready ...[]pulumi.Resource) pulumi.ResourceOption {
	return pulumi.DependsOn(slices.Concat(ready...))
}
