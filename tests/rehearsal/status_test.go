package main

import (
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// buildProgram builds one of those that make runs. It is for a test that is still in the folder of its source.
func buildProgram(t *testing.T, name string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", program, "./cmd/"+name)
	build.Dir = filepath.Join("..", "..")
	text, err := build.CombinedOutput()
	require.NoError(t, err, string(text))
	return program
}

// requireStatus looks at a sandbox as `make status` does: when all is well in it, and once something is broken.
func requireStatus(t *testing.T, program string, shell func(command string) (string, error)) {
	t.Helper()
	status := func() (told string, ended int) {
		told, err := shell(program + " -stack staging")
		var failed *exec.ExitError
		require.True(t, errors.As(err, &failed), told)
		return told, failed.ExitCode()
	}
	var told string
	var ended int
	require.Eventually(t, func() bool { // a node is ready before the NodeBalancer sends anybody there
		told, ended = status()
		return strings.Contains(told, "4 backends answer on port 80")
	}, 30*time.Second, time.Second)
	require.Equal(t, 2, ended, told)
	require.Equal(t, "unknown: visitors, alerts", told[strings.LastIndex(told, "\n")+1:], "which are not rehearsed\n%s", told)
	for _, line := range []string{
		"staging  https://staging.changelog.com", "nodes +4 nodes ready", "workloads +\\d+ workloads at full strength",
		"database +changelog has 2 instances", "certificates +\\d+ certificates? ready, the first ends in \\d+ days",
		"versions +.*changelog.com:master.*Kubernetes v1\\.", "linode +the cluster is ready, with 4 nodes in 2 pools", "entrance +4 backends answer on port 80",
		"account +nothing that concerns this stack", "fastly +version 1 of lke-platform-staging is active",
		"tls +Fastly shows certificates for 3 names", `names +all lead to Fastly \(3\)`,
	} {
		require.Regexp(t, line, told)
	}

	_, err := shell("kubectl --namespace changelog scale deployment changelog --replicas=100 && " +
		"kubectl cordon $(kubectl get nodes --output name | tail -n 1)")
	require.NoError(t, err)
	linode, err := shell(`echo "$LINODE_URL"`)
	require.NoError(t, err)
	answer, err := http.Post(linode+"/_simulation/faults", "application/json", strings.NewReader(`[{"path": "^/v4/nodebalancers", "status": 503}]`))
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	told, ended = status()
	require.Equal(t, 1, ended, told)
	require.Regexp(t, `wrong +workloads +deployment changelog/changelog has \d+ of 100 pods → kubectl get deployments`, told)
	require.Regexp(t, `wrong +nodes +lke\S+ takes no pods \(it is cordoned\)`, told)
	require.Regexp(t, "unknown +entrance +GET /nodebalancers.* is answered 503 Service Unavailable", told)
	require.Contains(t, told, "wrong: nodes, workloads")
	require.Regexp(t, "ok +fastly", told)
}
