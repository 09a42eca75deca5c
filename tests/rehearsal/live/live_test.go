//go:build linux

package live

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"

	"lke-platform/tests/rehearsal/kubernetes"
	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/live/spec"
	"lke-platform/tests/rehearsal/nameserver"
)

const (
	soon = 2 * time.Minute
	tick = 200 * time.Millisecond
)

// helperDir tells a process that it is the rehearsal that a test kills.
const helperDir = "LIVE_HELPER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		runUntilKilled(dir)
	}
	os.Exit(m.Run())
}

func readList(t *testing.T, path string) spec.Images {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var images spec.Images
	require.NoError(t, json.Unmarshal(content, &images))
	return images
}

// machinesFolder returns a folder with all that machines run.
func machinesFolder(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	built := filepath.Join(root, ".bin", "live")
	if _, err := os.Stat(filepath.Join(built, "coredns")); err != nil {
		t.Skip("what nodes run is not built: make rehearse LIVE=1 does")
	}
	if err := check(Options{Dir: t.TempDir(), Nodes: 2}); err != nil {
		t.Skip(err)
	}
	alone, err := claim()
	if errors.Is(err, errAnother) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.NoError(t, alone.Close())
	bin := t.TempDir()
	programs, err := os.ReadDir(built)
	require.NoError(t, err)
	for _, program := range programs {
		require.NoError(t, os.Symlink(filepath.Join(built, program.Name()), filepath.Join(bin, program.Name())))
	}
	for _, own := range []string{"node", "played"} {
		require.NoError(t, os.RemoveAll(filepath.Join(bin, own)))
		build := exec.Command("go", "build", "-o", filepath.Join(bin, own), "./"+own)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		output, err := build.CombinedOutput()
		require.NoError(t, err, string(output))
	}
	return bin
}

func worker(n int) linode.Node {
	return linode.Node{
		Name: fmt.Sprintf("lke7-10-%d", n), PoolID: 10, InstanceID: 100 + n, Region: "us-east",
		Type: linode.InstanceType{ID: "g6-standard-2", VCPUs: 3, Memory: 4096, Disk: 81920},
		IPv4: fmt.Sprintf("198.18.0.%d", n+1), PrivateIP: fmt.Sprintf("192.168.128.%d", n+10),
		Labels: map[string]string{"pool": "app"}, Taints: []linode.Taint{{Key: "app", Value: "only", Effect: "NoSchedule"}},
	}
}

// fixture is a cluster whose nodes run containers.
type fixture struct {
	*testing.T

	machines *Machines
	clusters *kubernetes.Clusters
	client   client.Interface
}

func TestNodesRunContainers(t *testing.T) {
	programs := machinesFolder(t)
	before := traces(t)
	machines, err := New(Options{
		Bin: programs, Dir: t.TempDir(), Nodes: 2, Programs: map[string]string{askerImage: buildAsker(t)},
	})
	require.NoError(t, err)
	names, stop, err := nameserver.Serve(dns.HandlerFunc(answerOutside))
	require.NoError(t, err)
	t.Cleanup(func() { _ = stop() })
	machines.ForwardNames(names)
	f := &fixture{T: t, machines: machines}
	t.Cleanup(func() { _ = machines.Close() })
	_, err = claim()
	require.ErrorContains(t, err, "another live rehearsal runs on this computer")
	bin, err := filepath.Abs("../../../.bin")
	require.NoError(t, err)
	f.clusters = kubernetes.New(kubernetes.Options{Bin: bin, Dir: t.TempDir(), Machines: machines})
	t.Cleanup(func() { require.NoError(t, f.clusters.Close()) })
	access, err := f.clusters.Start(t.Context(), 7, "1.36")
	require.NoError(t, err)
	config, err := clientcmd.RESTConfigFromKubeConfig(access.Kubeconfig)
	require.NoError(t, err)
	f.client, err = client.NewForConfig(config)
	require.NoError(t, err)
	f.servePublic()
	one, two := worker(1), worker(2)
	two.Taints = nil // the name server of the cluster tolerates none
	f.sync(one, two)
	f.nodesAreAsTheirLinodesSay(one)
	f.volumeGoesFromNodeToNode(one, two)
	f.deployed()
	f.podsAnswerOnEachNode()
	f.jobsEnd()
	friend := f.asker("friend")
	f.servicesHaveNames(friend)
	answer, err := f.get(friend + "/?url=https://" + publicAddress)
	require.NoError(t, err)
	require.Equal(t, "public", answer)
	f.policiesAreEnforced(friend, f.asker("stranger"))
	f.rebootStartsContainersAnew(&one, two)
	f.troublesComeAndGo(&one, two)
	f.sync(two)
	require.NoDirExists(t, filepath.Join(machines.options.Dir, "machines", one.Name))
	require.NoError(t, f.clusters.Delete(t.Context(), 7))
	require.NoError(t, machines.Close())
	require.Equal(t, before, traces(t))
}

// publicAddress is one outside of the clusters.
const publicAddress = "198.51.100.10"

// servePublic serves something there, by a certificate that is to be trusted.
func (f *fixture) servePublic() {
	f.Helper()
	chain, key, err := cert.GenerateSelfSignedCertKey(publicAddress, []net.IP{net.ParseIP(publicAddress)}, nil)
	require.NoError(f, err)
	certificate, err := tls.X509KeyPair(chain, key)
	require.NoError(f, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "public") }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	f.Cleanup(server.Close)
	require.NoError(f, f.machines.Trust(chain))
	port := server.Listener.Addr().(*net.TCPAddr).Port
	require.NoError(f, f.machines.ServePublic(publicAddress, map[int]int{443: port}))
}

func (f *fixture) sync(nodes ...linode.Node) {
	f.Helper()
	if err := f.clusters.Sync(f.Context(), 7, nodes); err != nil {
		logs, _ := filepath.Glob(filepath.Join(f.machines.options.Dir, "machines", "*", "logs", "*.log"))
		for _, path := range logs {
			content, _ := os.ReadFile(path)
			f.Logf("%s\n%s", path, content[max(0, len(content)-2000):])
		}
		require.NoError(f, err)
	}
}

func (f *fixture) eventually(what string, holds func() bool) {
	f.Helper()
	require.Eventually(f, holds, soon, tick, what)
}

func (f *fixture) nodesAreAsTheirLinodesSay(wanted linode.Node) {
	node, err := f.client.CoreV1().Nodes().Get(f.Context(), wanted.Name, metav1.GetOptions{})
	require.NoError(f, err)
	require.Equal(f, "app", node.Labels["pool"])
	require.Equal(f, "only", node.Spec.Taints[0].Value)
	require.Equal(f, int64(wanted.Type.VCPUs), node.Status.Capacity.Cpu().Value())
	require.Equal(f, int64(wanted.Type.Memory)<<20, node.Status.Capacity.Memory().Value())
	require.Equal(f, "2925m", node.Status.Allocatable.Cpu().String())
	require.Equal(f, int64(2972)<<20, node.Status.Allocatable.Memory().Value())
	addresses := map[corev1.NodeAddressType]string{}
	for _, address := range node.Status.Addresses {
		addresses[address.Type] = address.Address
	}
	require.Equal(f, map[corev1.NodeAddressType]string{
		corev1.NodeHostName: wanted.Name, corev1.NodeExternalIP: wanted.IPv4, corev1.NodeInternalIP: wanted.PrivateIP,
	}, addresses)
}

var tolerations = []corev1.Toleration{{Key: "app", Operator: corev1.TolerationOpExists}}

// deployed deploys an app whose image cannot be had, by a digest, with probes of all kinds, as a user that may do nothing.
func (f *fixture) deployed() {
	labels := map[string]string{"app": "web"}
	yes, no, replicas := true, false, int32(2)
	probe := func(handler corev1.ProbeHandler) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: handler, PeriodSeconds: 1}
	}
	_, err := f.client.AppsV1().Deployments("default").Create(f.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				Tolerations: tolerations,
				TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
					MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.DoNotSchedule,
					LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
				}},
				SecurityContext: &corev1.PodSecurityContext{
					RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				},
				InitContainers: []corev1.Container{{Name: "prepare", Image: "registry.example/prepare", Command: []string{"sh", "-c", "x"}}},
				Containers: []corev1.Container{{
					Name: "web", Image: "registry.example/web@sha256:" + strings.Repeat("ab", 32), Command: []string{"/nowhere"},
					ImagePullPolicy: corev1.PullAlways,
					Ports:           []corev1.ContainerPort{{Name: "http", ContainerPort: 80}},
					StartupProbe:    probe(corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}),
					ReadinessProbe: probe(corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
						Path: "/ready", Port: intstr.FromInt32(8443), Scheme: corev1.URISchemeHTTPS,
					}}),
					LivenessProbe: probe(corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("http")}}),
					SecurityContext: &corev1.SecurityContext{
						AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
						Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					},
				}},
			}},
		},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	f.eventually("web is available", func() bool {
		found, err := f.client.AppsV1().Deployments("default").Get(f.Context(), "web", metav1.GetOptions{})
		return err == nil && found.Status.AvailableReplicas == replicas
	})
	require.Equal(f, []string{
		"registry.example/db:1", "registry.example/prepare:latest", "registry.example/web@sha256:" + strings.Repeat("ab", 32),
	}, f.machines.Played())
}

// volumeGoesFromNodeToNode has a pod wait for a volume that a node loses and another gets. Nobody but the test attaches it here.
func (f *fixture) volumeGoesFromNodeToNode(one, two linode.Node) {
	f.createVolume()
	require.NoError(f, f.machines.Plug(one.InstanceID, 7))
	f.createDatabase(one)
	folder := filepath.Join(f.machines.options.Dir, "volumes", "7")
	owned, err := os.Stat(folder)
	require.NoError(f, err)
	require.Equal(f, databaseGroup, owned.Sys().(*syscall.Stat_t).Gid)
	require.NotEmpty(f, f.usersOf(one, folder))
	require.NoError(f, f.machines.Unplug(one.InstanceID, 7))
	require.Empty(f, f.usersOf(one, folder), "nothing on the node can write to it")
	f.eventually("what runs anew has no volume", func() bool {
		found, err := f.client.CoreV1().Pods("default").Get(f.Context(), "db", metav1.GetOptions{})
		require.NoError(f, err)
		return found.Status.ContainerStatuses[0].RestartCount > 0 && found.Status.ContainerStatuses[0].State.Running != nil
	})
	require.Empty(f, f.usersOf(one, folder))
	f.deleteDatabase()
	require.NoError(f, f.machines.Plug(two.InstanceID, 7))
	f.createDatabase(two)
	require.NotEmpty(f, f.usersOf(two, folder))
	f.deleteDatabase()
	require.NoError(f, f.machines.Unplug(two.InstanceID, 7))
	require.NoError(f, f.machines.Destroy(7))
	require.NoDirExists(f, folder)
}

func (f *fixture) usersOf(node linode.Node, folder string) []int {
	f.Helper()
	users, err := f.machines.running[node.Name].users(folder)
	require.NoError(f, err)
	return users
}

func (f *fixture) createVolume() {
	no := false
	_, err := f.client.StorageV1().CSIDrivers().Create(f.Context(), &storagev1.CSIDriver{
		ObjectMeta: metav1.ObjectMeta{Name: spec.StorageDriver}, Spec: storagev1.CSIDriverSpec{AttachRequired: &no},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	_, err = f.client.CoreV1().PersistentVolumes().Create(f.Context(), &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeSpec{Capacity: size, AccessModes: modes, PersistentVolumeSource: corev1.PersistentVolumeSource{
			CSI: &corev1.CSIPersistentVolumeSource{Driver: spec.StorageDriver, VolumeHandle: "7-data", FSType: "ext4"},
		}},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	class := ""
	_, err = f.client.CoreV1().PersistentVolumeClaims("default").Create(f.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, VolumeName: "data", AccessModes: modes,
			Resources: corev1.VolumeResourceRequirements{Requests: size},
		},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
}

const databaseGroup = uint32(2000)

// createDatabase has a pod run on a node, with the volume.
func (f *fixture) createDatabase(on linode.Node) {
	group := int64(databaseGroup)
	_, err := f.client.CoreV1().Pods("default").Create(f.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "db"},
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{corev1.LabelHostname: on.Name},
			Tolerations:  tolerations, SecurityContext: &corev1.PodSecurityContext{FSGroup: &group},
			Containers: []corev1.Container{{
				Name: "db", Image: "registry.example/db:1", VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
			}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
			}}},
		},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	f.eventually("db runs with its volume", func() bool {
		found, err := f.client.CoreV1().Pods("default").Get(f.Context(), "db", metav1.GetOptions{})
		return err == nil && found.Status.Phase == corev1.PodRunning
	})
}

func (f *fixture) deleteDatabase() {
	require.NoError(f, f.client.CoreV1().Pods("default").Delete(f.Context(), "db", *metav1.NewDeleteOptions(1)))
	f.eventually("db is gone", func() bool {
		_, err := f.client.CoreV1().Pods("default").Get(f.Context(), "db", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

func (f *fixture) pods() []corev1.Pod {
	pods, err := f.client.CoreV1().Pods("default").List(f.Context(), metav1.ListOptions{LabelSelector: "app=web"})
	require.NoError(f, err)
	return pods.Items
}

// get asks a pod, or by it somebody else.
func (f *fixture) get(address string) (answer string, err error) {
	asking := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return f.machines.network.dial(ctx, address)
		},
	}}
	response, err := asking.Get("http://" + address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// podsAnswerOnEachNode asks pods from the rehearsal, through the API server, and by their logs.
func (f *fixture) podsAnswerOnEachNode() {
	onNodes := map[string]bool{}
	for _, pod := range f.pods() {
		onNodes[pod.Spec.NodeName] = true
		answer, err := f.get(pod.Status.PodIP)
		require.NoError(f, err)
		require.Contains(f, answer, "played")
		logs, err := f.client.CoreV1().Pods("default").GetLogs(pod.Name, &corev1.PodLogOptions{Container: "web"}).DoRaw(f.Context())
		require.NoError(f, err)
		require.Contains(f, string(logs), "answering on 80 https:8443")
	}
	require.Len(f, onNodes, 2)
}

func (f *fixture) jobsEnd() {
	never := int32(0)
	for name, command := range map[string]string{"good": "migrate", "bad": "false"} {
		_, err := f.client.BatchV1().Jobs("default").Create(f.Context(), &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: batchv1.JobSpec{BackoffLimit: &never, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Tolerations: tolerations, RestartPolicy: corev1.RestartPolicyNever,
				Containers: []corev1.Container{{Name: "job", Image: "registry.example/job:1", Command: []string{command}}},
			}}},
		}, metav1.CreateOptions{})
		require.NoError(f, err)
	}
	f.eventually("one job is complete, the other has failed", func() bool {
		good, err := f.client.BatchV1().Jobs("default").Get(f.Context(), "good", metav1.GetOptions{})
		require.NoError(f, err)
		bad, err := f.client.BatchV1().Jobs("default").Get(f.Context(), "bad", metav1.GetOptions{})
		require.NoError(f, err)
		return good.Status.Succeeded == 1 && bad.Status.Failed == 1
	})
}

// askerImage is one whose pods ask others, as they are asked to.
const askerImage = "registry.example/asker"

func buildAsker(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "asker")
	build := exec.Command("go", "build", "-o", path, "./testdata/asker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	return path
}

// webAddress is that of a Service.
const webAddress = "10.128.0.80"

// answerOutside leads www.example.org, as somebody outside would, to the Service.
func answerOutside(w dns.ResponseWriter, query *dns.Msg) {
	answer := new(dns.Msg).SetRcode(query, dns.RcodeNameError)
	if asked := query.Question[0]; asked.Name == "www.example.org." {
		answer.Rcode = dns.RcodeSuccess
		if asked.Qtype == dns.TypeA {
			header := dns.RR_Header{Name: asked.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}
			answer.Answer = []dns.RR{&dns.A{Hdr: header, A: net.ParseIP(webAddress)}}
		}
	}
	_ = w.WriteMsg(answer)
}

// asker makes a pod that asks, and returns its address.
func (f *fixture) asker(name string) (address string) {
	pods := f.client.CoreV1().Pods("default")
	_, err := pods.Create(f.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"asker": name}},
		Spec: corev1.PodSpec{
			Tolerations: tolerations, Containers: []corev1.Container{{Name: "asker", Image: askerImage}},
		},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	f.eventually(name+" can be asked", func() bool {
		pod, err := pods.Get(f.Context(), name, metav1.GetOptions{})
		if err != nil || pod.Status.PodIP == "" {
			return false
		}
		address = pod.Status.PodIP
		_, err = f.get(address)
		return err == nil
	})
	return address
}

// askedFor is what an asker is told by somebody else.
func (f *fixture) askedFor(asker, url string) string {
	answer, err := f.get(asker + "/?url=http://" + url)
	require.NoError(f, err)
	return answer
}

// servicesHaveNames asks for Services by their names from a pod, and for one by a name that is not of the cluster.
func (f *fixture) servicesHaveNames(asker string) {
	_, err := f.client.CoreV1().Services("default").Create(f.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "web"}, ClusterIP: webAddress,
			Ports: []corev1.ServicePort{{Port: 8000, TargetPort: intstr.FromString("http")}},
		},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	for _, name := range []string{"web", "web.default", "web.default.svc", "web.default.svc.cluster.local", "www.example.org"} {
		f.eventually(name+" is found", func() bool { return strings.Contains(f.askedFor(asker, name+":8000"), "played") })
	}
	require.Contains(f, f.askedFor(asker, "nobody.default.svc:8000"), "no such host")
}

// policiesAreEnforced allows one pod to another, and not the next. Kubelets go on with their probes.
func (f *fixture) policiesAreEnforced(friend, stranger string) {
	policies := f.client.NetworkingV1().NetworkPolicies("default")
	_, err := policies.Create(f.Context(), &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "friends"},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{
				PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"asker": "friend"}},
			}}}},
		},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	f.eventually("who is not allowed is stopped", func() bool {
		return strings.Contains(f.askedFor(stranger, "web:8000"), "deadline exceeded")
	})
	for range 10 { // on both nodes
		f.eventually("who is allowed gets through", func() bool { // on a busy machine perhaps not at once
			return strings.Contains(f.askedFor(friend, "web:8000"), "played")
		})
		require.NotContains(f, f.askedFor(stranger, "web:8000"), "played")
	}
	for _, pod := range f.pods() {
		require.True(f, pod.Status.ContainerStatuses[0].Ready)
		require.Zero(f, pod.Status.ContainerStatuses[0].RestartCount)
	}
	require.NoError(f, policies.Delete(f.Context(), "friends", metav1.DeleteOptions{}))
	f.eventually("without the policy all get through", func() bool {
		return strings.Contains(f.askedFor(stranger, "web:8000"), "played")
	})
}

// troublesComeAndGo has a node that does not answer, and does again, in each way that there is.
func (f *fixture) troublesComeAndGo(one *linode.Node, two linode.Node) {
	answers := func() bool {
		for _, pod := range f.pods() {
			if pod.Spec.NodeName == one.Name {
				_, err := f.get(pod.Status.PodIP)
				return err == nil
			}
		}
		return false
	}
	f.eventually("the pod answers", answers)
	for _, trouble := range []linode.Trouble{linode.Hung, linode.CutOff, linode.Lost} {
		one.Trouble = trouble
		f.sync(*one, two)
		require.False(f, answers(), trouble)
		one.Trouble = ""
		f.sync(*one, two)
		f.eventually("the pod answers again that was "+string(trouble), answers)
	}
}

func (f *fixture) rebootStartsContainersAnew(one *linode.Node, two linode.Node) {
	one.Boots++
	f.sync(*one, two)
	f.eventually("the containers of the node were started anew", func() bool {
		for _, pod := range f.pods() {
			if pod.Spec.NodeName == one.Name && len(pod.Status.ContainerStatuses) > 0 {
				return pod.Status.ContainerStatuses[0].RestartCount > 0 && pod.Status.ContainerStatuses[0].Ready
			}
		}
		return false
	})
}

// traces are what a live rehearsal could leave on a computer.
func traces(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, command := range []string{"ip netns", "ip -brief link", "cat /proc/sys/net/ipv4/ip_forward /proc/sys/vm/overcommit_memory"} {
		output, err := exec.Command("sh", "-c", command).CombinedOutput()
		require.NoError(t, err, string(output))
		found[command] = string(output)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	found["mounts"] = string(mounts)
	all, err := hierarchies()
	require.NoError(t, err)
	for _, h := range all {
		groups, err := filepath.Glob(filepath.Join(h.path, groupName))
		require.NoError(t, err)
		found[h.path] = strings.Join(groups, " ")
	}
	return found
}

// kubeconfig leads to an API server that does not answer.
const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: nobody, cluster: {server: "https://127.0.0.1:6443"}}]
contexts: [{name: nobody, context: {cluster: nobody}}]
current-context: nobody
`

// runUntilKilled is a rehearsal that somebody kills. One of its machines hangs.
func runUntilKilled(dir string) {
	machines, err := New(Options{Bin: filepath.Join(dir, "bin"), Dir: filepath.Join(dir, "kept"), Nodes: 2})
	hung := worker(1)
	hung.Trouble = linode.Hung
	for _, node := range []linode.Node{worker(1), worker(2), hung} {
		if err == nil {
			err = machines.Run(kubernetes.Machine{
				Node: node, PodNetwork: "10.2.0.0/16", ServiceNetwork: "10.128.0.0/16", Kubeconfig: []byte(kubeconfig),
			})
		}
	}
	fmt.Println("started", err)
	select {}
}

// A rehearsal that is killed leaves control groups, which the next one removes, and `make clean`.
func TestNothingSurvives(t *testing.T) {
	dir, bin := t.TempDir(), machinesFolder(t)
	require.NoError(t, os.Symlink(bin, filepath.Join(dir, "bin")))
	require.NoError(t, Clean())
	before := traces(t)
	helper := exec.Command(os.Args[0])
	helper.Env = append(os.Environ(), helperDir+"="+dir)
	output, err := helper.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, helper.Start())
	t.Cleanup(func() { _ = helper.Process.Kill() })
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "started <nil>\n", line)
	require.Eventually(t, func() bool {
		return len(processesOf(t, dir)) > 3
	}, soon, tick, "the machines and their programs run")
	require.NoError(t, Clean())
	require.Greater(t, len(processesOf(t, dir)), 3, "what runs stays")
	require.NoError(t, helper.Process.Kill())
	_ = helper.Wait()
	require.Eventually(t, func() bool { return len(processesOf(t, dir)) == 0 }, soon, tick, "all processes end with the rehearsal")
	require.NotEqual(t, before, traces(t), "control groups are left")
	require.NoError(t, Clean())
	require.Equal(t, before, traces(t))
}

// processesOf finds the processes of machines whose folder is below dir.
func processesOf(t *testing.T, dir string) (commands []string) {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, path := range found {
		command, _ := os.ReadFile(path) // it may have ended
		if strings.Contains(string(command), filepath.Join(dir, "kept")) {
			commands = append(commands, string(command))
		}
	}
	return commands
}
