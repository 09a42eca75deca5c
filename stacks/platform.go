// Package stacks holds the one program that every stack runs, and the configuration that tells the stacks apart.
package stacks

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/app"
	"lke-platform/components/cache"
	"lke-platform/components/certificates"
	"lke-platform/components/delivery"
	"lke-platform/components/dns"
	"lke-platform/components/ingress"
	"lke-platform/components/lke"
	"lke-platform/components/logs"
	"lke-platform/components/monitoring"
	"lke-platform/components/monitoring/dashboards"
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
		p.declareLogs,
		p.declareNames,
		p.declareEntrance,
		p.declareDatabase,
		p.declareCaches,
		p.declareCharts,
		p.declareApp,
		p.declareApps,
		p.declareCanary,
		p.declareDelivery,
		p.declareCDN,
		p.declarePassages,
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
	// furtherNamespaces are those of the apps beside it, by their names.
	furtherNamespaces map[string]*namespace.Namespace
	// canaryNamespace is nil where there is no canary.
	canaryNamespace *namespace.Namespace
	// keelNamespace is nil where Keel does not run.
	keelNamespace *namespace.Namespace
	siteTLS       *certificates.Certificates
	// free are the records that have to be there before the cluster can prove whose the public names are.
	free []pulumi.Resource
	// byHand are the records to set in zones at other providers.
	byHand pulumi.Array
	// caches are their hosts, by name.
	caches pulumi.StringMap
	// own are the releases of the stack's own charts, which the app may need.
	own []pulumi.Resource
	// database is nil where the stack does without.
	database *postgres.Cluster
	app      *app.App
	// services are the identifiers of those at Fastly.
	services pulumi.StringArray
	// serving is what has to be there before visitors come, but for what they come to.
	serving [][]pulumi.Resource
	// names are those of the apps, the first one's with those of the platform.
	names []hostGroup
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
	args := &p.config.Monitoring.Args
	args.GrafanaHost, args.StorageClass = p.config.grafanaHost(), pulumi.String(lke.StorageDelete)
	if !p.config.Monitoring.Logs.Off {
		args.LogsURL, args.LogsPort = logs.URL, logs.Port
	}
	args.Platform = p.config.shown()
	p.monitoring, err = monitoring.New(p.Context, "monitoring", args, p.cluster.Inside())
	return err
}

// declareLogs declares where all that is written ends up. Nothing waits for it. Its bucket is not protected: what is in it goes
// by itself, and as long as there is something Linode deletes no bucket.
func (p *platform) declareLogs() error {
	args := &p.config.Monitoring.Logs
	if args.Off {
		return nil
	}
	bucket, err := p.newBucket("logs", false, false)
	if err != nil {
		return err
	}
	args.StorageClass = pulumi.String(lke.StorageDelete)
	args.Bucket = logs.Bucket{
		Name: bucket.Name, Endpoint: bucket.Endpoint, Region: bucket.Region,
		AccessKey: bucket.AccessKey, SecretKey: bucket.SecretKey,
	}
	_, err = logs.New(p.Context, "log-store", args, p.cluster.Inside(), after(p.monitoring.Ready))
	return err
}

// shown is what the dashboards are about.
func (c *Config) shown() dashboards.Platform {
	shown := dashboards.Platform{
		Controller: c.Ingress.Controller,
		CDN:        !c.off.Has("cdn"),
		Database:   !c.off.Has("postgres"),
		Caches:     len(c.Caches) > 0,
		Certsync:   !c.off.Has("cdn") && !c.CDN.TLS.IsManaged() && c.Certificates.Trusted(),
		Objectives: c.Monitoring.Objectives.AreThere(),
		Statistics: c.Monitoring.Fastly != nil,
	}
	for _, args := range c.apps() {
		shown.Apps = append(shown.Apps, args.Name)
	}
	return shown
}

// bounds are for what runs beside the app: its database and its caches.
func (p *platform) bounds() []namespace.Bound {
	bounds := cache.Bounds(p.config.Caches)
	if p.config.off.Has("postgres") {
		return bounds
	}
	return append(postgres.Bounds(), bounds...)
}

// besideMetrics are the ports of metrics of what runs beside the app.
func (p *platform) besideMetrics() []any {
	ports := []any{postgres.ExporterPort}
	if len(p.config.Caches) > 0 {
		ports = append(ports, cache.ExporterPort)
	}
	return ports
}

// declareDatabase declares the database, and before it the bucket that it writes every change to.
func (p *platform) declareDatabase() error {
	if p.config.off.Has("postgres") {
		return nil
	}
	backups, err := p.newBucket("backups", false, p.config.Protect)
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
	args.ScratchClass = pulumi.String(lke.StorageDelete)
	args.Repository = postgres.Repository{
		Bucket: backups.Name, Endpoint: backups.Endpoint, Region: backups.Region,
		AccessKey: backups.AccessKey, SecretKey: backups.SecretKey,
	}
	p.database, err = postgres.New(p.Context, "postgres", args, p.cluster.Inside(), after(operator.Ready, p.monitoring.Ready))
	return err
}

func (p *platform) newBucket(purpose string, cors, protect bool) (*objectstorage.Bucket, error) {
	args := p.config.Storage
	args.Purpose, args.CORS, args.Protect = purpose, cors, protect
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

// declareApp declares the web application: the first, if there are several.
func (p *platform) declareApp() (err error) {
	args := &p.config.App
	if args.Bucket, err = p.newMedia(mediaPurpose); err != nil {
		return err
	}
	args.Namespace, args.Certificates = p.appNamespace.Name, p.shown()
	if origin := p.config.originHost(); p.config.CDN.TLS.IsManaged() {
		args.OriginHost, args.OriginCertificate = origin, p.siteTLS.SecretNames[origin]
	}
	if p.database != nil {
		args.DatabaseSecret, args.DatabaseAuthority = p.database.SecretName, p.database.AuthorityName
		args.DatabaseSecrets = p.database.SecretNames
	}
	args.CacheHosts = p.caches
	args.Annotations, args.Leave = p.config.Delivery.Annotations(), p.config.Delivery.Leave()
	if p.app, err = p.newApp("app", args); err != nil {
		return err
	}
	p.names = append(p.names, hostGroup{"hosts", p.config.firstHosts(), p.app.Ready})
	return nil
}

// newMedia declares a bucket for what visitors upload and see. Whoever moves a site in copies its media there.
func (p *platform) newMedia(purpose string) (*app.Bucket, error) {
	made, err := p.newBucket(purpose, p.config.endpoints.HaveCORS(p.config.Storage.Region), p.config.Protect)
	if err != nil {
		return nil, err
	}
	p.Export(purpose, pulumi.Map{
		"bucket": made.Name, "endpoint": made.Endpoint, "accessKey": made.AccessKey, "secretKey": made.SecretKey,
	})
	return &app.Bucket{
		Name: made.Name, Region: made.Region, Endpoint: made.Endpoint, AccessKey: made.AccessKey, SecretKey: made.SecretKey,
	}, nil
}

// newApp declares an app with what the platform has for all of them.
func (p *platform) newApp(name string, args *app.Args) (*app.App, error) {
	args.IngressClass, args.CachePort = p.entrance.ClassName, cache.Port
	args.StorageClass, args.Protect = pulumi.String(lke.StorageRetain), p.config.Protect
	return app.New(p.Context, name, args, p.cluster.Inside(), after(p.monitoring.Ready, p.own))
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
	p.names[0].ready = append(p.names[0].ready, watcher.Ready...) // it follows the first app
	return nil
}

// after orders what has no property of the other to wait for. It names resources and not components: the SDK finds the parts of
// a component that have been registered so far, and misses the others.
func after(ready ...[]pulumi.Resource) pulumi.ResourceOption {
	return pulumi.DependsOn(slices.Concat(ready...))
}
