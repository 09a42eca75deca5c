package incluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"lke-platform/tests/rehearsal/incluster"
)

// liveImage is the image of pods that are not simulated.
const liveImage = "registry.example:5000/live:v0"

// liveProgram takes the place of its entry point: it tells what it was given, and obeys.
const liveProgram = `#!/bin/sh
echo "key=$KEY url=$API_URL plain=$PLAIN home=${HOME:-none}"
case $1 in
read) cat "${2#--from=}/example.com/tls.crt"; pwd ;;
fail) echo 'one line'; echo 'it was refused' >&2; exit 3 ;;
sleep) trap 'echo stopped; exit 0' TERM; sleep "$2" & wait ;;
esac
`

var (
	podResource = corev1.SchemeGroupVersion.WithResource("pods")
	jobResource = batchv1.SchemeGroupVersion.WithResource("jobs")
)

// livePods puts the program where the controllers find it.
func (f *fixture) livePods() incluster.Pods {
	f.Helper()
	program := filepath.Join(f.TempDir(), "live")
	require.NoError(f, os.WriteFile(program, []byte(liveProgram), 0o700))
	return incluster.Pods{
		Programs:    map[string]string{liveImage: program},
		Environment: map[string]string{"API_URL": "http://127.0.0.1:1"},
		Logs:        f.logs,
	}
}

// livePod is a pod in YAML that runs the program with the arguments.
func livePod(name, arguments string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: default}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  containers: [{name: main, image: "registry.example:5000/live:v1", args: %s}]`, name, arguments)
}

func (f *fixture) pod(name string) *corev1.Pod {
	f.Helper()
	pod, err := f.client.CoreV1().Pods("default").Get(f.Context(), name, metav1.GetOptions{})
	require.NoError(f, err)
	return pod
}

// podOf is the newest pod of a job, nil before it has one.
func (f *fixture) podOf(job string) *corev1.Pod {
	f.Helper()
	pods, err := f.client.CoreV1().Pods("default").List(f.Context(), metav1.ListOptions{LabelSelector: "job-name=" + job})
	require.NoError(f, err)
	if len(pods.Items) == 0 {
		return nil
	}
	return &pods.Items[0]
}

func (f *fixture) jobHas(name string, condition batchv1.JobConditionType) bool {
	f.Helper()
	job, err := f.client.BatchV1().Jobs("default").Get(f.Context(), name, metav1.GetOptions{})
	require.NoError(f, err)
	for _, found := range job.Status.Conditions {
		if found.Type == condition && found.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// log is what the container of a pod has printed.
func (f *fixture) log(pod string) string {
	f.Helper()
	text, err := os.ReadFile(filepath.Join(f.logs, "default_"+pod+".log"))
	if os.IsNotExist(err) {
		return ""
	}
	require.NoError(f, err)
	return string(text)
}

const liveJobs = `
apiVersion: batch/v1
kind: Job
metadata: {name: reads, namespace: default}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      containers:
        - name: main
          image: registry.example:5000/live@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
          args: [read, --from=/certificates]
          env:
            - {name: PLAIN, value: text}
            - {name: API_URL, value: https://api.example}
            - {name: KEY, valueFrom: {secretKeyRef: {name: live-token, key: token}}}
          volumeMounts: [{name: certificates, mountPath: /certificates, readOnly: true}]
      volumes:
        - name: certificates
          projected:
            sources: [{secret: {name: live-tls, items: [{key: tls.crt, path: example.com/tls.crt}]}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: fails, namespace: default}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      containers:
        - {name: main, image: registry.example:5000/live:v2, args: [fail], terminationMessagePolicy: FallbackToLogsOnError}`

// jobsThatRun: a job's pod of an image that is not simulated waits for what it needs, runs with it and ends as its process does.
func jobsThatRun(f *fixture) {
	ctx, secrets := f.Context(), f.client.CoreV1().Secrets("default")
	f.create(jobResource, liveJobs)
	f.eventually("the one that was refused has failed", func() bool { return f.jobHas("fails", batchv1.JobFailed) })
	refused := f.podOf("fails")
	require.Equal(f, corev1.PodFailed, refused.Status.Phase)
	end := refused.Status.ContainerStatuses[0].State.Terminated
	require.EqualValues(f, 3, end.ExitCode)
	require.Equal(f, "Error", end.Reason)
	require.True(f, strings.HasSuffix(end.Message, "one line\nit was refused\n"), end.Message)

	f.eventually("the other says what is missing", func() bool {
		pod := f.podOf("reads")
		return pod != nil && len(pod.Status.ContainerStatuses) == 1 && pod.Status.ContainerStatuses[0].State.Waiting != nil &&
			strings.Contains(pod.Status.ContainerStatuses[0].State.Waiting.Message, `"live-token" not found`)
	})
	for name, data := range map[string]map[string]string{
		"live-token": {"token": "a-token"}, "live-tls": {"tls.crt": "a-certificate\n", "tls.key": "a-key"},
	} {
		_, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data}, metav1.CreateOptions{})
		require.NoError(f, err)
	}
	f.eventually("the other completes", func() bool { return f.jobHas("reads", batchv1.JobComplete) })
	pod := f.podOf("reads")
	require.Equal(f, corev1.PodSucceeded, pod.Status.Phase)
	end = pod.Status.ContainerStatuses[0].State.Terminated
	require.Equal(f, "Completed", end.Reason)
	require.False(f, end.StartedAt.IsZero() || end.FinishedAt.IsZero())
	said := strings.Split(strings.TrimSpace(f.log(pod.Name)), "\n")
	require.Equal(f, []string{"key=a-token url=http://127.0.0.1:1 plain=text home=none", "a-certificate"}, said[:2])
	f.eventually("its files are gone", func() bool {
		_, err := os.Stat(said[2])
		return os.IsNotExist(err)
	})
}

// deletedPod: who deletes a pod ends its process, and the pod goes when that has ended.
func deletedPod(f *fixture) {
	f.create(podResource, livePod("deleted", `[sleep, "600"]`))
	f.eventually("it runs", func() bool { return strings.Contains(f.log("deleted"), "plain=") })
	f.eventually("and is ready", func() bool { return isReady(f.status(podResource, "deleted")) })
	require.NoError(f, f.client.CoreV1().Pods("default").Delete(f.Context(), "deleted", metav1.DeleteOptions{}))
	f.eventually("it goes", func() bool {
		_, err := f.client.CoreV1().Pods("default").Get(f.Context(), "deleted", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	require.True(f, strings.HasSuffix(f.log("deleted"), "stopped\n"), f.log("deleted"))
}
