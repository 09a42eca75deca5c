package incluster_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/yaml"

	"lke-platform/tests/rehearsal/incluster"
	"lke-platform/tests/rehearsal/kubernetes"
	"lke-platform/tests/rehearsal/letsencrypt"
	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/nameserver"
)

const (
	token = "rehearsal"
	soon  = 30 * time.Second       // more than anything here takes on a busy machine
	tick  = 100 * time.Millisecond // between two looks
	// balancer starts the annotations that make a NodeBalancer.
	balancer = "service.beta.kubernetes.io/linode-loadbalancer-"
)

// programsFolder returns the folder of the programs, or skips the test where they have not been built.
func programsFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	require.NoError(t, err)
	for ; folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		bin := filepath.Join(folder, ".bin")
		if _, err := os.Stat(filepath.Join(bin, "kube-apiserver")); err == nil {
			return bin
		}
	}
	t.Skip("etcd, kube-apiserver and the rest are in no .bin above this folder: build them with make")
	return ""
}

// fixture is a cluster of the simulated Linode, with the controllers in it, and clients of both.
type fixture struct {
	*testing.T
	api         *linode.API
	clusters    *kubernetes.Clusters
	controllers *incluster.Controllers
	logs        string // of pods that are not simulated
	nameServer  string
	elsewhere   *nameserver.Elsewhere
	acme        *letsencrypt.Server
	doomed      chan error
	linode      linodego.Client
	client      client.Interface
	dynamic     dynamic.Interface
}

// newFixture creates a cluster of two nodes with 4 GB each.
func newFixture(t *testing.T) *fixture {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	f := &fixture{T: t, logs: t.TempDir(), linode: linodego.NewClient(nil), doomed: make(chan error, 1000)}
	// The API is made last of all: it needs what needs the name server.
	f.elsewhere = &nameserver.Elsewhere{
		Linode: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) { f.api.ServeDNS(w, query) }),
	}
	f.nameServer = f.serveNames(f.elsewhere)
	f.startACME()
	f.controllers = incluster.New(incluster.Options{
		LinodeURL: url, Token: token, Traefik: "docker.io/library/traefik:v3.7.11", Pods: f.livePods(), GiveUp: f.giveUp,
		NameServer: f.nameServer, Resolver: f.serveNames(&nameserver.Resolver{NameServer: f.nameServer}),
		ACME: map[string]*letsencrypt.Server{acmeServer: f.acme},
	})
	f.clusters = kubernetes.New(kubernetes.Options{
		Bin: programsFolder(t), Dir: t.TempDir(), Controllers: f.controllers.Start, LeaveAlone: []string{liveImage},
	})
	t.Cleanup(func() { require.NoError(t, f.clusters.Close()) })
	var err error
	f.api, err = linode.New(linode.Options{Dir: t.TempDir(), Token: token, ControlPlanes: f.clusters})
	require.NoError(t, err)
	server.Config.Handler = f.api
	server.Start()
	t.Cleanup(func() { server.Close(); f.api.Close() })

	f.linode.SetBaseURL(url)
	f.linode.SetToken(token)
	f.linode.SetPollDelay(tick)
	f.linode.SetRetryWaitTime(tick)
	cluster, err := f.linode.CreateLKECluster(t.Context(), linodego.LKEClusterCreateOptions{
		Label: "test", Region: "us-east", K8sVersion: "1.36",
		NodePools: []linodego.LKENodePoolCreateOptions{{Type: "g6-standard-2", Count: 2}},
	})
	require.NoError(t, err)
	f.connect(cluster.ID)
	f.eventually("nodes are ready", func() bool {
		nodes, err := f.client.CoreV1().Nodes().List(f.Context(), metav1.ListOptions{})
		return err == nil && len(nodes.Items) == 2 && len(nodes.Items[0].Spec.Taints)+len(nodes.Items[1].Spec.Taints) == 0
	})
	return f
}

// giveUp keeps reasons, some of which are told again and again.
func (f *fixture) giveUp(err error) {
	select {
	case f.doomed <- err:
	default:
	}
}

// eventuallyDoomed waits for a reason to give up.
func (f *fixture) eventuallyDoomed(reason string) {
	f.Helper()
	f.eventually(reason, func() bool {
		for len(f.doomed) > 0 {
			if err := <-f.doomed; strings.Contains(err.Error(), reason) {
				return true
			}
		}
		return false
	})
}

func (f *fixture) serveNames(handler dns.Handler) (address string) {
	f.Helper()
	address, stop, err := nameserver.Serve(handler)
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, stop()) })
	return address
}

func (f *fixture) connect(cluster int) {
	f.Helper()
	encoded, err := f.linode.GetLKEClusterKubeconfig(f.Context(), cluster)
	require.NoError(f, err)
	kubeconfig, err := base64.StdEncoding.DecodeString(encoded.KubeConfig)
	require.NoError(f, err)
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	require.NoError(f, err)
	f.client, err = client.NewForConfig(config)
	require.NoError(f, err)
	f.dynamic, err = dynamic.NewForConfig(config)
	require.NoError(f, err)
}

func (f *fixture) eventually(what string, condition func() bool) {
	f.Helper()
	err := wait.PollUntilContextTimeout(f.Context(), tick, soon, true, func(context.Context) (bool, error) { return condition(), nil })
	require.NoError(f, err, what)
}

// create creates the objects of a YAML text, each of the resource given, in the namespace that the object or else none names.
func (f *fixture) create(resource schema.GroupVersionResource, text string) {
	f.Helper()
	for _, part := range strings.Split(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		require.NoError(f, yaml.Unmarshal([]byte(part), &object.Object))
		_, err := f.dynamic.Resource(resource).Namespace(object.GetNamespace()).
			Create(f.Context(), object, metav1.CreateOptions{FieldValidation: "Strict"})
		require.NoError(f, err)
	}
}

// status returns the status of an object as jsonpath-like steps would reach it.
func (f *fixture) status(resource schema.GroupVersionResource, name string) map[string]any {
	f.Helper()
	object, err := f.dynamic.Resource(resource).Namespace(metav1.NamespaceDefault).Get(f.Context(), name, metav1.GetOptions{})
	require.NoError(f, err)
	status, _, err := unstructured.NestedMap(object.Object, "status")
	require.NoError(f, err)
	return status
}

func isReady(status map[string]any) bool {
	conditions, _, _ := unstructured.NestedSlice(status, "conditions")
	for _, element := range conditions {
		if condition := element.(map[string]any); condition["type"] == "Ready" {
			return condition["status"] == "True"
		}
	}
	return false
}

// TestCluster shares one cluster among its parts, which use different objects.
func TestCluster(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	within := func(t *testing.T) *fixture {
		other := *f
		other.T = t
		return &other
	}
	t.Run("side by side", func(t *testing.T) {
		for name, part := range map[string]func(*fixture){
			"load balancers":                     loadBalancers,
			"preserved load balancer":            preserved,
			"ingress controller without a chart": ingressController,
			"volumes":                            volumes,
			"certificates":                       certificates,
			"postgres":                           postgres,
			"monitors":                           monitors,
			"prometheus":                         prometheus,
			"node firewall":                      nodeFirewall,
			"webhooks and aggregated APIs":       webhooks,
			"jobs that run":                      jobsThatRun,
			"a pod that runs and is deleted":     deletedPod,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				part(within(t))
			})
		}
	})
	t.Run("certificates of an ACME server", func(t *testing.T) { acmeCertificates(within(t)) })
	t.Run("volumes per node", func(t *testing.T) { volumesPerNode(within(t)) })
	t.Run("resume", func(t *testing.T) { resume(within(t)) })
}

func (f *fixture) service(name string, annotations map[string]string, ports ...int32) *corev1.Service {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{"app": name}},
	}
	for _, port := range ports {
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: fmt.Sprintf("port-%d", port), Port: port})
	}
	return service
}

// address waits for the address of a Service.
func (f *fixture) address(name string) corev1.LoadBalancerIngress {
	f.Helper()
	var address corev1.LoadBalancerIngress
	f.eventually("the Service has an address", func() bool {
		service, err := f.client.CoreV1().Services("default").Get(f.Context(), name, metav1.GetOptions{})
		require.NoError(f, err)
		if len(service.Status.LoadBalancer.Ingress) == 0 {
			return false
		}
		address = service.Status.LoadBalancer.Ingress[0]
		return true
	})
	return address
}

// balancerAt returns the NodeBalancer with an address, nil where there is none.
func (f *fixture) balancerAt(ip string) *linodego.NodeBalancer {
	f.Helper()
	all, err := f.linode.ListNodeBalancers(f.Context(), nil)
	require.NoError(f, err)
	for _, found := range all {
		if *found.IPv4 == ip {
			return &found
		}
	}
	return nil
}

// loadBalancers: a Service becomes a NodeBalancer as its annotations say, follows their changes and goes with its firewall.
func loadBalancers(f *fixture) {
	ctx, services := f.Context(), f.client.CoreV1().Services("default")
	_, err := services.Create(ctx, f.service("web", map[string]string{
		balancer + "default-proxy-protocol": "v2",
		balancer + "throttle":               "21",
		balancer + "check-type":             "http",
		balancer + "check-path":             "/ready",
		balancer + "port-8080":              `{"protocol": "http", "proxy-protocol": "none"}`,
		balancer + "firewall-acl":           `{"allowList": {"ipv4": ["203.0.113.0/24"]}}`,
		balancer + "tags":                   "blue",
		balancer + "reserved-ipv4":          "198.51.100.7",
		balancer + "check-paht":             "/",
	}, 443, 8080), metav1.CreateOptions{})
	require.NoError(f, err)

	address := f.address("web")
	found := f.balancerAt(address.IP)
	require.Equal(f, *found.Hostname, address.Hostname)
	require.Equal(f, 20, found.ClientConnThrottle)
	require.Equal(f, "us-east", found.Region)
	require.Contains(f, found.Tags, "blue")
	configs, err := f.linode.ListNodeBalancerConfigs(ctx, found.ID, nil)
	require.NoError(f, err)
	require.Len(f, configs, 2)
	https, http := configs[0], configs[1]
	require.Equal(f, []any{443, linodego.ProtocolTCP, linodego.ProxyProtocolV2}, []any{https.Port, https.Protocol, https.ProxyProtocol})
	require.Equal(f, []any{8080, linodego.ProtocolHTTP, linodego.ProxyProtocolNone}, []any{http.Port, http.Protocol, http.ProxyProtocol})
	require.Equal(f, []any{linodego.CheckHTTP, "/ready"}, []any{https.Check, https.CheckPath})
	nodes, err := f.linode.ListNodeBalancerNodes(ctx, found.ID, https.ID, nil)
	require.NoError(f, err)
	require.Len(f, nodes, 2)
	require.Subset(f, f.controllers.Warnings(), []string{
		"Service default/web: Linode knows no annotation " + balancer + "check-paht",
		"Service default/web: the rehearsal does not follow the annotation " + balancer + "reserved-ipv4",
	})

	firewalls, err := f.linode.ListNodeBalancerFirewalls(ctx, found.ID, nil)
	require.NoError(f, err)
	require.Len(f, firewalls, 1)
	require.Equal(f, "DROP", firewalls[0].Rules.InboundPolicy)
	require.Equal(f, "443,8080", firewalls[0].Rules.Inbound[0].Ports)
	patch := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q, %q: "true"}}, "spec": {"ports": [{"$patch": "delete", "port": 8080}]}}`,
		balancer+"firewall-acl", `{"denyList": {"ipv4": ["192.0.2.0/24"]}}`, balancer+"hostname-only-ingress")
	_, err = services.Patch(ctx, "web", "application/strategic-merge-patch+json", []byte(patch), metav1.PatchOptions{})
	require.NoError(f, err)
	f.eventually("the NodeBalancer follows", func() bool {
		configs, err := f.linode.ListNodeBalancerConfigs(ctx, found.ID, nil)
		require.NoError(f, err)
		rules, err := f.linode.GetFirewallRules(ctx, firewalls[0].ID)
		require.NoError(f, err)
		return len(configs) == 1 && rules.InboundPolicy == "ACCEPT" && rules.Inbound[0].Action == "DROP"
	})
	f.eventually("the Service has a name only", func() bool { return f.address("web").IP == "" })

	require.NoError(f, services.Delete(ctx, "web", metav1.DeleteOptions{}))
	f.eventually("the Service goes", func() bool {
		_, err := services.Get(ctx, "web", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	require.Nil(f, f.balancerAt(*found.IPv4))
	_, err = f.linode.GetFirewall(ctx, firewalls[0].ID)
	require.True(f, linodego.IsNotFound(err), err)
}

func preserved(f *fixture) {
	services := f.client.CoreV1().Services("default")
	_, err := services.Create(f.Context(), f.service("kept", map[string]string{balancer + "preserve": "true"}, 80),
		metav1.CreateOptions{})
	require.NoError(f, err)
	address := f.address("kept")
	require.NoError(f, services.Delete(f.Context(), "kept", metav1.DeleteOptions{}))
	f.eventually("the Service goes", func() bool {
		_, err := services.Get(f.Context(), "kept", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	require.NotNil(f, f.balancerAt(address.IP), "the NodeBalancer stays")
}

// ingressController: where the chart cannot be had, the Service with the annotations of its values and the class are there, and
// Traefik as its values say.
func ingressController(f *fixture) {
	ctx := f.Context()
	release := incluster.Release{
		Namespace: "default", Name: "entry", Chart: "traefik", Version: "41.3.0",
		Values: map[string]any{
			"service": map[string]any{
				"annotations": map[string]any{balancer + "default-proxy-protocol": "v2"},
				"spec":        map[string]any{"trafficDistribution": "PreferSameNode"},
			},
			"ports": map[string]any{"web": map[string]any{
				"expose":        map[string]any{"default": true},
				"proxyProtocol": map[string]any{"trustedIPs": []any{"192.168.255.0/24", "10.2.0.0/16"}},
				"http":          map[string]any{"redirections": map[string]any{"entryPoint": map[string]any{"to": "websecure", "permanent": true}}},
			}},
			"accessLog":           map[string]any{"enabled": true, "format": "json"},
			"additionalArguments": []any{"--serverstransport.forwardingtimeouts.dialtimeout=2s"},
		},
	}
	require.NoError(f, f.controllers.Deployed(ctx, release))
	running, err := f.client.AppsV1().DaemonSets("default").Get(ctx, "entry", metav1.GetOptions{})
	require.NoError(f, err)
	require.Equal(f, []string{
		"--entryPoints.metrics.address=:9100/tcp", "--entryPoints.traefik.address=:8080/tcp", "--entryPoints.web.address=:8000/tcp",
		"--entryPoints.web.http.redirections.entryPoint.permanent=true", "--entryPoints.web.http.redirections.entryPoint.to=:443",
		"--entryPoints.web.proxyProtocol.trustedIPs=192.168.255.0/24,10.2.0.0/16", "--entryPoints.websecure.address=:8443/tcp",
		"--accessLog=true", "--accessLog.format=json", "--metrics.prometheus.entryPoint=metrics",
		"--providers.kubernetesIngress.allowEmptyServices=true",
		"--providers.kubernetesIngress.ingressEndpoint.publishedService=default/entry", "--ping=true", "--log.level=INFO",
		"--entryPoints.websecure.http.tls=true", "--providers.file.directory=/etc/traefik/dynamic", "--providers.file.watch=true",
		"--serverstransport.forwardingtimeouts.dialtimeout=2s",
	}, running.Spec.Template.Spec.Containers[0].Args)
	service, err := f.client.CoreV1().Services("default").Get(ctx, "entry", metav1.GetOptions{})
	require.NoError(f, err)
	require.Equal(f, new(corev1.ServiceTrafficDistributionPreferSameNode), service.Spec.TrafficDistribution)
	require.NotEmpty(f, service.Status.LoadBalancer.Ingress, "Helm waits for the NodeBalancer")
	prefix := networkingv1.PathTypePrefix
	class := "traefik"
	_, err = f.client.NetworkingV1().Ingresses("default").Create(ctx, &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "site"},
		Spec: networkingv1.IngressSpec{IngressClassName: &class, Rules: []networkingv1.IngressRule{{
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{
					Service: &networkingv1.IngressServiceBackend{Name: "site", Port: networkingv1.ServiceBackendPort{Number: 80}},
				}}},
			}},
		}}},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	address := f.address("entry")
	f.eventually("the Ingress has the same address", func() bool {
		ingress, err := f.client.NetworkingV1().Ingresses("default").Get(ctx, "site", metav1.GetOptions{})
		require.NoError(f, err)
		published := ingress.Status.LoadBalancer.Ingress
		return len(published) == 1 && published[0].IP == address.IP
	})
	configs, err := f.linode.ListNodeBalancerConfigs(ctx, f.balancerAt(address.IP).ID, nil)
	require.NoError(f, err)
	require.Equal(f, linodego.ProxyProtocolV2, configs[0].ProxyProtocol)

	require.NoError(f, f.controllers.Uninstalled(ctx, release))
	require.Nil(f, f.balancerAt(address.IP), "what comes next finds nothing of it")
	_, err = f.client.AppsV1().DaemonSets("default").Get(ctx, "entry", metav1.GetOptions{})
	require.True(f, apierrors.IsNotFound(err), err)
	_, err = f.client.CoreV1().Services("default").Get(ctx, "entry", metav1.GetOptions{})
	require.True(f, apierrors.IsNotFound(err), err)
	_, err = f.client.NetworkingV1().IngressClasses().Get(ctx, class, metav1.GetOptions{})
	require.True(f, apierrors.IsNotFound(err), err)
}

// volumeOf returns the Linode volume of a claim, nil where there is none.
func (f *fixture) volumeOf(claim *corev1.PersistentVolumeClaim) *linodego.Volume {
	f.Helper()
	all, err := f.linode.ListVolumes(f.Context(), nil)
	require.NoError(f, err)
	for _, volume := range all {
		if volume.Label == strings.ReplaceAll("pvc-"+string(claim.UID), "-", "")[:32] {
			return &volume
		}
	}
	return nil
}

func (f *fixture) claim(name string) *corev1.PersistentVolumeClaim {
	f.Helper()
	claim, err := f.client.CoreV1().PersistentVolumeClaims("default").Get(f.Context(), name, metav1.GetOptions{})
	require.NoError(f, err)
	return claim
}

func (f *fixture) createClaim(name, class, size string) {
	f.create(corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims"), fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s, namespace: default}
spec: {accessModes: [ReadWriteOnce], storageClassName: %s, resources: {requests: {storage: %s}}}`, name, class, size))
}

func (f *fixture) createPod(name, claim string) {
	f.create(corev1.SchemeGroupVersion.WithResource("pods"), fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: default}
spec:
  containers: [{name: main, image: example.com/main}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: %s}}]`, name, claim))
}

// createLateClass creates a class as the platform's own: a claim waits for its pod.
func (f *fixture) createLateClass(name string) {
	f.create(schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}, fmt.Sprintf(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: %s}
provisioner: linodebs.csi.linode.com
volumeBindingMode: WaitForFirstConsumer
allowVolumeExpansion: true
parameters: {linodebs.csi.linode.com/volumeTags: test}`, name))
}

// volumes: claims become volumes, which are attached, grow, and go or stay as their class says.
func volumes(f *fixture) {
	ctx := f.Context()
	f.createLateClass("late")
	f.createClaim("late", "late", "1Gi")
	f.createClaim("kept", "linode-block-storage-retain", "20Gi")
	f.eventually("the claim of an immediate class is bound", func() bool { return f.claim("kept").Status.Phase == corev1.ClaimBound })
	kept := f.claim("kept")
	require.Equal(f, 20, f.volumeOf(kept).Size)
	require.Equal(f, corev1.ClaimPending, f.claim("late").Status.Phase, "this one waits for a pod")

	f.createPod("late", "late")
	f.eventually("a pod binds it", func() bool { return f.claim("late").Status.Phase == corev1.ClaimBound })
	late := f.claim("late")
	require.Equal(f, "10Gi", late.Status.Capacity.Storage().String())
	require.Contains(f, strings.Join(f.controllers.Warnings(), "\n"), "default/late asks for 1Gi and is given, and billed as, 10 GiB")
	require.Equal(f, []string{"test"}, f.volumeOf(late).Tags)
	f.eventually("its volume is attached to the pod's Linode", func() bool {
		pod, err := f.client.CoreV1().Pods("default").Get(ctx, "late", metav1.GetOptions{})
		require.NoError(f, err)
		if pod.Spec.NodeName == "" {
			return false
		}
		node, err := f.client.CoreV1().Nodes().Get(ctx, pod.Spec.NodeName, metav1.GetOptions{})
		require.NoError(f, err)
		instance := f.volumeOf(late).LinodeID
		return instance != nil && node.Spec.ProviderID == fmt.Sprintf("linode://%d", *instance)
	})
	_, err := f.client.CoreV1().PersistentVolumeClaims("default").Patch(ctx, "late", "application/merge-patch+json",
		[]byte(`{"spec": {"resources": {"requests": {"storage": "15Gi"}}}}`), metav1.PatchOptions{})
	require.NoError(f, err)
	f.eventually("it grows", func() bool { return f.claim("late").Status.Capacity.Storage().String() == "15Gi" })
	require.Equal(f, 15, f.volumeOf(late).Size)

	require.NoError(f, f.client.CoreV1().Pods("default").Delete(ctx, "late", *metav1.NewDeleteOptions(0)))
	for _, name := range []string{"late", "kept"} {
		require.NoError(f, f.client.CoreV1().PersistentVolumeClaims("default").Delete(ctx, name, metav1.DeleteOptions{}))
	}
	f.eventually("the volume of one goes", func() bool { return f.volumeOf(late) == nil })
	f.eventually("that of the other is released", func() bool {
		volume, err := f.client.CoreV1().PersistentVolumes().Get(ctx, kept.Spec.VolumeName, metav1.GetOptions{})
		return err == nil && volume.Status.Phase == corev1.VolumeReleased
	})
	require.NotNil(f, f.volumeOf(kept), "and stays")
}

// volumesPerNode: a Linode of 4 GB takes eight disks, of which two are its own.
func volumesPerNode(f *fixture) {
	f.createLateClass("many")
	const fit, over = 12, 2
	for i := range fit + over {
		name := fmt.Sprintf("many-%d", i)
		f.createClaim(name, "many", "10Gi")
		f.createPod(name, name)
	}
	nodes, err := f.client.StorageV1().CSINodes().List(f.Context(), metav1.ListOptions{})
	require.NoError(f, err)
	for _, node := range nodes.Items {
		require.EqualValues(f, 6, *node.Spec.Drivers[0].Allocatable.Count)
	}
	f.eventually("no node takes one volume too many", func() bool {
		pods, err := f.client.CoreV1().Pods("default").List(f.Context(), metav1.ListOptions{})
		require.NoError(f, err)
		refused := 0
		for _, pod := range pods.Items {
			for _, condition := range pod.Status.Conditions {
				if strings.Contains(condition.Message, "exceed max volume count") {
					refused++
				}
			}
		}
		return refused >= over // more, where volumes of other parts are still there
	})
}

// resume: after a stop of everything, what was there is found again and made no second time.
func resume(f *fixture) {
	services := f.client.CoreV1().Services("default")
	_, err := services.Create(f.Context(), f.service("before", nil, 80), metav1.CreateOptions{})
	require.NoError(f, err)
	before := f.address("before")
	f.create(podResource, livePod("lost", `[sleep, "600"]`))
	f.eventually("a pod runs", func() bool { return f.pod("lost").Status.Phase == corev1.PodRunning })
	require.NoError(f, f.clusters.Close())
	require.NoError(f, f.api.Resume(f.Context()))

	_, err = services.Create(f.Context(), f.service("after", nil, 80), metav1.CreateOptions{})
	require.NoError(f, err)
	require.NotEqual(f, before, f.address("after"))
	require.Equal(f, before, f.address("before"))
	balancers, err := f.linode.ListNodeBalancers(f.Context(), nil)
	require.NoError(f, err)
	require.Len(f, balancers, 3, "these two and the preserved one")
	f.eventually("the pod has failed", func() bool { return f.pod("lost").Status.Phase == corev1.PodFailed })
	require.EqualValues(f, 137, f.pod("lost").Status.ContainerStatuses[0].State.Terminated.ExitCode)
}

var certificateResources = schema.GroupVersion{Group: "cert-manager.io", Version: "v1"}

// certificates: an issuer becomes ready, and a certificate with a real key when Linode has the zone of its names.
func certificates(f *fixture) {
	ctx := f.Context()
	require.NoError(f, f.controllers.Deployed(ctx, incluster.Release{Chart: "cert-manager", Version: "v1.21.1"}))
	issuers, all := certificateResources.WithResource("clusterissuers"), certificateResources.WithResource("certificates")
	f.eventually("the definitions are there", func() bool {
		_, err := f.dynamic.Resource(all).List(ctx, metav1.ListOptions{})
		return err == nil
	})
	const site = `
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: site, namespace: default}
spec:
  secretName: site-tls
  dnsNames: [site.example, "*.site.example"]
  issuerRef: {kind: ClusterIssuer, name: acme}
  privateKey: {algorithm: RSA, size: 2048, encoding: PKCS8}
  renewBeforePercentage: 33`
	f.create(all, site+`
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: elsewhere, namespace: default}
spec: {secretName: elsewhere-tls, dnsNames: [elsewhere.example], issuerRef: {kind: ClusterIssuer, name: acme}}`)
	f.create(issuers, `
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: acme}
spec: {acme: {server: https://acme.example/directory, privateKeySecretRef: {name: acme}, solvers: []}}`)
	zone, err := f.linode.CreateDomain(ctx, linodego.DomainCreateOptions{
		Domain: "site.example", Type: linodego.DomainTypeMaster, SOAEmail: "post@site.example",
	})
	require.NoError(f, err)
	f.eventually("the certificate is ready", func() bool { return isReady(f.status(all, "site")) })
	secret, err := f.client.CoreV1().Secrets("default").Get(ctx, "site-tls", metav1.GetOptions{})
	require.NoError(f, err)
	require.Equal(f, corev1.SecretTypeTLS, secret.Type)
	require.Contains(f, string(secret.Data["tls.key"]), "BEGIN PRIVATE KEY")
	pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	require.NoError(f, err)
	issued, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(f, err)
	require.NoError(f, issued.VerifyHostname("www.site.example"))
	status := f.status(all, "site")
	require.Equal(f, issued.NotAfter.UTC().Format(time.RFC3339), status["notAfter"])
	require.EqualValues(f, 1, status["revision"])
	require.False(f, isReady(f.status(all, "elsewhere")), "no zone proves the name of this one")
	records, err := f.linode.ListDomainRecords(ctx, zone.ID, nil)
	require.NoError(f, err)
	require.Empty(f, records, "proofs are taken away again")

	// Whoever keeps the Secret orders nothing.
	namespaced := f.dynamic.Resource(all).Namespace(metav1.NamespaceDefault)
	require.NoError(f, namespaced.Delete(ctx, "site", metav1.DeleteOptions{}))
	f.create(all, site)
	f.eventually("the certificate is ready again", func() bool { return isReady(f.status(all, "site")) })
	kept, err := f.client.CoreV1().Secrets("default").Get(ctx, "site-tls", metav1.GetOptions{})
	require.NoError(f, err)
	require.Equal(f, secret.Data, kept.Data)
	f.delegated()
	require.Empty(f, f.doomed)
	f.selfChecks()
	f.orders()
}

// delegated: a name in a zone elsewhere is proven where its alias leads, if the solver for that zone follows it, and there is one.
func (f *fixture) delegated() {
	ctx, all := f.Context(), certificateResources.WithResource("certificates")
	f.create(certificateResources.WithResource("clusterissuers"), `
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: following}
spec:
  acme:
    server: https://acme.example/directory
    privateKeySecretRef: {name: following}
    solvers:
    - {dns01: {webhook: {groupName: g, solverName: s}}}
    - {selector: {dnsZones: [far.example, bare.example]}, dns01: {cnameStrategy: Follow, webhook: {groupName: g, solverName: s}}}`)
	alias := func(zone string) dns.RR {
		return nameserver.Alias("_acme-challenge."+zone, "_acme-challenge."+zone+".site.example")
	}
	f.elsewhere.Set([]string{"far.example", "unfollowed.example", "bare.example"}, []string{"site.example"},
		[]dns.RR{alias("far.example"), alias("unfollowed.example")})
	for _, name := range []string{"far", "unfollowed", "bare"} {
		f.create(all, fmt.Sprintf(`
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: %[1]s, namespace: default}
spec: {secretName: %[1]s-tls, dnsNames: [%[1]s.example, "*.%[1]s.example"], issuerRef: {kind: ClusterIssuer, name: following}}`, name))
	}
	f.eventually("the certificate of the zone elsewhere is ready", func() bool { return isReady(f.status(all, "far")) })
	for _, name := range []string{"unfollowed", "bare"} {
		require.False(f, isReady(f.status(all, name)), name)
		require.NoError(f, f.dynamic.Resource(all).Namespace(metav1.NamespaceDefault).Delete(ctx, name, metav1.DeleteOptions{}))
	}
}

// selfChecks: a resolver that was asked too early remembers for as long as the zone says that there is no proof.
func (f *fixture) selfChecks() {
	ctx, all := f.Context(), certificateResources.WithResource("certificates")
	require.NoError(f, f.controllers.Deployed(ctx, incluster.Release{
		Chart: "cert-manager", Version: "v1.21.1", Values: map[string]any{"dns01RecursiveNameserversOnly": true},
	}))
	for name, ttl := range map[string]int{"forgetful": 300, "stubborn": 0} { // by default a day
		_, err := f.linode.CreateDomain(ctx, linodego.DomainCreateOptions{
			Domain: name + ".example", Type: linodego.DomainTypeMaster, SOAEmail: "post@site.example", TTLSec: ttl,
		})
		require.NoError(f, err)
		f.eventually("its name servers have the zone", func() bool {
			answer, err := dns.Exchange(new(dns.Msg).SetQuestion(name+".example.", dns.TypeSOA), f.nameServer)
			return err == nil && len(answer.Answer) == 1
		})
		f.create(all, fmt.Sprintf(`
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: %[1]s, namespace: default, annotations: {pulumi.com/timeoutSeconds: "1800"}}
spec: {secretName: %[1]s-tls, dnsNames: [%[1]s.example], issuerRef: {kind: ClusterIssuer, name: acme}}`, name))
	}
	f.eventuallyDoomed("certificate stubborn would not be issued in time: a resolver that cert-manager asks")
	f.eventually("the other one is issued", func() bool { return isReady(f.status(all, "forgetful")) })
}

// orders: Let's Encrypt issues five certificates a week for the same names. Of a sixth the status says why it does not come, and a
// week later there is one again.
func (f *fixture) orders() {
	all := certificateResources.WithResource("certificates")
	popular := func(name string) {
		f.create(all, fmt.Sprintf(`
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: %[1]s, namespace: default, labels: {names: popular}}
spec: {secretName: %[1]s, dnsNames: [popular.example], issuerRef: {kind: ClusterIssuer, name: acme}}`, name))
	}
	for i := range 6 {
		popular(fmt.Sprintf("popular-%d", i))
	}
	f.eventually("the status of one says why", func() bool {
		list, err := f.dynamic.Resource(all).List(f.Context(), metav1.ListOptions{LabelSelector: "names=popular"})
		require.NoError(f, err)
		text, err := list.MarshalJSON()
		require.NoError(f, err)
		return strings.Count(string(text),
			"429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued for this exact set of identifiers") == 1
	})

	require.NoError(f, f.dynamic.Resource(all).Namespace(metav1.NamespaceDefault).DeleteCollection(f.Context(),
		metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "names=popular"}))
	f.controllers.PassWeek()
	f.zoneWith("popular.example")
	popular("popular-again")
	f.eventually("there is one again", func() bool { return isReady(f.status(all, "popular-again")) })
}

var postgresClusters = schema.GroupVersionResource{
	Group: "postgres-operator.crunchydata.com", Version: "v1", Resource: "postgresclusters",
}

// postgres: a cluster becomes ready with its pods, and its user has a Secret.
func postgres(f *fixture) {
	ctx := f.Context()
	require.NoError(f, f.controllers.Deployed(ctx, incluster.Release{Chart: "pgo", Version: "6.0.3"}))
	f.eventually("the definition is there", func() bool {
		_, err := f.dynamic.Resource(postgresClusters).List(ctx, metav1.ListOptions{})
		return err == nil
	})
	f.eventually("it is known to be a stand-in", func() bool {
		return strings.Contains(strings.Join(f.controllers.Schemaless(), "\n"), "PostgresCluster")
	})
	f.create(postgresClusters, `
apiVersion: postgres-operator.crunchydata.com/v1
kind: PostgresCluster
metadata:
  name: db
  namespace: default
  annotations: {postgres-operator.crunchydata.com/pgbackrest-restore: before-the-accident}
spec:
  postgresVersion: 18
  databaseInitSQL: {name: db-init, key: init.sql}
  instances:
  - name: pg
    replicas: 2
    dataVolumeClaimSpec: &claim
      {storageClassName: linode-block-storage, accessModes: [ReadWriteOnce], resources: {requests: {storage: 12Gi}}}
    resources: {requests: {cpu: 100m, memory: 64Mi}}
  users: [{name: app, databases: [app]}]
  proxy: {pgBouncer: {replicas: 2}}
  backups:
    pgbackrest:
      configuration: [{secret: {name: db-backups}}]
      repos: [{name: repo1}]
      restore: {enabled: true, repoName: repo1}`)
	f.create(postgresClusters, `
apiVersion: postgres-operator.crunchydata.com/v1
kind: PostgresCluster
metadata: {name: keyless, namespace: default}
spec: {patroni: {dynamicConfiguration: {failsafe_mode: true}}, backups: {pgbackrest: {configuration: [{secret: {name: keyless-backups}}]}}}`)
	_, err := f.client.CoreV1().Secrets("default").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "db-backups"}},
		metav1.CreateOptions{})
	require.NoError(f, err)
	f.eventually("the cluster is ready", func() bool {
		status := f.status(postgresClusters, "db")
		instances, _, _ := unstructured.NestedSlice(status, "instances")
		pooler, _, _ := unstructured.NestedInt64(status, "proxy", "pgBouncer", "readyReplicas")
		return len(instances) == 1 && instances[0].(map[string]any)["readyReplicas"] == int64(2) && pooler == 2 &&
			status["databaseInitSQL"] == "db-init"
	})
	require.Empty(f, f.status(postgresClusters, "keyless"), "this one has no key of its repository")
	f.requireRestored(ctx)
	warned := strings.Join(f.controllers.Warnings(), "\n")
	require.Contains(f, warned, "PostgresCluster default/db: without patroni's failsafe_mode its primary steps down")
	require.NotContains(f, warned, "default/keyless")

	secret, err := f.client.CoreV1().Secrets("default").Get(ctx, "db-pguser-app", metav1.GetOptions{})
	require.NoError(f, err)
	password := string(secret.Data["password"])
	require.Equal(f, "postgresql://app:"+password+"@db-primary.default.svc:5432/app", string(secret.Data["uri"]))
	require.Equal(f, "postgresql://app:"+password+"@db-pgbouncer.default.svc:5432/app", string(secret.Data["pgbouncer-uri"]))
	require.Equal(f, "db-primary.default.svc", string(secret.Data["host"]))
	require.Regexp(f, `^SCRAM-SHA-256\$4096:`, string(secret.Data["verifier"]))

	f.requireCertified(ctx, string(secret.Data["host"]), string(secret.Data["pgbouncer-host"]))
	claims, err := f.client.CoreV1().PersistentVolumeClaims("default").List(ctx, metav1.ListOptions{
		LabelSelector: "postgres-operator.crunchydata.com/cluster=db",
	})
	require.NoError(f, err)
	require.Len(f, claims.Items, 2)
	require.Equal(f, "db", metav1.GetControllerOf(&claims.Items[0]).Name, "claims go with the cluster")
	budgets, err := f.client.PolicyV1().PodDisruptionBudgets("default").List(ctx, metav1.ListOptions{
		LabelSelector: "postgres-operator.crunchydata.com/cluster=db",
	})
	require.NoError(f, err)
	require.Len(f, budgets.Items, 2, "one for the servers, one for the pooler")
}

// requireCertified says that the certificate of a database's servers is good for hosts.
func (f *fixture) requireCertified(ctx context.Context, hosts ...string) {
	f.Helper()
	certificate, err := f.client.CoreV1().Secrets("default").Get(ctx, "db-cluster-cert", metav1.GetOptions{})
	require.NoError(f, err)
	block, _ := pem.Decode(certificate.Data["tls.crt"])
	served, err := x509.ParseCertificate(block.Bytes)
	require.NoError(f, err)
	authority := x509.NewCertPool()
	require.True(f, authority.AppendCertsFromPEM(certificate.Data["ca.crt"]))
	for _, host := range hosts {
		_, err = served.Verify(x509.VerifyOptions{Roots: authority, DNSName: host})
		require.NoError(f, err, host)
	}
}

// requireRestored says that the servers of a database came after its data.
func (f *fixture) requireRestored(ctx context.Context) {
	f.Helper()
	restore, _, _ := unstructured.NestedMap(f.status(postgresClusters, "db"), "pgbackrest", "restore")
	require.Equal(f, "before-the-accident", restore["id"])
	require.Equal(f, true, restore["finished"])
	job, err := f.client.BatchV1().Jobs("default").Get(ctx, "db-pgbackrest-restore", metav1.GetOptions{})
	require.NoError(f, err)
	servers, err := f.client.AppsV1().StatefulSets("default").List(ctx, metav1.ListOptions{
		LabelSelector: "postgres-operator.crunchydata.com/cluster=db",
	})
	require.NoError(f, err)
	require.NotEmpty(f, servers.Items)
	for _, server := range servers.Items {
		require.False(f, server.CreationTimestamp.Before(job.Status.CompletionTime), "%s waits for its data", server.Name)
	}
}

// monitors: the platform's monitors fit the operator's own definitions, which come from its Go module.
func monitors(f *fixture) {
	ctx := f.Context()
	require.NoError(f, f.controllers.Deployed(ctx, incluster.Release{Chart: "kube-prometheus-stack", Version: "88.5.3"}))
	resource := schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "servicemonitors"}
	f.eventually("the definition is there", func() bool {
		_, err := f.dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
		return err == nil
	})
	wrong := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": map[string]any{"name": "wrong"},
		"spec": map[string]any{"selector": map[string]any{}, "endpoint": []any{}},
	}}
	_, err := f.dynamic.Resource(resource).Namespace("default").Create(ctx, wrong, metav1.CreateOptions{FieldValidation: "Strict"})
	require.ErrorContains(f, err, `unknown field "spec.endpoint"`)
	require.NotContains(f, strings.Join(f.controllers.Schemaless(), "\n"), "ServiceMonitor")
}

// prometheus: a chart's Prometheus runs, with its volume, which it keeps or loses as it says when its StatefulSet is made anew.
func prometheus(f *fixture) {
	f.define("Prometheus", "prometheuses", "monitoring.coreos.com", "v1")
	resource := schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "prometheuses"}
	f.create(resource, `
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: main, namespace: default}
spec:
  replicas: 2
  resources: {requests: {memory: 64Mi}}
  storage: {volumeClaimTemplate: {spec: {storageClassName: linode-block-storage, resources: {requests: {storage: 30Gi}},
    accessModes: [ReadWriteOnce]}}}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain}`)
	f.eventually("it is available", func() bool { return f.status(resource, "main")["availableReplicas"] == int64(2) })
	first := f.claim("prometheus-main-db-prometheus-main-1")
	require.Equal(f, 30, f.volumeOf(first).Size)

	grow := func(name, policy string) {
		_, err := f.dynamic.Resource(resource).Namespace("default").Patch(f.Context(), "main", types.MergePatchType, []byte(`{"spec": {
			"storage": {"volumeClaimTemplate": {"metadata": {"name": "`+name+`"}}},
			"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "`+policy+`"}}}`), metav1.PatchOptions{})
		require.NoError(f, err)
		f.eventually("it is made anew, with other volumes", func() bool {
			_, err := f.client.CoreV1().PersistentVolumeClaims("default").Get(f.Context(), name+"-prometheus-main-1", metav1.GetOptions{})
			return err == nil && f.status(resource, "main")["availableReplicas"] == int64(2)
		})
	}
	grow("larger", "Delete")
	require.Equal(f, first.UID, f.claim(first.Name).UID, "the history is kept")
	grow("largest", "Delete")
	f.eventually("the history is lost", func() bool {
		_, err := f.client.CoreV1().PersistentVolumeClaims("default").Get(f.Context(), "larger-prometheus-main-1", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

// nodeFirewall: a CloudFirewall becomes a firewall around all nodes, and goes with it, as long as its controller is there.
func nodeFirewall(f *fixture) {
	ctx, controller := f.Context(), incluster.Release{Chart: "cloud-firewall-controller"}
	resource := schema.GroupVersionResource{Group: "networking.linode.com", Version: "alpha1v1", Resource: "cloudfirewalls"}
	objects := f.dynamic.Resource(resource).Namespace("kube-system")
	firewallOf := func() (firewall *linodego.Firewall) {
		f.eventually("it has a firewall", func() bool {
			object, err := objects.Get(ctx, "primary", metav1.GetOptions{})
			if err != nil {
				return false
			}
			id, _, _ := unstructured.NestedString(object.Object, "status", "firewall-id")
			number, _ := strconv.Atoi(id)
			firewall, err = f.linode.GetFirewall(ctx, number)
			return err == nil
		})
		return firewall
	}
	require.NoError(f, f.controllers.Deployed(ctx, incluster.Release{Chart: "cloud-firewall-crd"}))
	require.NoError(f, f.controllers.Deployed(ctx, controller))
	_, err := objects.Get(ctx, "primary", metav1.GetOptions{})
	require.NoError(f, err, "Helm waits for the controller, which has made it by then")
	firewall := firewallOf()
	require.Len(f, firewall.Rules.Inbound, 10, "the controller has made a CloudFirewall, as there was none")
	devices, err := f.linode.ListFirewallDevices(ctx, firewall.ID, nil)
	require.NoError(f, err)
	require.Len(f, devices, 2)

	rule := `{"label": "allow-node-exporter", "action": "ACCEPT", "protocol": "TCP", "ports": "9100",
		"addresses": {"ipv4": ["192.168.128.0/17"]}}`
	_, err = objects.Patch(ctx, "primary", types.MergePatchType, []byte(`{"spec": {"ruleset": {"inbound": [`+rule+`]}}}`),
		metav1.PatchOptions{})
	require.NoError(f, err)
	f.eventually("it has a rule more", func() bool { return len(firewallOf().Rules.Inbound) == 11 })

	f.scaleFirewallController(0)
	_, err = objects.Patch(ctx, "primary", types.MergePatchType, []byte(`{"spec": {"ruleset": {"inbound": []}}}`), metav1.PatchOptions{})
	require.NoError(f, err)
	brief, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	require.ErrorIs(f, f.controllers.Deployed(brief, controller), context.DeadlineExceeded, "Helm waits for a pod of the controller")
	require.Len(f, firewallOf().Rules.Inbound, 11, "nobody is there to follow")
	f.scaleFirewallController(1)
	f.eventually("it has a rule less", func() bool { return len(firewallOf().Rules.Inbound) == 10 })

	require.NoError(f, objects.Delete(ctx, "primary", metav1.DeleteOptions{}))
	f.eventually("the firewall goes", func() bool {
		_, err := f.linode.GetFirewall(ctx, firewall.ID)
		return linodego.IsNotFound(err)
	})

	require.NoError(f, f.controllers.Uninstalled(ctx, controller))
	require.NoError(f, f.controllers.Deployed(ctx, controller))
	firewall = firewallOf()
	require.NoError(f, f.controllers.Uninstalled(ctx, controller))
	f.eventually("a CloudFirewall goes with its controller, and is held forever", func() bool {
		object, err := objects.Get(ctx, "primary", metav1.GetOptions{})
		return err == nil && object.GetDeletionTimestamp() != nil && len(object.GetFinalizers()) == 1
	})
	_, err = f.linode.GetFirewall(ctx, firewall.ID)
	require.NoError(f, err)
}

// scaleFirewallController has as many ready pods of the firewall controller.
func (f *fixture) scaleFirewallController(replicas int32) {
	f.Helper()
	const name = "cloud-firewall-controller"
	deployments := f.client.AppsV1().Deployments("kube-system")
	_, err := deployments.UpdateScale(f.Context(), name, &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system"}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas},
	}, metav1.UpdateOptions{})
	require.NoError(f, err)
	f.eventually("the controller is scaled", func() bool {
		controller, err := deployments.Get(f.Context(), name, metav1.GetOptions{})
		return err == nil && controller.Status.ReadyReplicas == replicas
	})
}

// define defines a kind of custom resource, as a chart would.
func (f *fixture) define(kind, plural, group, version string) {
	f.Helper()
	f.create(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
		fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]s.%[3]s}
spec:
  group: %[3]s
  scope: Namespaced
  names: {kind: %[1]s, listKind: %[1]sList, plural: %[2]s, singular: %[2]s-one}
  versions:
  - name: %[4]s
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}`, kind, plural, group, version))
	f.eventually("the kind is served", func() bool {
		_, err := f.dynamic.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: plural}).
			List(f.Context(), metav1.ListOptions{})
		return err == nil
	})
}

// webhooks: what simulated pods would serve keeps nobody waiting.
func webhooks(f *fixture) {
	ctx := f.Context()
	f.create(schema.GroupVersionResource{
		Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations",
	}, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: check}
webhooks:
- name: check.example.com
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
  clientConfig: {service: {name: check, namespace: default}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]`)
	f.create(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}, `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1alpha1.acme.example.com}
spec:
  {group: acme.example.com, version: v1alpha1, groupPriorityMinimum: 1000, versionPriority: 15,
   insecureSkipTLSVerify: true, service: {name: acme, namespace: default}}`)
	f.eventually("both are out of the way", func() bool {
		notes := strings.Join(f.controllers.NotRehearsed(), "\n")
		return strings.Contains(notes, "admission webhook check.example.com") &&
			strings.Contains(notes, "aggregated API acme.example.com/v1alpha1")
	})
	f.eventually("an object that the webhook would see is made", func() bool {
		limited, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := f.client.CoreV1().ConfigMaps("default").Create(limited, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "seen"},
		}, metav1.CreateOptions{})
		return err == nil || apierrors.IsAlreadyExists(err)
	})
	namespaces := f.client.CoreV1().Namespaces()
	_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "short"}}, metav1.CreateOptions{})
	require.NoError(f, err)
	require.NoError(f, namespaces.Delete(ctx, "short", metav1.DeleteOptions{}))
	f.eventually("a namespace goes", func() bool {
		_, err := namespaces.Get(ctx, "short", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}
