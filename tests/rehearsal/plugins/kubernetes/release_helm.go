package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// deployment is one installation or upgrade.
type deployment struct {
	*releaseArgs
	chart   *chart.Chart
	config  *action.Configuration
	timeout time.Duration
	// takesOver has objects taken over that are there, as far as they are the release's own by name.
	takesOver bool
}

// install installs a release. As with the official provider, Helm refuses a name that it has any record of, that of an attempt
// which was cut short included.
func (r *release) install(ctx context.Context, d *deployment) (*helmrelease.Release, error) {
	install := action.NewInstall(d.config)
	install.ReleaseName, install.Namespace, install.Description = d.Name, d.Namespace, d.Description
	install.CreateNamespace, install.SkipCRDs = d.CreateNamespace, d.SkipCrds
	install.Wait, install.WaitForJobs, install.Timeout = d.waits(), d.WaitForJobs && d.waits(), d.timeout
	install.DisableHooks, install.TakeOwnership = d.DisableWebhooks, d.takesOver
	install.DisableOpenAPIValidation, install.SubNotes = d.DisableOpenapiValidation, d.RenderSubchartNotes
	return install.RunWithContext(ctx, d.chart, d.Values)
}

// upgrade upgrades a release. Helm refuses to while another operation is under way, or was cut short.
func (r *release) upgrade(ctx context.Context, d *deployment) (*helmrelease.Release, error) {
	upgrade := action.NewUpgrade(d.config)
	upgrade.Namespace, upgrade.Description, upgrade.MaxHistory = d.Namespace, d.Description, d.MaxHistory
	upgrade.Wait, upgrade.WaitForJobs, upgrade.Timeout = d.waits(), d.WaitForJobs && d.waits(), d.timeout
	upgrade.CleanupOnFail, upgrade.Force = d.CleanupOnFail || d.Atomic, d.ForceUpdate
	upgrade.Recreate, upgrade.DisableHooks, upgrade.SubNotes = d.RecreatePods, d.DisableCRDHooks, d.RenderSubchartNotes
	upgrade.DisableOpenAPIValidation = d.DisableOpenapiValidation
	return upgrade.RunWithContext(ctx, d.Name, d.chart, d.Values)
}

func (d *deployment) waits() bool { return !d.SkipAwait || d.Atomic }

// recorded tells whether Helm keeps a record of what was deployed.
func (d *deployment) recorded(deployed *helmrelease.Release) bool {
	last, err := d.config.Releases.Last(d.Name)
	return err == nil && deployed != nil && last.Version == deployed.Version
}

// undo takes a failed deployment back, and says so. It is what makes a release atomic: Helm would do it too, but before anybody
// could look what the objects lack.
func (d *deployment) undo(failed *helmrelease.Release) error {
	if failed.Version == 1 {
		if err := d.uninstall(); err != nil {
			return fmt.Errorf("uninstalling it failed: %w", err)
		}
		return errors.New("it was uninstalled (atomic)")
	}
	deployed, err := d.config.Releases.Deployed(d.Name)
	if err != nil {
		return fmt.Errorf("it cannot be rolled back: %w", err)
	}
	rollback := action.NewRollback(d.config)
	rollback.Version, rollback.Wait, rollback.Timeout = deployed.Version, true, d.timeout
	rollback.DisableHooks = d.DisableCRDHooks
	if err := rollback.Run(d.Name); err != nil {
		return fmt.Errorf("rolling back to revision %d failed: %w", deployed.Version, err)
	}
	return fmt.Errorf("it was rolled back to revision %d (atomic)", deployed.Version)
}

func (d *deployment) uninstall() error {
	uninstall := action.NewUninstall(d.config)
	uninstall.Wait, uninstall.Timeout, uninstall.DisableHooks = true, d.timeout, true
	_, err := uninstall.Run(d.Name)
	return err
}

func isNoRelease(err error) bool { return errors.Is(err, driver.ErrReleaseNotFound) }

// helm returns the configuration of Helm for releases in a namespace. What Helm tells of its progress becomes the resource's
// status.
func (r *release) helm(ctx context.Context, namespace string) (*action.Configuration, error) {
	config := &action.Configuration{}
	tell := func(format string, args ...any) { r.journal.status(ctx, fmt.Sprintf(format, args...)) }
	err := config.Init(&clientGetter{r.cluster, namespace}, namespace, r.HelmReleaseSettings.Driver, tell)
	return config, err
}

// clientGetter gives Helm the provider's own clients, without a kubeconfig on disk. Objects of charts that name no namespace
// go into that of the release.
type clientGetter struct {
	*cluster
	namespace string
}

// ToRESTConfig is that of Helm's RESTClientGetter.
func (g *clientGetter) ToRESTConfig() (*rest.Config, error) {
	config := rest.CopyConfig(g.rest)
	config.WarningHandlerWithContext = nil // warnings about charts are for those who write charts
	return config, nil
}

// ToDiscoveryClient is that of Helm's RESTClientGetter. The answer is as new as the call, unlike the cluster's own client, which
// would not know the kinds that another release has brought since.
func (g *clientGetter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	live, err := discovery.NewDiscoveryClientForConfig(g.rest)
	if err != nil {
		return nil, err
	}
	return memory.NewMemCacheClient(live), nil
}

// ToRESTMapper is that of Helm's RESTClientGetter.
func (g *clientGetter) ToRESTMapper() (meta.RESTMapper, error) {
	client, err := g.ToDiscoveryClient()
	if err != nil {
		return nil, err
	}
	return restmapper.NewDeferredDiscoveryRESTMapper(client), nil
}

// ToRawKubeConfigLoader is that of Helm's RESTClientGetter.
func (g *clientGetter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return g.clientConfig(g.namespace)
}

// manifest returns the objects of a release.
func manifest(deployed *helmrelease.Release) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, text := range releaseutil.SplitManifests(deployed.Manifest) {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
			return nil, fmt.Errorf("reading the manifest of release %s: %w", deployed.Name, err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
	return objects, nil
}
