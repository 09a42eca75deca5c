package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"lke-platform/stacks"

	"lke-platform/tests/rehearsal/engine"
)

// TestAUsedStackIsDestroyed has `make destroy` go through what stands in the way of the end of a stack that was in use: once all
// that can be inside a cluster that answers, once a cluster that somebody deleted, and once one whose API is gone.
func TestAUsedStackIsDestroyed(t *testing.T) {
	program := buildProgram(t, "destroy")
	e := &estate{options: options{root: repository(t, func(stackFile string) string {
		const zone = "      - name: staging.changelog.com\n"
		return strings.Replace(stackFile, zone, zone+"      - {name: example.org, adopt: 4711}\n", 1)
	}), stack: "staging"}}
	u := &ending{estate: e, program: program}
	e.start(t)
	for _, chapter := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"what is in the way inside and outside of the cluster", u.allAtOnce},
		{"a cluster that was deleted by hand", u.withoutCluster},
		{"a cluster whose API is gone", u.withoutAPI},
	} {
		e.load(t)
		e.up(t)
		if !t.Run(chapter.name, chapter.run) {
			break // what follows begins with nothing
		}
		u.tidyUp(t)
	}
}

// ending is an estate at its end.
type ending struct {
	*estate

	program string // of `make destroy`
}

// allAtOnce has a full bucket, records of others, a NodeBalancer that its controller left, objects that operators which are gone
// do not let go of, and a namespace that is therefore not deleted.
func (u *ending) allAtOnce(t *testing.T) {
	u.fill(t)
	balancer := u.balancers(t)[0]
	u.record(t, "staging.changelog.com", "shop", "203.0.113.7")
	u.record(t, "example.org", "old", *balancer.IPv4)
	region, tags := "us-east", []string{fmt.Sprintf("lke%d", u.clusterID)}
	_, err := u.account.CreateNodeBalancer(t.Context(), linodego.NodeBalancerCreateOptions{Region: region, Tags: tags})
	require.NoError(t, err)
	const finalizer = "operator.example.com/cleanup"
	_, err = u.cluster.CoreV1().ConfigMaps("changelog").Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "held", Finalizers: []string{finalizer}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	const database = "/apis/postgres-operator.crunchydata.com/v1/namespaces/changelog/postgresclusters/changelog"
	require.NoError(t, u.cluster.CoreV1().RESTClient().Patch(types.MergePatchType).AbsPath(database).
		Body([]byte(`{"metadata": {"finalizers": ["`+finalizer+`"]}}`)).Do(t.Context()).Error())

	said, err := u.makeDestroy(t, "prod\n")
	require.ErrorContains(t, err, "nothing was deleted")
	require.Contains(t, said, "Bucket lke-platform-staging-backups is not empty (1203 objects, ")
	require.Contains(t, said, "With zone staging.changelog.com go the records that others made in it: shop A 203.0.113.7")
	require.Contains(t, said, "NOBODY WILL ANSWER for these zones, their mail included: ")
	require.Len(t, u.balancers(t), 2)

	said, err = u.makeDestroy(t, "staging\n")
	require.NoError(t, err)
	require.Contains(t, said, "PostgresCluster changelog/changelog was being deleted, but nobody let go of it ("+finalizer+"): this has\n")
	require.Contains(t, said, "ConfigMap changelog/held was being deleted, but nobody let go of it")
	require.Regexp(t, `NodeBalancer \d+ \(balancer\d+\) was left, and is deleted`, said)
	require.Regexp(t, `(?m)^bucket lke-platform-staging-backups +it is not empty: 1203 objects, .* +5\.00 +`+
		`make destroy STACK=staging EMPTY=1$`, said)
	require.Regexp(t, `(?m)^zone example.org +it was there before the stack \(adopt\) +0\.00 +linode-cli domains delete 4711$`, said)
	require.Regexp(t, `(?m)^record old A .* linode-cli domains records-delete 4711 \d+$`, said)
	u.requireVolumes(t, said, 4)
	u.requireLeft(t, "buckets", "domains", "events", "volumes")
	require.Empty(t, u.world.fastly.Activations())

	said, err = u.makeDestroy(t, "staging\n", "-empty")
	require.NoError(t, err)
	require.Contains(t, said, "Bucket lke-platform-staging-backups is empty: 1203 versions of objects were deleted.")
	require.Contains(t, said, "linode-cli object-storage cancel")
	u.requireLeft(t, "domains", "events", "volumes")
	u.requireNoState(t)
}

// withoutCluster has nobody inside the cluster to delete what it has made.
func (u *ending) withoutCluster(t *testing.T) {
	u.fill(t)
	require.NoError(t, u.account.DeleteLKECluster(t.Context(), u.clusterID))
	require.Eventually(t, func() bool {
		_, err := u.account.GetLKECluster(t.Context(), u.clusterID)
		return linodego.IsNotFound(err)
	}, time.Minute, 100*time.Millisecond)
	require.Len(t, u.balancers(t), 1)

	u.gaveUp(t)
	said, err := u.makeDestroy(t, "staging\n", "-empty")
	require.NoError(t, err)
	require.Contains(t, said, fmt.Sprintf("Linode does not have cluster %d any more", u.clusterID))
	u.requireGone(t, said)
}

// withoutAPI has a cluster that may answer again, so that giving it up is for somebody to say.
func (u *ending) withoutAPI(t *testing.T) {
	for _, pid := range descendants(t, os.Getpid()) {
		if strings.HasPrefix(programOf(pid), "kube-apiserver") {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	said, err := u.makeDestroy(t, "staging\n")
	require.Error(t, err)
	require.Contains(t, said, fmt.Sprintf("the API of cluster %d does not answer", u.clusterID))
	require.Contains(t, said, "make destroy STACK=staging UNREACHABLE=1")

	u.gaveUp(t)
	said, err = u.makeDestroy(t, "staging\n", "-unreachable")
	require.NoError(t, err)
	u.requireGone(t, said)
}

// forgets is the variable by which the Kubernetes provider and the program are told that a cluster is given up.
const forgets = "PULUMI_K8S_DELETE_UNREACHABLE"

// gaveUp tells those of them that run in this process; that `pulumi destroy` is told is for the command to see to.
func (u *ending) gaveUp(t *testing.T) { t.Setenv(forgets, "true") }

// requireGone is for a stack whose cluster could not take away what it had made: volumes hold data, so all of them are left.
func (u *ending) requireGone(t *testing.T, said string) {
	t.Helper()
	require.Regexp(t, `NodeBalancer \d+ \(ccm-\w+\) was left, and is deleted`, said)
	u.requireVolumes(t, said, len(u.volumes(t)))
	u.requireLeft(t, "domains", "events", "volumes")
	u.requireNoState(t)
	require.Empty(t, u.world.fastly.Activations())
}

// requireVolumes wants every volume of the account to be named, with its price.
func (u *ending) requireVolumes(t *testing.T, said string, count int) {
	t.Helper()
	volumes := u.volumes(t)
	require.Len(t, volumes, count)
	total := 0
	for _, volume := range volumes {
		total += volume.Size
		require.Regexp(t, fmt.Sprintf(`(?m)^volume %s, %d GB .* %.2f +linode-cli volumes delete %d$`,
			volume.Label, volume.Size, float64(volume.Size)/10, volume.ID), said)
	}
	require.NotZero(t, total)
}

func (u *ending) requireNoState(t *testing.T) {
	t.Helper()
	state, err := u.stack.Export(t.Context())
	require.NoError(t, err)
	require.NotContains(t, string(state.Deployment), `"custom": true`)
}

// tidyUp deletes what outlived the stack.
func (u *ending) tidyUp(t *testing.T) {
	for _, volume := range u.volumes(t) {
		require.NoError(t, u.account.DeleteVolume(t.Context(), volume.ID))
	}
}

func (u *ending) volumes(t *testing.T) []linodego.Volume {
	t.Helper()
	volumes, err := u.account.ListVolumes(t.Context(), nil)
	require.NoError(t, err)
	return volumes
}

func (u *ending) balancers(t *testing.T) []linodego.NodeBalancer {
	t.Helper()
	balancers, err := u.account.ListNodeBalancers(t.Context(), nil)
	require.NoError(t, err)
	return balancers
}

// record makes an address record as external-dns, or somebody, does.
func (u *ending) record(t *testing.T, zone, name, address string) {
	t.Helper()
	zones, err := u.account.ListDomains(t.Context(), nil)
	require.NoError(t, err)
	i := slices.IndexFunc(zones, func(one linodego.Domain) bool { return one.Domain == zone })
	require.NotEqual(t, -1, i)
	_, err = u.account.CreateDomainRecord(t.Context(), zones[i].ID, linodego.DomainRecordCreateOptions{
		Type: linodego.RecordTypeA, Name: name, Target: address,
	})
	require.NoError(t, err)
}

// fill puts more into the bucket of the backups than one call lists: objects, versions, one that is deleted, and part of another.
func (u *ending) fill(t *testing.T) {
	t.Helper()
	const bucket = "lke-platform-staging-backups"
	grants := []linodego.ObjectStorageKeyBucketAccess{{Region: "us-east", BucketName: bucket, Permissions: "read_write"}}
	key, err := u.account.CreateObjectStorageKey(t.Context(), linodego.ObjectStorageKeyCreateOptions{Label: "fill", BucketAccess: &grants})
	require.NoError(t, err)
	call := func(method, path, body string) {
		request, err := http.NewRequestWithContext(t.Context(), method, u.world.storageURL+"/"+bucket+path, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key.AccessKey+"/20260101/us-east-1/s3/aws4_request")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.NoError(t, response.Body.Close())
	}
	for i := range 1200 {
		call(http.MethodPut, fmt.Sprintf("/archive/%d", i), "content")
	}
	call(http.MethodPut, "?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	call(http.MethodPut, "/archive/0", "more content")
	call(http.MethodPut, "/archive/0", "even more content")
	call(http.MethodPost, "?delete", "<Delete><Object><Key>archive/1</Key></Object></Delete>")
	call(http.MethodPost, "/archive/big?uploads", "")
	require.NoError(t, u.account.DeleteObjectStorageKey(t.Context(), key.ID))
}

// makeDestroy is `make destroy`, with what is typed.
func (u *ending) makeDestroy(t *testing.T, typed string, options ...string) (said string, err error) {
	t.Helper()
	plain, err := engine.New()
	require.NoError(t, err)
	run := &destroyer{Engine: plain, typed: typed, command: append([]string{
		u.program, "-stack", u.options.stack, "-patience", "5s", "-certsync", filepath.Join(u.root, ".bin", "certsync"),
	}, append(options, "--", "--stack", u.options.stack, "--refresh", "--run-program")...), machine: t.TempDir(), log: t.Output()}
	stack, err := auto.SelectStackInlineSource(t.Context(), u.options.stack, "lke-platform", stacks.Deploy,
		auto.WorkDir(filepath.Join(u.dir(), "project")), auto.EnvVars(u.world.environment), auto.Pulumi(run))
	require.NoError(t, err)
	_, err = stack.Destroy(t.Context(), optdestroy.RunProgram(true))
	return run.said, err
}

// destroyer runs a command in the place of `pulumi destroy`. Whatever `pulumi destroy` that command calls has the engine run the
// stack's program here, in this process.
type destroyer struct {
	engine.Engine

	command        []string
	typed, machine string
	log            io.Writer
	said           string
}

// Run is that of auto.PulumiCommand.
func (d *destroyer) Run(
	ctx context.Context, folder string, stdin io.Reader, stdout, stderr []io.Writer, environment []string, arguments ...string,
) (out, errors string, code int, err error) {
	if arguments[0] != "destroy" {
		return d.Engine.Run(ctx, folder, stdin, stdout, stderr, environment, arguments...)
	}
	own, err := exec.LookPath("pulumi")
	if err != nil {
		return "", "", 1, err
	}
	here := slices.DeleteFunc(slices.Clone(arguments), func(one string) bool { return !strings.HasPrefix(one, "--client=") })
	script := fmt.Sprintf(`#!/bin/sh
[ "$1" != destroy ] || [ "$%[3]s" = '%[4]s' ] || { echo 'error: %[3]s is not as it should be'; exit 3; }
[ "$1" != destroy ] || exec %[1]s --non-interactive "$@" --exec-kind auto.inline %[2]s
exec %[1]s "$@"
`, own, strings.Join(here, " "), forgets, os.Getenv(forgets))
	if err := os.WriteFile(filepath.Join(d.machine, "pulumi"), []byte(script), 0o700); err != nil {
		return "", "", 1, err
	}
	var text bytes.Buffer
	command := exec.CommandContext(ctx, d.command[0], d.command[1:]...)
	output := io.MultiWriter(&text, d.log)
	command.Dir, command.Stdin, command.Stdout, command.Stderr = folder, strings.NewReader(d.typed), output, output
	command.Env = append(append(os.Environ(), environment...), "PATH="+d.machine+":"+os.Getenv("PATH"), forgets+"=")
	err = command.Run()
	d.said = text.String()
	return d.said, d.said, command.ProcessState.ExitCode(), err
}
