package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/blang/semver"
	"github.com/miekg/dns"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"k8s.io/klog/v2"
	"lke-platform/components/dns/public"

	"lke-platform/tests/rehearsal/edge"
	"lke-platform/tests/rehearsal/fastly"
	"lke-platform/tests/rehearsal/incluster"
	"lke-platform/tests/rehearsal/internet"
	"lke-platform/tests/rehearsal/kubernetes"
	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/live"
	"lke-platform/tests/rehearsal/live/spec"
	"lke-platform/tests/rehearsal/nameserver"
	"lke-platform/tests/rehearsal/nodebalancers"
	"lke-platform/tests/rehearsal/plugins"
	fastlyplugin "lke-platform/tests/rehearsal/plugins/fastly"
	kubernetesplugin "lke-platform/tests/rehearsal/plugins/kubernetes"
	linodeplugin "lke-platform/tests/rehearsal/plugins/linode"
	"lke-platform/tests/rehearsal/simulation"
)

// token opens the simulated APIs; it opens nothing else.
const token = "rehearsal"

// world is everything that the program believes to be the cloud.
type world struct {
	linode   *linode.API
	fastly   *fastly.API
	clusters *kubernetes.Clusters
	machines *live.Machines // that run containers; nil where nodes are simulated
	// balancers are the NodeBalancers in front of those, edge is what visitors ask, and internet their way there; nil as well.
	balancers *nodebalancers.Balancers
	edge      *edge.Edge
	internet  *internet.Proxy
	// controllers are what runs in the clusters.
	controllers *incluster.Controllers
	linodeURL   string
	fastlyURL   string
	// storageURL is where the S3 API of all buckets is.
	storageURL string
	// outside is what a live rehearsal has beside the APIs of the clouds.
	outside outside
	// nameServer and resolver are where the name server of all zones is, and a resolver that asks it.
	nameServer, resolver string
	// elsewhere are the zones at other DNS providers.
	elsewhere *nameserver.Elsewhere
	// unset says what nobody sets there.
	unset []string
	// doomed takes what is bound to fail.
	doomed   chan doom
	standIns []string // plugins that stand-ins replace
	// environment is what points the engine, and any other client, at the world.
	environment map[string]string
	unrendered  *unrendered
	closers     []func() error
}

// startWorld starts the simulated APIs, brings back the clusters that an earlier rehearsal left, and serves stand-ins for
// the provider plugins that are not installed.
func startWorld(ctx context.Context, o options) (*world, error) {
	w := &world{doomed: make(chan doom, 1)}
	if err := w.start(ctx, o); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) start(ctx context.Context, o options) error {
	logs := filepath.Join(o.dir(), "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return fmt.Errorf("making the folder for logs: %w", err)
	}
	linodeLog, err := w.openLog(filepath.Join(logs, "linode.log"))
	if err != nil {
		return err
	}
	klog.SetSlogLogger(linodeLog) // the controllers that work in the clusters talk through it
	programs, err := ownPrograms(o)
	if err != nil {
		return err
	}
	if err := w.startClusters(o, programs, linodeLog); err != nil {
		return err
	}
	if err := w.startLinode(o, linodeLog); err != nil {
		return err
	}
	fastlyLog, err := w.startFastly(o, logs)
	if err != nil {
		return err
	}
	environment := map[string]string{"FASTLY_API_URL": w.fastlyURL}
	if o.live {
		programs = nil // they run as containers
		if err := w.machines.SetEnvironment(environment); err != nil {
			return err
		}
		w.machines.ForwardNames(w.resolver)
		if err := w.startAuthorities(o, logs); err != nil {
			return err
		}
		if err := w.showPods(); err != nil {
			return err
		}
		if err := w.startTraffic(fastlyLog); err != nil {
			return err
		}
	}
	w.controllers = incluster.New(incluster.Options{
		LinodeURL: w.linodeURL, Token: token, Log: linodeLog, NameServer: w.nameServer, Resolver: w.resolver, GiveUp: w.giveUp,
		Traefik: w.atHand("docker.io/library/traefik"), Postgres: w.atHand(spec.Postgres), ACME: w.outside.acme,
		Pods: incluster.Pods{Programs: programs, Environment: environment, Logs: logs},
	})
	w.unrendered = &unrendered{controllers: w.controllers}
	if err := w.linode.Resume(ctx); err != nil {
		return err
	}
	return w.setEnvironment(o)
}

// startClusters starts what runs clusters, of which there are none yet. Programs are those that run for pods.
func (w *world) startClusters(o options, programs map[string]string, log *slog.Logger) (err error) {
	clusters := kubernetes.Options{
		Bin: filepath.Join(o.root, ".bin"), Dir: filepath.Join(o.dir(), "clusters"), Log: log,
		LeaveAlone: slices.Collect(maps.Keys(programs)),
		Controllers: func(ctx context.Context, clusterID int, kubeconfig []byte) (stop func(), err error) {
			return w.controllers.Start(ctx, clusterID, kubeconfig)
		},
	}
	if o.live {
		if w.machines, err = startMachines(o, programs); err != nil {
			return err
		}
		w.closers = append(w.closers, w.machines.Close)
		clusters.Machines = w.machines
		w.balancers = nodebalancers.New(nodebalancers.Options{Dial: w.machines.Dial, Log: log})
		w.closers = append(w.closers, w.balancers.Close)
	}
	w.clusters = kubernetes.New(clusters)
	w.closers = append(w.closers, w.clusters.Close)
	return nil
}

// startLinode serves the simulated Linode, its buckets and its name servers.
func (w *world) startLinode(o options, log *slog.Logger) (err error) {
	options := linode.Options{
		Dir: filepath.Join(o.dir(), "linode"), Token: token, ControlPlanes: w.clusters, Log: log,
		RateLimits: true, LinodeDelay: time.Second, Troubles: o.live, BackendHealth: w.balancers.Health, Contents: w.contents(o),
	}
	if o.live {
		options.Disks = w.machines
	}
	w.linode, err = linode.New(options)
	if err != nil {
		return err
	}
	if o.live {
		w.balancers.Follow(w.linode.Balancers)
	}
	w.closers = append(w.closers, func() error { w.linode.Close(); return nil })
	if w.linodeURL, err = w.serve(w.linode, log); err != nil {
		return err
	}
	if w.storageURL, err = w.serveStorage(o, log); err != nil {
		return err
	}
	w.elsewhere = &nameserver.Elsewhere{Linode: w.authority(o)}
	if w.nameServer, err = w.serveNames(w.elsewhere); err != nil {
		return err
	}
	w.resolver, err = w.serveNames(&nameserver.Resolver{NameServer: w.nameServer})
	return err
}

// startFastly serves the simulated Fastly.
func (w *world) startFastly(o options, logs string) (log *slog.Logger, err error) {
	if log, err = w.openLog(filepath.Join(logs, "fastly.log")); err != nil {
		return nil, err
	}
	w.fastly, err = fastly.New(fastly.Options{
		Dir: filepath.Join(o.dir(), "fastly"), Token: token, Account: o.fastlyAccount, Resolve: w.resolve, KeepKeys: o.live,
	})
	if err != nil {
		return nil, err
	}
	w.fastlyURL, err = w.serve(w.fastly, log)
	return log, err
}

// setEnvironment also changes this process' own: the stand-ins read theirs as the official plugins do.
func (w *world) setEnvironment(o options) error {
	plugins := o.plugins
	if installed("linode", linodeplugin.Version) || installed("fastly", fastlyplugin.Version) ||
		installed("kubernetes", kubernetesplugin.Version) {
		plugins = "" // the user's own come first
	}
	home, err := newPulumiHome(filepath.Join(o.dir(), "home"), plugins)
	if err != nil {
		return err
	}
	if err := os.Setenv("PULUMI_HOME", home); err != nil { // where plugins are looked for
		return err
	}
	debugProviders, err := w.serveStandIns(o, plugins == "")
	if err != nil {
		return err
	}
	w.environment = map[string]string{
		"PULUMI_HOME":         home,
		"LINODE_URL":          w.linodeURL,
		"LINODE_TOKEN":        token,
		"OBJECT_STORAGE_URL":  w.storageURL,
		"FASTLY_API_URL":      w.fastlyURL,
		"FASTLY_API_KEY":      token,
		public.ServerVariable: w.nameServer,
		// Without the files beside the state's that tell their digests. These are not written at once, and whoever reads one
		// meanwhile, or after the engine was killed over it, does not get at the state.
		"PULUMI_BACKEND_URL":       "file://" + filepath.Join(o.dir(), "state") + "?metadata=skip",
		"PULUMI_CONFIG_PASSPHRASE": token,
		"PULUMI_DEBUG_PROVIDERS":   debugProviders,
		// Nothing is downloaded: each operation would otherwise first look for the plugins that the stand-ins replace.
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		// A plugin on PATH, of whatever version, would be taken before the one that is installed.
		"PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
		"PULUMI_SKIP_UPDATE_CHECK":      "true",
	}
	for name, value := range w.environment {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(o.dir(), "state"), 0o700); err != nil {
		return fmt.Errorf("making the folder for Pulumi's state: %w", err)
	}
	// The official Kubernetes plugin writes a kubeconfig each time it is configured, and leaves it.
	if err := os.MkdirAll(o.temporary(), 0o700); err != nil {
		return fmt.Errorf("making a folder for temporary files: %w", err)
	}
	w.environment["TMPDIR"] = o.temporary()
	w.closers = append(w.closers, func() error { return os.RemoveAll(o.temporary()) })
	return os.Setenv("PATH", filepath.Join(o.root, ".bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// serveStandIns serves a stand-in for each provider plugin that is not installed. The official Kubernetes plugin plays no chart,
// so that it needs all of them: where it is the user's own they have to be there, and else the stand-in takes its place.
func (w *world) serveStandIns(o options, own bool) (debugProviders string, err error) {
	constructors := map[string]plugins.Constructor{}
	if !installed("linode", linodeplugin.Version) {
		constructors["linode"] = linodeplugin.New
	}
	newer, err := wantsNewerFastly(o)
	if err != nil {
		return "", err
	}
	if !installed("fastly", fastlyplugin.Version) || newer && !installed("fastly", fastlyplugin.NewerVersion) {
		constructors["fastly"] = fastlyplugin.New
	}
	missing, _ := lookAtCharts(o)
	switch {
	case !installed("kubernetes", kubernetesplugin.Version), !own && len(missing) > 0:
		constructors["kubernetes"] = kubernetesplugin.New(kubernetesplugin.Options{NotRendered: w.unrendered})
	case len(missing) > 0:
		return "", fmt.Errorf("the official Kubernetes plugin is installed, and plays no chart; run `make charts`\n%w",
			errors.Join(missing...))
	}
	w.standIns = slices.Sorted(maps.Keys(constructors))
	debugProviders, stop, err := plugins.Serve(constructors)
	if err != nil {
		return "", err
	}
	w.closers = append(w.closers, func() error { stop(); return nil })
	return debugProviders, nil
}

// newPulumiHome makes a folder for what the engine keeps for itself, so that a rehearsal leaves nothing in the user's own. Its
// plugins are those of another folder, or the user's own.
func newPulumiHome(dir, pluginFolder string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the folder of the engine: %w", err)
	}
	plugins := filepath.Join(dir, "plugins")
	if pluginFolder == "" {
		own, err := workspace.GetPluginDir()
		if err != nil {
			return "", fmt.Errorf("looking for the folder of the plugins: %w", err)
		}
		pluginFolder = own
	}
	if pluginFolder != plugins {
		_ = os.Remove(plugins) // of an earlier rehearsal
		if err := os.Symlink(pluginFolder, plugins); err != nil {
			return "", fmt.Errorf("linking the folder of the plugins: %w", err)
		}
	}
	// The engine logs everything that it does in detail, which takes a third of its time. Where the folder for it cannot be made
	// it does without.
	if err := os.WriteFile(filepath.Join(dir, "logs"), nil, 0o600); err != nil {
		return "", fmt.Errorf("turning off the engine's own log: %w", err)
	}
	return dir, nil
}

// installed says whether the official plugin is there, in the version of the SDK: the engine takes no other.
func installed(name, version string) bool {
	wanted := semver.MustParse(version)
	return workspace.HasPlugin(workspace.PluginDescriptor{Name: name, Kind: apitype.ResourcePlugin, Version: &wanted})
}

// logs names the folders to look into when something went wrong, as seen from the repository.
func (w *world) logs(o options) string {
	var folders []string
	for _, folder := range append([]string{filepath.Join(o.dir(), "logs")}, w.clusters.Logs()...) {
		if relative, err := filepath.Rel(o.root, folder); err == nil {
			folder = relative
		}
		folders = append(folders, folder)
	}
	return strings.Join(folders, " and ")
}

func (w *world) pluginsInUse() string {
	if len(w.standIns) == 0 {
		return "official provider plugins"
	}
	return "stand-ins for the provider plugins " + strings.Join(w.standIns, ", ")
}

// openLog opens a log of JSON lines.
func (w *world) openLog(path string) (*slog.Logger, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening a log: %w", err)
	}
	w.closers = append(w.closers, file.Close)
	return slog.New(slog.NewJSONHandler(file, nil)), nil
}

// serve serves an API on a free port and logs its requests.
func (w *world) serve(api http.Handler, log *slog.Logger) (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	server := &http.Server{Handler: logged(api, log), ReadHeaderTimeout: 10 * time.Second}
	w.closers = append(w.closers, server.Close)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the server ended", "error", err)
		}
	}()
	return "http://" + listener.Addr().String(), nil
}

// serveNames serves DNS.
func (w *world) serveNames(handler dns.Handler) (address string, err error) {
	address, stop, err := nameserver.Serve(handler)
	if err == nil {
		w.closers = append(w.closers, stop)
	}
	return address, err
}

// doom is why something is bound to fail.
type doom struct{ error }

// giveUp ends what is under way: nobody has to wait for what is bound to fail.
func (w *world) giveUp(err error) {
	select {
	case w.doomed <- doom{err}:
	default:
	}
}

// unlessDoomed returns a context for what is under way. Where it ends because that cannot succeed, its cause is the doom.
func (w *world) unlessDoomed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	go func() {
		select {
		case why := <-w.doomed:
			end(why)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { end(nil) }
}

// logged notes each request; neither headers nor bodies, which can hold secrets.
func logged(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		status := &simulation.StatusWriter{ResponseWriter: w, Status: http.StatusOK}
		defer func() { // also where the connection is lost
			log.Info("request",
				"method", r.Method, "path", r.URL.Path, "status", status.Status, "took", time.Since(begin).String())
		}()
		next.ServeHTTP(status, r)
	})
}

// close ends everything in the reverse order of its start, and leaves the state on disk.
func (w *world) close() error {
	var faults []error
	for _, closer := range slices.Backward(w.closers) {
		faults = append(faults, closer())
	}
	return errors.Join(faults...)
}
