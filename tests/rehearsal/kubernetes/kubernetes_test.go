package kubernetes

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"lke-platform/tests/rehearsal/linode"
)

const (
	soon = 20 * time.Second       // more than anything here takes on a busy machine
	tick = 100 * time.Millisecond // between two looks
)

// helperDir makes the test binary act as a rehearsal that gets killed, see TestMain and TestKilledRehearsal.
const helperDir = "REHEARSAL_TEST_HELPER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		runUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// programsFolder returns the folder of the programs, or skips the test where they have not been built.
func programsFolder(t testing.TB) string {
	t.Helper()
	if bin := os.Getenv("REHEARSAL_BIN"); bin != "" {
		return bin
	}
	folder, err := os.Getwd()
	require.NoError(t, err)
	for ; folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		bin := filepath.Join(folder, ".bin")
		if _, err := os.Stat(filepath.Join(bin, "kube-apiserver")); err == nil {
			return bin
		}
	}
	t.Skip("etcd, kube-apiserver and the rest are in no .bin above this folder: build them with make, or set REHEARSAL_BIN")
	return ""
}

// fixture is a running cluster and an administrator's client for it.
type fixture struct {
	*testing.T
	clusters *Clusters
	id       int
	access   linode.Access
	client   client.Interface
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{T: t, id: 7, clusters: New(Options{Bin: programsFolder(t), Dir: t.TempDir()})}
	t.Cleanup(func() { require.NoError(t, f.clusters.Close()) })
	f.start()
	return f
}

func (f *fixture) start() {
	f.Helper()
	access, err := f.clusters.Start(f.Context(), f.id, "1.36")
	require.NoError(f, err)
	f.access, f.client = access, connect(f.T, access)
}

func connect(t *testing.T, access linode.Access) client.Interface {
	t.Helper()
	config, err := clientcmd.RESTConfigFromKubeConfig(access.Kubeconfig)
	require.NoError(t, err)
	require.Equal(t, access.Endpoint, config.Host)
	result, err := client.NewForConfig(config)
	require.NoError(t, err)
	return result
}

func (f *fixture) sync(nodes ...linode.Node) {
	f.Helper()
	require.NoError(f, f.clusters.Sync(f.Context(), f.id, nodes))
}

func (f *fixture) node(name string) *corev1.Node {
	f.Helper()
	node, err := f.client.CoreV1().Nodes().Get(f.Context(), name, metav1.GetOptions{})
	require.NoError(f, err)
	return node
}

func (f *fixture) eventually(what string, condition func() bool) {
	f.Helper()
	require.Eventually(f, condition, soon, tick, what)
}

func (f *fixture) available(name string) bool {
	deployment, err := f.client.AppsV1().Deployments("default").Get(f.Context(), name, metav1.GetOptions{})
	return err == nil && deployment.Status.AvailableReplicas == *deployment.Spec.Replicas &&
		deployment.Status.ObservedGeneration == deployment.Generation
}

// worker returns a 2-core, 4 GB node of pool 10.
func worker(number int) linode.Node {
	return linode.Node{
		Name:       fmt.Sprintf("lke7-10-%012d", number),
		PoolID:     10,
		InstanceID: 500 + number,
		Region:     "us-east",
		Type:       linode.InstanceType{ID: "g6-standard-2", VCPUs: 2, Memory: 4096, Disk: 81920},
		IPv4:       fmt.Sprintf("203.0.113.%d", number),
		PrivateIP:  fmt.Sprintf("192.168.130.%d", number),
		Labels:     map[string]string{"tier": "web"},
	}
}

// template returns pods with the given label, and what each requests.
func template(app string, milliCPUs, memoryMiB int64) corev1.PodTemplateSpec {
	requests := resources(milliCPUs, memoryMiB, 0)
	delete(requests, corev1.ResourcePods)
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "main", Image: "example.com/" + app + ":1",
			Resources: corev1.ResourceRequirements{Requests: requests},
		}}},
	}
}

func (f *fixture) deploy(name string, replicas int32, milliCPUs, memoryMiB int64) {
	f.Helper()
	pods := template(name, milliCPUs, memoryMiB)
	_, err := f.client.AppsV1().Deployments("default").Create(f.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: pods.Labels},
			Template: pods,
		},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
}

func TestCluster(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, two := worker(1), worker(2)
	two.Taints = []linode.Taint{{Key: "dedicated", Value: "db", Effect: "NoExecute"}}
	f.sync(one, two)

	// The order matters: each step goes on with the cluster as the one before left it.
	f.nodesLookLikeLKEs(one, two)
	f.accessIsControlled()
	f.workloadsBecomeReady()
	f.usageAddsUp()
	f.labelsAndTaintsFollowThePool(one, two)
	f.deletedNodeComesBack(two)
	f.podsLeaveWithTheirNode(one, two, worker(3))
	f.foregroundDeletionEnds()
	f.secondClusterRunsBesidesAndIsUpgraded()
	f.resumeKeepsEverything(two, worker(3))
	f.anAPIServerHangs()
	f.endOfAProgramIsToldAndMended()
}

func (f *fixture) nodesLookLikeLKEs(one, two linode.Node) {
	node := f.node(one.Name)
	require.True(f, ready(node))
	require.Equal(f, "linode://501", node.Spec.ProviderID)
	require.Empty(f, node.Spec.Taints)
	require.Equal(f, map[string]string{
		"kubernetes.io/hostname":                   one.Name,
		"kubernetes.io/arch":                       "amd64",
		"kubernetes.io/os":                         "linux",
		"node.kubernetes.io/instance-type":         "g6-standard-2",
		"topology.kubernetes.io/region":            "us-east",
		"topology.linode.com/region":               "us-east",
		"beta.kubernetes.io/arch":                  "amd64",
		"beta.kubernetes.io/os":                    "linux",
		"beta.kubernetes.io/instance-type":         "g6-standard-2",
		"failure-domain.beta.kubernetes.io/region": "us-east",
		"lke.linode.com/pool-id":                   "10",
		"tier":                                     "web",
	}, node.Labels)
	require.Equal(f, []corev1.NodeAddress{
		{Type: corev1.NodeHostName, Address: one.Name},
		{Type: corev1.NodeExternalIP, Address: "203.0.113.1"},
		{Type: corev1.NodeInternalIP, Address: "192.168.130.1"},
	}, node.Status.Addresses)
	requireResources(f, resources(2000, 4096, 81920), node.Status.Capacity)
	requireResources(f, resources(1930, 2972, 73728), node.Status.Allocatable)
	require.Equal(f, []corev1.Taint{{Key: "dedicated", Value: "db", Effect: corev1.TaintEffectNoExecute}},
		f.node(two.Name).Spec.Taints)

	lease, err := f.client.CoordinationV1().Leases("kube-node-lease").Get(f.Context(), one.Name, metav1.GetOptions{})
	require.NoError(f, err, "without a lease the node would not stay Ready")
	require.EqualValues(f, 40, *lease.Spec.LeaseDurationSeconds)
}

func requireResources(t require.TestingT, expected, found corev1.ResourceList) {
	require.Len(t, found, len(expected))
	for name, quantity := range expected {
		require.Zero(t, quantity.Cmp(found[name]), "%s: %s expected, found %s", name, &quantity, found.Name(name, ""))
	}
}

func (f *fixture) accessIsControlled() {
	config, err := clientcmd.RESTConfigFromKubeConfig(f.access.Kubeconfig)
	require.NoError(f, err)
	stranger, err := client.NewForConfig(rest.AnonymousClientConfig(config))
	require.NoError(f, err)
	_, err = stranger.CoreV1().Secrets("default").List(f.Context(), metav1.ListOptions{})
	require.True(f, apierrors.IsForbidden(err), err)
	config.Impersonate.UserName = "system:serviceaccount:default:default"
	pod, err := client.NewForConfig(config)
	require.NoError(f, err)
	_, err = pod.CoreV1().Secrets("default").List(f.Context(), metav1.ListOptions{})
	require.True(f, apierrors.IsForbidden(err), err)
}

// workloadsBecomeReady: every kind of workload becomes ready, or completes, on simulated nodes. Only what tolerates the
// second node's taint, here the DaemonSet, runs there.
func (f *fixture) workloadsBecomeReady() {
	ctx, apps := f.Context(), f.client.AppsV1()
	f.deploy("web", 2, 500, 256)
	pods := template("db", 500, 256)
	_, err := apps.StatefulSets("default").Create(ctx, &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "db"},
		Spec:       appsv1.StatefulSetSpec{Selector: &metav1.LabelSelector{MatchLabels: pods.Labels}, Template: pods},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	pods = template("agent", 0, 0)
	pods.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	_, err = apps.DaemonSets("default").Create(ctx, &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "agent"},
		Spec:       appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: pods.Labels}, Template: pods},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	pods = template("migrate", 0, 0)
	pods.Spec.RestartPolicy = corev1.RestartPolicyNever
	_, err = f.client.BatchV1().Jobs("default").Create(ctx, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "migrate"},
		Spec:       batchv1.JobSpec{Template: pods},
	}, metav1.CreateOptions{})
	require.NoError(f, err)

	f.eventually("the Deployment is available", func() bool { return f.available("web") })
	f.eventually("the StatefulSet is ready", func() bool {
		set, err := apps.StatefulSets("default").Get(ctx, "db", metav1.GetOptions{})
		return err == nil && set.Status.ReadyReplicas == 1
	})
	f.eventually("the DaemonSet is on both nodes", func() bool {
		set, err := apps.DaemonSets("default").Get(ctx, "agent", metav1.GetOptions{})
		return err == nil && set.Status.NumberReady == 2
	})
	f.eventually("the Job is complete", func() bool {
		job, err := f.client.BatchV1().Jobs("default").Get(ctx, "migrate", metav1.GetOptions{})
		return err == nil && job.Status.Succeeded == 1 && job.Status.CompletionTime != nil
	})
}

func (f *fixture) usageAddsUp() {
	f.deploy("big", 1, 0, 3072) // less than the node's memory, more than what is left for pods
	var usage Usage
	var err error
	f.eventually("a pod larger than any node stays unscheduled", func() bool {
		usage, err = f.clusters.Usage(f.Context(), f.id)
		require.NoError(f, err)
		return len(usage.Unschedulable) == 1
	})
	for pod, reason := range usage.Unschedulable {
		require.True(f, strings.HasPrefix(pod, "default/big-"), pod)
		require.Contains(f, reason, "1 Insufficient memory")
	}
	require.NoError(f, f.client.AppsV1().Deployments("default").Delete(f.Context(), "big", metav1.DeleteOptions{}))
	f.eventually("the large pod is gone", func() bool {
		usage, err = f.clusters.Usage(f.Context(), f.id)
		require.NoError(f, err)
		return usage.Pods[corev1.PodPending] == 0 && usage.Pods[corev1.PodRunning] == 5
	})
	require.Equal(f, map[corev1.PodPhase]int{corev1.PodRunning: 5, corev1.PodSucceeded: 1}, usage.Pods)
	require.Len(f, usage.Nodes, 2)
	pods := map[string]int64{}
	for _, pod := range usage.Nodes[0].Pods {
		workload, _, _ := strings.Cut(pod.Namespace+"/"+pod.Name, "-")
		pods[workload] += pod.MemoryBytes >> 20
	}
	require.Equal(f, map[string]int64{"default/web": 512, "default/db": 256, "default/agent": 0}, pods)
	usage.Nodes[0].Pods = nil
	require.Equal(f, NodeUsage{
		Name:        worker(1).Name,
		PoolID:      10,
		Type:        "g6-standard-2",
		Capacity:    Resources{MilliCPUs: 2000, MemoryBytes: 4 << 30, Pods: 110},
		Allocatable: Resources{MilliCPUs: 1930, MemoryBytes: 2972 << 20, Pods: 110},
		Requested:   Resources{MilliCPUs: 1500, MemoryBytes: 768 << 20, Pods: 4}, // two of web, db, agent
	}, usage.Nodes[0])
	require.EqualValues(f, 1, usage.Nodes[1].Requested.Pods)
}

func (f *fixture) labelsAndTaintsFollowThePool(one, two linode.Node) {
	patch := []byte(`{"metadata":{"labels":{"by-hand":"yes"}}}`)
	_, err := f.client.CoreV1().Nodes().Patch(f.Context(), one.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(f, err)
	one.Labels = map[string]string{"disk": "fast"}
	two.Taints = nil
	f.sync(one, two)
	labels := f.node(one.Name).Labels
	require.Equal(f, "fast", labels["disk"])
	require.NotContains(f, labels, "tier")
	require.Equal(f, "yes", labels["by-hand"], "labels that the pool never had stay")
	require.Empty(f, f.node(two.Name).Spec.Taints)
}

func (f *fixture) deletedNodeComesBack(node linode.Node) {
	before := f.node(node.Name)
	require.NoError(f, f.client.CoreV1().Nodes().Delete(f.Context(), node.Name, metav1.DeleteOptions{}))
	f.eventually("the deleted node is back and Ready", func() bool {
		found, err := f.client.CoreV1().Nodes().Get(f.Context(), node.Name, metav1.GetOptions{})
		return err == nil && found.UID != before.UID && ready(found)
	})
	require.Equal(f, before.Spec.ProviderID, f.node(node.Name).Spec.ProviderID)
}

// podsLeaveWithTheirNode: the pool shrinks by the node that all of web runs on, and grows by another. The disruption
// budget lets go of one pod at a time.
func (f *fixture) podsLeaveWithTheirNode(leaving, staying, joining linode.Node) {
	atLeast := intstr.FromInt32(1)
	_, err := f.client.PolicyV1().PodDisruptionBudgets("default").Create(f.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: &atLeast,
			Selector:     &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		},
	}, metav1.CreateOptions{})
	require.NoError(f, err)
	f.sync(staying, joining)

	_, err = f.client.CoreV1().Nodes().Get(f.Context(), leaving.Name, metav1.GetOptions{})
	require.True(f, apierrors.IsNotFound(err), err)
	f.eventually("web is available elsewhere", func() bool { return f.available("web") })
	pods, err := f.client.CoreV1().Pods("").List(f.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + leaving.Name})
	require.NoError(f, err)
	require.Empty(f, pods.Items)
}

func (f *fixture) foregroundDeletionEnds() {
	foreground := metav1.DeletePropagationForeground
	err := f.client.AppsV1().Deployments("default").Delete(f.Context(), "web", metav1.DeleteOptions{PropagationPolicy: &foreground})
	require.NoError(f, err)
	f.eventually("the garbage collector has let the Deployment go", func() bool {
		_, err := f.client.AppsV1().Deployments("default").Get(f.Context(), "web", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	pods, err := f.client.CoreV1().Pods("default").List(f.Context(), metav1.ListOptions{LabelSelector: "app=web"})
	require.NoError(f, err)
	require.Empty(f, pods.Items)
}

func (f *fixture) secondClusterRunsBesidesAndIsUpgraded() {
	access, err := f.clusters.Start(f.Context(), 8, "1.35")
	require.NoError(f, err)
	require.NotEqual(f, f.access.Endpoint, access.Endpoint)
	second := connect(f.T, access)
	_, err = second.AppsV1().StatefulSets("default").Get(f.Context(), "db", metav1.GetOptions{})
	require.True(f, apierrors.IsNotFound(err), "clusters share nothing: %v", err)
	version, err := second.Discovery().ServerVersion()
	require.NoError(f, err)
	require.Equal(f, "35", version.EmulationMinor)

	upgraded, err := f.clusters.Start(f.Context(), 8, "1.36")
	require.NoError(f, err)
	require.Equal(f, access, upgraded)
	version, err = second.Discovery().ServerVersion()
	require.NoError(f, err)
	require.Equal(f, "36", version.EmulationMinor)

	require.NoError(f, f.clusters.Delete(f.Context(), 8))
	require.NoDirExists(f, filepath.Dir(f.clusters.logs(8)))
	_, err = f.clusters.Usage(f.Context(), 8)
	require.ErrorContains(f, err, "does not run")
}

// resumeKeepsEverything: a stopped cluster comes back with its objects, under the kubeconfig handed out before, and goes to
// another port only where somebody has taken its own.
func (f *fixture) resumeKeepsEverything(nodes ...linode.Node) {
	kubeconfig := f.access.Kubeconfig
	require.NoError(f, f.clusters.Close())
	f.start()
	require.Equal(f, string(kubeconfig), string(f.access.Kubeconfig))
	f.sync(nodes...)
	f.deploy("after", 1, 0, 0)
	f.eventually("kwok goes on with the nodes", func() bool { return f.available("after") })

	require.NoError(f, f.clusters.Close())
	taken, err := net.Listen("tcp", strings.TrimPrefix(f.access.Endpoint, "https://"))
	require.NoError(f, err)
	defer taken.Close()
	f.start()
	require.NotEqual(f, string(kubeconfig), string(f.access.Kubeconfig))
	_, err = f.client.AppsV1().StatefulSets("default").Get(f.Context(), "db", metav1.GetOptions{})
	require.NoError(f, err)
}

func (f *fixture) anAPIServerHangs() {
	ask := func() error {
		ctx, cancel := context.WithTimeout(f.Context(), time.Second)
		defer cancel()
		_, err := f.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		return err
	}
	require.NoError(f, f.clusters.Hang(f.id, true))
	require.ErrorIs(f, ask(), context.DeadlineExceeded)
	require.NoError(f, f.clusters.Hang(f.id, false))
	f.eventually("the API server answers", func() bool { return ask() == nil })
}

func (f *fixture) endOfAProgramIsToldAndMended() {
	scheduler := f.clusters.clusters[f.id].running.programs.list[3]
	require.NoError(f, scheduler.cmd.Process.Kill())
	<-scheduler.done
	err := f.clusters.Sync(f.Context(), f.id, nil)
	require.ErrorContains(f, err, "kube-scheduler ended (signal: killed), log: "+f.clusters.logs(f.id))
	f.start()
	_, err = f.clusters.Usage(f.Context(), f.id)
	require.NoError(f, err)
}

// runUntilKilled is the rehearsal that TestKilledRehearsal kills.
func runUntilKilled(dir string) {
	clusters := New(Options{Bin: os.Getenv("REHEARSAL_BIN"), Dir: dir})
	if _, err := clusters.Start(context.Background(), 7, "1.36"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("started")
	select {}
}

// TestKilledRehearsal kills a rehearsal as no program can prevent, first alone and then together with the guard that would
// end its programs.
func TestKilledRehearsal(t *testing.T) {
	t.Parallel()
	bin, dir := programsFolder(t), t.TempDir()
	recorded := filepath.Join(dir, "7", "pids")

	rehearsal := startHelper(t, bin, dir)
	pids := readPIDs(t, recorded)
	require.Len(t, pids, 6, "guard, etcd, API server, controller manager, scheduler, kwok")
	require.NoError(t, rehearsal.Process.Kill())
	_ = rehearsal.Wait()
	require.Eventually(t, func() bool { return len(living(t, pids, dir)) == 0 }, soon, tick, "the guard ends all programs")

	rehearsal = startHelper(t, bin, dir)
	pids = readPIDs(t, recorded)
	require.NoError(t, syscall.Kill(pids[0], syscall.SIGKILL))
	require.NoError(t, rehearsal.Process.Kill())
	_ = rehearsal.Wait()
	require.Len(t, living(t, pids, dir), 5, "without their guard the programs stay")

	require.NoError(t, KillOrphans(dir))
	require.Empty(t, living(t, pids, dir), "the next rehearsal ends them")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "7", "apiserver.key"), []byte("-----BEG"), 0o600))
	clusters := New(Options{Bin: bin, Dir: dir})
	t.Cleanup(func() { require.NoError(t, clusters.Close()) })
	_, err := clusters.Start(t.Context(), 7, "1.36")
	require.NoError(t, err)
}

func startHelper(t *testing.T, bin, dir string) *exec.Cmd {
	t.Helper()
	helper := exec.Command(os.Args[0])
	helper.Env = append(os.Environ(), helperDir+"="+dir, "REHEARSAL_BIN="+bin)
	output, err := helper.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, helper.Start())
	t.Cleanup(func() { _ = helper.Process.Kill() })
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "started\n", line)
	return helper
}

func readPIDs(t *testing.T, path string) []int {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var pids []int
	for _, line := range strings.Fields(string(content)) {
		pid, err := strconv.Atoi(line)
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	return pids
}

func living(t *testing.T, pids []int, dir string) []int {
	t.Helper()
	found, err := alive(pids, dir)
	require.NoError(t, err)
	return found
}

func TestStartFailures(t *testing.T) {
	t.Parallel()
	real := programsFolder(t)

	t.Run("program that ends at once", func(t *testing.T) {
		t.Parallel()
		bin := t.TempDir()
		require.NoError(t, os.Symlink(filepath.Join(real, "etcd"), filepath.Join(bin, "etcd")))
		script := "#!/bin/sh\necho no such flag: --frobnicate >&2; exit 3\n"
		require.NoError(t, os.WriteFile(filepath.Join(bin, "kube-apiserver"), []byte(script), 0o700))
		clusters := New(Options{Bin: bin, Dir: t.TempDir()})
		_, err := clusters.Start(t.Context(), 7, "1.36")
		require.EqualError(t, err, "starting Kubernetes of LKE cluster 7: kube-apiserver ended (exit status 3), log: "+
			clusters.logs(7)+"/kube-apiserver.log\nno such flag: --frobnicate")
	})
	t.Run("missing program", func(t *testing.T) {
		t.Parallel()
		_, err := New(Options{Bin: "/nowhere", Dir: t.TempDir()}).Start(t.Context(), 7, "1.36")
		require.ErrorContains(t, err, "/nowhere/etcd: no such file")
	})
	t.Run("version out of reach", func(t *testing.T) {
		t.Parallel()
		_, err := New(Options{Bin: real, Dir: t.TempDir()}).Start(t.Context(), 7, "v1.32.9+lke4")
		require.ErrorContains(t, err, "1.32")
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		clusters := New(Options{Bin: real, Dir: t.TempDir()})
		_, err := clusters.Start(ctx, 7, "1.36")
		require.ErrorIs(t, err, context.Canceled)
		require.NoFileExists(t, filepath.Join(filepath.Dir(clusters.logs(7)), "pids"), "nothing is left running")
	})
}

// TestAllocatable holds the reservation against the worked example of Linode's guide (2 GB: 60m of CPU, 500 MB of memory
// and 100 MB for eviction) and sums of its table.
func TestAllocatable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cpus, memory, disk, milliCPUs, memoryLeft, diskLeft int }{
		{1, 2048, 51200, 940, 2048 - 512 - 100, 46080},
		{2, 4096, 81920, 1930, 4096 - 1024 - 100, 73728},
		{6, 16384, 327680, 5915, 16384 - 2662 - 100, 294912},
		{50, 131072, 2621440, 49805, 131072 - 9543 - 100, 2359296},
	} {
		found := allocatable(linode.InstanceType{VCPUs: c.cpus, Memory: c.memory, Disk: c.disk})
		requireResources(t, resources(int64(c.milliCPUs), int64(c.memoryLeft), int64(c.diskLeft)), found)
	}
}

// BenchmarkReady starts new control planes and measures until the API and the controllers are ready, and the memory held
// then.
func BenchmarkReady(b *testing.B) {
	bin := programsFolder(b)
	var resident int64
	var ready, stopped time.Duration
	for b.Loop() {
		clusters := New(Options{Bin: bin, Dir: b.TempDir()})
		begin := time.Now()
		_, err := clusters.Start(b.Context(), 7, "1.36")
		require.NoError(b, err)
		ready += time.Since(begin)
		resident += residentBytes(b, clusters.clusters[7].running.programs)
		begin = time.Now()
		require.NoError(b, clusters.Close())
		stopped += time.Since(begin)
	}
	b.ReportMetric(ready.Seconds()/float64(b.N), "s-to-ready")
	b.ReportMetric(stopped.Seconds()/float64(b.N), "s-to-stop")
	b.ReportMetric(float64(resident)/float64(b.N)/(1<<20), "MiB-resident")
}

// residentBytes returns the memory that the programs of a cluster hold.
func residentBytes(b *testing.B, p *programs) (sum int64) {
	b.Helper()
	sizes, err := processes("rss", p.pids())
	require.NoError(b, err)
	for _, size := range sizes {
		kibibytes, err := strconv.ParseInt(size, 10, 64)
		require.NoError(b, err)
		sum += kibibytes << 10
	}
	return sum
}
