package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/linode/linodego"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"lke-platform/cmd/report/markdown"
	"lke-platform/cmd/report/plan"
)

// estate is a staging platform that is up, and what people and programs change behind Pulumi's back with.
type estate struct {
	options
	world   *world
	stack   auto.Stack
	account linodego.Client
	cluster kubernetes.Interface
	// clusterID is Linode's number of the cluster.
	clusterID int
	// healer is the program that puts what was interrupted in order, for tests that interrupt.
	healer string
}

// TestALifeOfAStack takes one stack from its first `up` to its end, with what happens to stacks in between.
func TestALifeOfAStack(t *testing.T) {
	e := &estate{options: options{root: repository(t, asItIs), stack: "staging"}}
	// One version back, so that there are two to skip; and what this test changes is in no stack file as it is.
	e.edit(t, `kubernetesVersion: "1.36"`, `kubernetesVersion: "1.34"`)
	e.edit(t, "      - name: staging.changelog.com\n", `      - name: staging.changelog.com
        records: [{name: staging.changelog.com, type: MX, target: mail.example.com, ttl: 3600}]
`)
	e.edit(t, "        count: 2\n", "        count: 2\n      - {name: batch, type: g6-standard-2, autoscale: {min: 1, max: 3}}\n")
	e.edit(t, "    health:\n", "    autoscale: {max: 3}\n    health:\n")
	e.edit(t, "size: 123", "size: 164")
	e.bringUp(t)
	for _, chapter := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"the origin knows the stack's Fastly service from all others", e.knowItsService},
		{"the ingress controller reads Secrets only where it serves", e.confineTheController},
		{"two Kubernetes versions at once are refused", e.skipAVersion},
		{"what Keel and the autoscalers do is no drift", e.changeWhatIsLeftToOthers},
		{"what was changed by hand is named, and repaired", e.changeByHand},
		{"a pool of another type takes over before the old one goes", e.replacePool},
		{"destroy leaves nothing but the database's volumes", e.destroy},
	} {
		if !t.Run(chapter.name, chapter.run) {
			break // what follows builds on it
		}
	}
}

// edit replaces a text that is in the stack file once.
func (e *estate) edit(t *testing.T, from, to string) {
	t.Helper()
	content := readFile(t, e.stackFile())
	require.Equal(t, 1, strings.Count(content, from), "%q in the stack file", from)
	require.NoError(t, os.WriteFile(e.stackFile(), []byte(strings.Replace(content, from, to, 1)), 0o600))
}

// start starts the world, with nothing in it yet.
func (e *estate) start(t *testing.T) {
	t.Helper()
	var err error
	e.world, err = startWorld(t.Context(), e.options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.world.close()) })
	e.load(t)
}

func (e *estate) bringUp(t *testing.T) {
	t.Helper()
	e.start(t)
	e.up(t)
}

// up brings the stack up, and gives access to what there is then.
func (e *estate) up(t *testing.T, options ...optup.Option) {
	t.Helper()
	up, err := e.stack.Up(t.Context(), append(options, optup.SuppressProgress())...)
	require.NoError(t, err)
	e.reach(t, up.Outputs)
}

// reach gives access to what there is.
func (e *estate) reach(t *testing.T, outputs auto.OutputMap) {
	t.Helper()
	var err error
	e.account = e.world.account()
	e.clusterID, err = strconv.Atoi(outputs["clusterId"].Value.(string))
	require.NoError(t, err)
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(outputs["kubeconfig"].Value.(string)))
	require.NoError(t, err)
	e.cluster, err = kubernetes.NewForConfig(config)
	require.NoError(t, err)
}

// load takes the stack file as it is now.
func (e *estate) load(t *testing.T) {
	t.Helper()
	var err error
	e.stack, _, err = newStack(t.Context(), e.options, e.world)
	require.NoError(t, err)
}

func (e *estate) skipAVersion(t *testing.T) {
	const refusal = "lke: Kubernetes cannot go from 1.34 to 1.36: it goes up by one minor version at a time, so the next is 1.35"
	before := e.requests(t, "/lke/clusters")
	e.edit(t, `kubernetesVersion: "1.34"`, `kubernetesVersion: "1.36"`)
	e.load(t)
	_, err := e.stack.Preview(t.Context(), optpreview.SuppressProgress())
	require.ErrorContains(t, err, refusal)
	_, err = e.stack.Up(t.Context(), optup.SuppressProgress())
	require.ErrorContains(t, err, refusal)
	require.Equal(t, before, e.requests(t, "/lke/clusters"))

	e.edit(t, `kubernetesVersion: "1.36"`, `kubernetesVersion: "1.34"`)
	e.load(t)
}

// changeWhatIsLeftToOthers does what programs do, each under its own name.
func (e *estate) changeWhatIsLeftToOthers(t *testing.T) {
	e.deliver(t)
	deployments := e.cluster.AppsV1().Deployments("changelog")
	_, err := deployments.UpdateScale(t.Context(), "changelog", &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: "changelog", Namespace: "changelog"}, Spec: autoscalingv1.ScaleSpec{Replicas: 2},
	}, metav1.UpdateOptions{FieldManager: "kube-controller-manager"})
	require.NoError(t, err)
	e.resize(t, "batch", 2)
	e.settle(t)
	e.isClean(t)
}

// deliver does to the app what Keel 0.22, that of its chart 1.2, does when the tag that it follows has a new image: it notes the
// time on the pods' template and the cause on the Deployment, sets the image that is there already, and puts the whole back.
// Upstream: https://github.com/keel-hq/keel/blob/0.22.1/provider/kubernetes/updates.go and kubernetes.go
func (e *estate) deliver(t *testing.T) {
	deployment := e.deployment(t)
	now := time.Now()
	require.Nil(t, deployment.Spec.Template.Annotations)
	deployment.Spec.Template.Annotations = map[string]string{"keel.sh/update-time": now.String()}
	deployment.Annotations["kubernetes.io/change-cause"] = fmt.Sprintf(
		"keel automated update, version master -> master [%s]", now.Format(time.RFC3339))
	deployment.Spec.Template.Spec.Containers[0].Image = "thechangelog/changelog.com:master"
	_, err := e.cluster.AppsV1().Deployments("changelog").Update(t.Context(), deployment, metav1.UpdateOptions{FieldManager: "keel"})
	require.NoError(t, err)
}

// changeByHand does what a person does in Linode's console and with kubectl edit.
func (e *estate) changeByHand(t *testing.T) {
	delivered := e.deployment(t)
	e.resize(t, "app", 3)
	zone, record := e.record(t)
	_, err := e.account.UpdateDomainRecord(t.Context(), zone.ID, record.ID, linodego.DomainRecordUpdateOptions{
		Target: "elsewhere.example.com", TTLSec: 300,
	})
	require.NoError(t, err)
	deployment := e.deployment(t)
	environment := deployment.Spec.Template.Spec.Containers[0].Env
	host := slices.IndexFunc(environment, func(v corev1.EnvVar) bool { return v.Name == "URL_HOST" })
	environment[host].Value = "elsewhere.example.com"
	_, err = e.cluster.AppsV1().Deployments("changelog").Update(t.Context(), deployment,
		metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	e.settle(t)

	changed := map[string][]string{
		"linode:index/lkeNodePool:LkeNodePool cluster-app":                                 {"nodeCount"},
		"linode:index/domainRecord:DomainRecord domains-staging.changelog.com-MX-1c514a77": {"target", "ttlSec"},
		"kubernetes:apps/v1:Deployment app":                                                {"spec.template.spec.containers[changelog].env[URL_HOST].value"},
	}
	e.requireDrift(t, changed)
	up, err := e.stack.Up(t.Context(), optup.Refresh(), optup.RunProgram(true), optup.SuppressProgress())
	require.NoError(t, err)
	require.Equal(t, len(changed), (*up.Summary.ResourceChanges)[string(apitype.OpUpdate)])

	e.isClean(t)
	require.Equal(t, 2, e.pool(t, "app").Count)
	_, repaired := e.record(t)
	require.Equal(t, record.Target, repaired.Target)
	require.Equal(t, record.TTLSec, repaired.TTLSec)
	deployment = e.deployment(t)
	require.Equal(t, "staging.changelog.com", deployment.Spec.Template.Spec.Containers[0].Env[host].Value)
	// The same `up` has left to others what is theirs.
	require.Equal(t, 2, e.pool(t, "batch").Count)
	require.EqualValues(t, 2, *deployment.Spec.Replicas)
	require.Equal(t, delivered.Spec.Template.Annotations, deployment.Spec.Template.Annotations)
	const cause = "kubernetes.io/change-cause"
	require.Equal(t, delivered.Annotations[cause], deployment.Annotations[cause])
}

// requireDrift holds what `make drift` finds, and what its report says of it, against what was changed.
func (e *estate) requireDrift(t *testing.T, changed map[string][]string) {
	t.Helper()
	found := e.drift(t)
	require.Equal(t, changed, found.byHand, found.text)
	require.Equal(t, changed, found.toDo, found.text)
	require.ErrorContains(t, found.err, "exit status 7")
	text := (&markdown.Drift{Stack: e.options.stack, Plan: found.plan, Differs: true}).String()
	require.Contains(t, text, "**3 resources were changed by hand**; `make up` would change 3 resources.")
	done, wouldDo, separate := strings.Cut(text, "#### What `make up` would do")
	require.True(t, separate)
	for path, values := range map[string][2]string{
		"nodeCount": {"2", "3"}, "ttlSec": {"3600", "300"}, "target": {"mail.example.com", "elsewhere.example.com"},
		"spec.template.spec.containers[changelog].env[URL_HOST].value": {"staging.changelog.com", "elsewhere.example.com"},
	} {
		require.Contains(t, done, fmt.Sprintf("- %[1]s: %[2]s\n+ %[1]s: %[3]s\n", path, values[0], values[1]))
		require.Contains(t, wouldDo, fmt.Sprintf("- %[1]s: %[3]s\n+ %[1]s: %[2]s\n", path, values[0], values[1]))
	}
}

// destroy looks at what is left, and at the order in which the rest went. Volumes are detached and deleted by what runs on the
// nodes, and the firewall of the nodes by its controller, all of which takes its time.
func (e *estate) destroy(t *testing.T) {
	measured, firewall := e.claim(t), e.nodeFirewall(t)
	kept := map[int]string{}
	var deleted int
	volumes, err := e.cluster.CoreV1().PersistentVolumes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, volume := range volumes.Items {
		number, _, _ := strings.Cut(volume.Spec.CSI.VolumeHandle, "-")
		id, err := strconv.Atoi(number)
		require.NoError(t, err)
		if volume.Spec.ClaimRef.Name == measured {
			deleted = id
			continue
		}
		// Data that cannot be made again outlives its cluster, and costs until somebody deletes it: the servers' data and log.
		require.Equal(t, "platform-retain", volume.Spec.StorageClassName)
		require.Regexp(t, "-(pgdata|pgwal)$", volume.Spec.ClaimRef.Name)
		kept[id] = volume.Spec.ClaimRef.Name
	}
	require.NotZero(t, deleted)
	require.Len(t, kept, 4)

	before := len(e.requests(t, "/v4/"))
	_, err = e.stack.Destroy(t.Context(), optdestroy.RunProgram(true), optdestroy.SuppressProgress())
	require.NoError(t, err)

	e.requireLeft(t, "events", "volumes")
	bill := e.world.linode.MonthlyCost()
	require.Len(t, bill, 1)
	require.Equal(t, "GB of volumes in us-east", bill[0].What)
	left, err := e.account.ListVolumes(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, left, len(kept))
	for _, volume := range left {
		require.Contains(t, kept, volume.ID)
		require.Equal(t, []string{"lke-platform-staging"}, volume.Tags, "it can be told whose it was")
	}
	cdn, err := fastly.NewClientForEndpoint(token, e.world.fastlyURL)
	require.NoError(t, err)
	services, err := cdn.ListServices(t.Context(), &fastly.ListServicesInput{})
	require.NoError(t, err)
	require.Empty(t, services)
	require.NotEmpty(t, e.world.fastly.Activations(), "the certificates are in no state")
	certsync := filepath.Join(e.root, ".bin", "certsync")
	remove := exec.CommandContext(t.Context(), certsync, "remove", "--stack", "lke-platform-staging")
	output, err := remove.CombinedOutput()
	require.NoError(t, err, string(output))
	require.Empty(t, e.world.fastly.Activations())

	asked := e.requests(t, "/v4/")[before:]
	nodes := slices.IndexFunc(asked, func(request string) bool { return strings.Contains(request, "/pools/") })
	first, last := asked[:nodes], asked[nodes:]
	require.NotContains(t, strings.Join(last, "\n"), "/nodebalancers/")
	require.Contains(t, strings.Join(first, "\n"), "DELETE /v4/nodebalancers/")
	require.Contains(t, first, fmt.Sprintf("DELETE /v4/networking/firewalls/%d", firewall))
	require.Contains(t, first, fmt.Sprintf("DELETE /v4/volumes/%d", deleted))
	for id := range kept {
		require.Contains(t, first, fmt.Sprintf("POST /v4/volumes/%d/detach", id), "all that was written is on it")
	}
	require.Contains(t, last, fmt.Sprintf("DELETE /v4/lke/clusters/%d", e.clusterID))
}

// nodeFirewall returns Linode's number of the firewall around the nodes.
func (e *estate) nodeFirewall(t *testing.T) int {
	firewalls, err := e.account.ListFirewalls(t.Context(), nil)
	require.NoError(t, err)
	i := slices.IndexFunc(firewalls, func(f linodego.Firewall) bool { return f.Label == fmt.Sprintf("lke-%d", e.clusterID) })
	require.NotEqual(t, -1, i)
	require.Equal(t, "allow-node-exporter", firewalls[i].Rules.Inbound[len(firewalls[i].Rules.Inbound)-1].Label)
	return firewalls[i].ID
}

// claim has a volume made that goes with its claim, as those of Prometheus are, and returns the name of the claim.
func (e *estate) claim(t *testing.T) string {
	const name, namespace, class = "measurements", "monitoring", "platform-delete"
	claims := e.cluster.CoreV1().PersistentVolumeClaims(namespace)
	_, err := claims.Create(t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: new(class),
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")},
			},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = e.cluster.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64), // a namespace is only looked at again when its pods' time is over
			Containers:                    []corev1.Container{{Name: name, Image: name}},
			Volumes: []corev1.Volume{{Name: name, VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
			}}},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		claim, err := claims.Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && claim.Status.Phase == corev1.ClaimBound
	}, time.Minute, 100*time.Millisecond)
	return name
}

// requireLeft waits until the Linode account holds nothing else: Linode deletes a cluster after it has answered.
func (e *estate) requireLeft(t *testing.T, what ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		left := e.left(t)
		held := slices.Sorted(maps.Keys(left))
		delete(left, "events") // which are many
		assert.ElementsMatch(c, what, held, "%v", left)
	}, time.Minute, 100*time.Millisecond)
}

// left is what the Linode account still holds, by kind.
func (e *estate) left(t *testing.T) map[string]any {
	var saved map[string]any
	require.NoError(t, json.Unmarshal([]byte(readFile(t, filepath.Join(e.dir(), "linode", "linode.json"))), &saved))
	maps.DeleteFunc(saved, func(_ string, held any) bool {
		list, isList := held.([]any)
		return !isList || len(list) == 0
	})
	return saved
}

// resize sets the number of a pool's nodes.
func (e *estate) resize(t *testing.T, name string, count int) {
	_, err := e.account.UpdateLKENodePool(t.Context(), e.clusterID, e.pool(t, name).ID,
		linodego.LKENodePoolUpdateOptions{Count: count})
	require.NoError(t, err)
}

func (e *estate) pool(t *testing.T, name string) linodego.LKENodePool {
	pools, err := e.account.ListLKENodePools(t.Context(), e.clusterID, nil)
	require.NoError(t, err)
	i := slices.IndexFunc(pools, func(pool linodego.LKENodePool) bool { return pool.Labels["pool"] == name })
	require.NotEqual(t, -1, i)
	return pools[i]
}

// record returns the only record that the stack file has.
func (e *estate) record(t *testing.T) (linodego.Domain, linodego.DomainRecord) {
	zones, err := e.account.ListDomains(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, zones, 1)
	records, err := e.account.ListDomainRecords(t.Context(), zones[0].ID, nil)
	require.NoError(t, err)
	i := slices.IndexFunc(records, func(record linodego.DomainRecord) bool { return record.Type == linodego.RecordTypeMX })
	require.NotEqual(t, -1, i)
	return zones[0], records[i]
}

func (e *estate) deployment(t *testing.T) *appsv1.Deployment {
	deployment, err := e.cluster.AppsV1().Deployments("changelog").Get(t.Context(), "changelog", metav1.GetOptions{})
	require.NoError(t, err)
	return deployment
}

// settle waits until the app's replicas are as its Deployment wants them. In between, they are not drift, but not ready.
func (e *estate) settle(t *testing.T) {
	require.Eventually(t, func() bool {
		deployment := e.deployment(t)
		status := deployment.Status
		return status.ObservedGeneration == deployment.Generation && status.UpdatedReplicas == *deployment.Spec.Replicas &&
			status.AvailableReplicas == *deployment.Spec.Replicas && status.Replicas == *deployment.Spec.Replicas
	}, time.Minute, 100*time.Millisecond)
}

// requests lists the requests to Linode that change something and contain the text, in their order.
func (e *estate) requests(t *testing.T, text string) []string {
	t.Helper()
	var list []string
	for line := range strings.Lines(readFile(t, filepath.Join(e.dir(), "logs", "linode.log"))) {
		var entry struct{ Msg, Method, Path string }
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		request := entry.Method + " " + entry.Path
		if entry.Msg == "request" && entry.Method != http.MethodGet && strings.Contains(request, text) {
			list = append(list, request)
		}
	}
	return list
}

// previewed is what a preview tells.
type previewed struct {
	plan *plan.Plan // as reports tell it
	text string     // as a person sees it
	err  error
}

// preview runs the preview that `make preview` and `make drift` ask for, which looks at the cloud first.
func (e *estate) preview(t *testing.T, options ...optpreview.Option) previewed {
	t.Helper()
	var log, out bytes.Buffer
	channel, over := make(chan events.EngineEvent), make(chan struct{})
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			select {
			case event, open := <-channel:
				if !open {
					return
				}
				line, err := json.Marshal(event.EngineEvent)
				assert.NoError(t, err)
				log.Write(append(line, '\n'))
			case <-over: // the engine may fail before its first event, and then leaves the channel open
				return
			}
		}
	})
	var p previewed
	_, p.err = e.stack.Preview(t.Context(), append(options, optpreview.Refresh(), optpreview.RunProgram(true), optpreview.Diff(),
		optpreview.EventStreams(channel), optpreview.ProgressStreams(&out), optpreview.SuppressProgress(), optpreview.Color("never"))...)
	close(over)
	listening.Wait()
	p.text = out.String()
	var err error
	p.plan, err = plan.Read(&log)
	require.NoError(t, err)
	return p
}

// drift is what `make drift` finds: resources and their properties.
type drift struct {
	previewed
	byHand, toDo map[string][]string
}

func (e *estate) drift(t *testing.T) drift {
	t.Helper()
	d := drift{e.preview(t, optpreview.ExpectNoChanges()), map[string][]string{}, map[string][]string{}}
	for _, r := range d.plan.Drifted() {
		d.byHand[describe(r.URN)] = paths(r.Drift())
	}
	for _, r := range d.plan.Changed() {
		d.toDo[describe(r.URN)] = paths(r.Differences)
	}
	return d
}

func paths(differences []plan.Difference) (list []string) {
	for _, difference := range differences {
		list = append(list, difference.Path)
	}
	return list
}

func (e *estate) isClean(t *testing.T) {
	t.Helper()
	found := e.drift(t)
	require.NoError(t, found.err)
	require.Empty(t, found.byHand)
	require.Empty(t, found.toDo)
}
