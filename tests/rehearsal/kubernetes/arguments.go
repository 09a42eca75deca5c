package kubernetes

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	nodestages "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podstages "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/yaml"
)

// stages is what kwok plays: nodes become Ready and stay so by renewing their lease, pods become ready at once, pods of
// jobs complete, deleted pods go away. It leaves pods of the given images alone. Nothing is run, but for one program that all
// know the end of: the command false fails. And a version may say by its digest how it does: jobs of one that begins with fa11
// fail, and replicas of one that begins with bad never become ready.
func stages(leaveAlone []string) (string, error) {
	documents := []string{nodestages.DefaultNodeInit, heartbeat.DefaultNodeHeartbeatWithLease}
	for _, played := range []struct {
		text string
		when []v1alpha1.MatchExpression
	}{
		{podstages.DefaultPodReady, is(v1alpha1.SelectorOpNotIn, unwell)},
		{unready.Replace(podstages.DefaultPodReady), is(v1alpha1.SelectorOpIn, unwell)},
		{podstages.DefaultPodComplete, is(v1alpha1.SelectorOpNotIn, fails)},
		{failing.Replace(podstages.DefaultPodComplete), is(v1alpha1.SelectorOpIn, fails)},
		{podstages.DefaultPodDelete, nil},
	} {
		var stage v1alpha1.Stage
		if err := yaml.UnmarshalStrict([]byte(played.text), &stage); err != nil {
			return "", fmt.Errorf("reading a stage of kwok: %w", err)
		}
		selector := stage.Spec.Selector
		selector.MatchExpressions = append(selector.MatchExpressions, played.when...)
		if len(leaveAlone) > 0 {
			selector.MatchExpressions = append(selector.MatchExpressions, v1alpha1.MatchExpression{
				JQ: &v1alpha1.SelectorJQ{
					Key:      fmt.Sprintf(`.spec.containers.[].image | sub("%s"; "")`, imageVersion),
					Operator: v1alpha1.SelectorOpNotIn,
					Values:   repositories(leaveAlone),
				},
			})
		}
		document, err := yaml.Marshal(stage)
		if err != nil {
			return "", fmt.Errorf("writing a stage of kwok: %w", err)
		}
		documents = append(documents, string(document))
	}
	return strings.Join(documents, "\n---\n"), nil
}

// failing makes the end of a job's pod a bad one, with last words. They are looked for where a pod says that it is not ready.
var failing = strings.NewReplacer("name: pod-complete", "name: pod-fail", "exitCode: 0", "exitCode: 1",
	"reason: Completed", "reason: Error\n            message: the command false fails",
	"phase: Succeeded", `phase: Failed
      conditions:
      - {type: Ready, status: "False", reason: PodFailed}
      - {type: ContainersReady, status: "False", reason: PodFailed}`)

// unready makes the beginning of a replica one that answers nobody.
var unready = strings.NewReplacer("name: pod-ready", "name: pod-unready", "ready: true", "ready: false", `status: "True"
        type: Ready`, `status: "False"
        type: Ready`, `status: "True"
        type: ContainersReady`, `status: "False"
        reason: ContainersNotReady
        message: it answers nobody
        type: ContainersReady`)

// Of a pod, whether its command fails, and whether it never becomes ready.
const (
	fails  = `.spec.containers[0] | .command[0] == "false" or (.image | test("@sha256:fa11")) | tostring`
	unwell = `.metadata.ownerReferences[0].kind == "ReplicaSet" and (.spec.containers[0].image | test("@sha256:bad")) | tostring`
)

func is(operator v1alpha1.SelectorOperator, condition string) []v1alpha1.MatchExpression {
	return []v1alpha1.MatchExpression{{
		JQ: &v1alpha1.SelectorJQ{Key: condition, Operator: operator, Values: []string{"true"}},
	}}
}

// imageVersion is a tag, a digest or both at the end of an image's name, but not the port of its registry.
var imageVersion = regexp.MustCompile(`[:@][^/]*$`)

// Repository is the name of an image without its tag and digest.
func Repository(image string) string { return imageVersion.ReplaceAllString(image, "") }

func repositories(images []string) []string {
	names := make([]string, len(images))
	for i, image := range images {
		names[i] = Repository(image)
	}
	return names
}

// All programs are given their files by full path, by which killOrphans recognises them.

func etcdArgs(dir, url string) []string {
	const noPeer = "http://127.0.0.1:0" // a single member, but etcd insists on a peer address
	return []string{
		"--data-dir=" + filepath.Join(dir, "etcd"),
		"--listen-client-urls=" + url,
		"--advertise-client-urls=" + url,
		"--listen-peer-urls=" + noPeer,
		"--initial-advertise-peer-urls=" + noPeer,
		"--initial-cluster=default=" + noPeer,
		"--unsafe-no-fsync", // data survives the end of the process, not of the machine, which is enough here
		"--log-level=warn",
	}
}

func apiserverArgs(dir, etcd string, port int) []string {
	return []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // a loopback address is no valid endpoint
		"--tls-cert-file=" + filepath.Join(dir, "apiserver.crt"),
		"--tls-private-key-file=" + filepath.Join(dir, "apiserver.key"),
		"--token-auth-file=" + filepath.Join(dir, "tokens.csv"),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + filepath.Join(dir, "service-account.key"),
		"--service-account-signing-key-file=" + filepath.Join(dir, "service-account.key"),
		"--service-cluster-ip-range=" + serviceNetwork,
		"--allow-privileged",                   // as on LKE; node-exporter and storage drivers ask for it
		"--enable-priority-and-fairness=false", // nobody competes for this server
		"--profiling=false",
	}
}

func controllerManagerArgs(dir string) []string {
	return []string{
		"--kubeconfig=" + filepath.Join(dir, "kubeconfig.yaml"),
		"--root-ca-file=" + filepath.Join(dir, "ca.crt"),
		"--service-account-private-key-file=" + filepath.Join(dir, "service-account.key"),
		"--controllers=" + strings.Join(controllers(), ","),
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--profiling=false",
	}
}

// controllers are all but those that have nothing to do here: no metrics to scale by, no kubelet whose certificates to
// sign, no devices to hand out, no version skew to migrate across.
func controllers() []string {
	return []string{"*",
		"-horizontal-pod-autoscaler-controller",
		"-certificatesigningrequest-approving-controller",
		"-certificatesigningrequest-cleaner-controller",
		"-certificatesigningrequest-signing-controller",
		"-device-taint-eviction-controller",
		"-podcertificaterequest-cleaner-controller",
		"-resourceclaim-controller",
		"-storage-version-migrator-controller",
		"-storageversion-garbage-collector-controller",
	}
}

func schedulerArgs(dir string) []string {
	return []string{
		"--kubeconfig=" + filepath.Join(dir, "kubeconfig.yaml"),
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
	}
}

func kwokArgs(dir string) []string {
	return []string{
		"--kubeconfig=" + filepath.Join(dir, "kubeconfig.yaml"),
		"--config=" + filepath.Join(dir, "kwok.yaml"),
		"--manage-all-nodes",
		"--node-lease-duration-seconds=40", // the kubelet's default
		"--cidr=" + podNetwork,
	}
}
