package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// released are the images that processes run, and that the release command ran with.
func (e *estate) released(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	deployments, err := e.cluster.AppsV1().Deployments("changelog").List(t.Context(), metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/managed-by=pulumi",
	})
	require.NoError(t, err)
	for _, deployment := range deployments.Items {
		found[deployment.Name] = deployment.Spec.Template.Spec.Containers[0].Image
	}
	jobs, err := e.cluster.BatchV1().Jobs("changelog").List(t.Context(), metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/component=release",
	})
	require.NoError(t, err)
	require.Len(t, jobs.Items, 1, "two never run")
	found["release"] = jobs.Items[0].Spec.Template.Spec.Containers[0].Image
	return found
}

// The versions of the app that are released.
const (
	versionOne = "thechangelog/changelog.com@sha256:1111111111111111111111111111111111111111111111111111111111111111"
	versionTwo = "thechangelog/changelog.com@sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

// withRelease gives staging a pinned version, a worker and a release command.
func withRelease(stackFile string) string {
	return strings.NewReplacer(
		"    mode: keel\n    host: keel.staging.changelog.com\n", "    mode: pinned\n",
		"image: thechangelog/changelog.com:master", "image: "+versionOne, "size: 123", "size: 300",
		"    health:\n", "    processes: [{name: worker, command: [work]}]\n    release: {command: [migrate]}\n    health:\n",
	).Replace(stackFile)
}

// A version whose release command fails serves nobody: the old one stays, until the command has succeeded.
func TestAReleaseCommandComesBeforeItsVersion(t *testing.T) {
	e := &estate{options: options{stack: "staging", root: repository(t, withRelease)}}
	e.start(t)
	e.up(t)
	e.release(t)
}

// release brings a version whose release command fails at first.
func (e *estate) release(t *testing.T) {
	first := map[string]string{"changelog": versionOne, "changelog-worker": versionOne, "release": versionOne}
	require.Equal(t, first, e.released(t))
	e.up(t, optup.ExpectNoChanges())

	e.edit(t, versionOne, versionTwo)
	e.edit(t, "[migrate]", `["false"]`)
	e.load(t)
	for range 2 { // it is run again, and not taken for done
		_, err := e.stack.Up(t.Context(), optup.SuppressProgress())
		require.ErrorContains(t, err, "the command false fails")
		require.Equal(t, map[string]string{
			"changelog": versionOne, "changelog-worker": versionOne, "release": versionTwo,
		}, e.released(t))
	}

	e.edit(t, `["false"]`, "[migrate]")
	e.load(t)
	e.up(t)
	require.Equal(t, map[string]string{
		"changelog": versionTwo, "changelog-worker": versionTwo, "release": versionTwo,
	}, e.released(t))
	e.up(t, optup.ExpectNoChanges())
}

// A stack that does without Fastly and without a database of its own is rehearsed like all others.
func TestAStackMayDoWithoutFastlyAndADatabase(t *testing.T) {
	cut := func(text, section string) string {
		whole := regexp.MustCompile(`(?m)^  lke-platform:` + section + `:\n(    .*\n|\n)*`)
		return whole.ReplaceAllString(text, "  lke-platform:"+section+": off\n")
	}
	o := options{stack: "staging", root: repository(t, func(text string) string { return cut(cut(text, "cdn"), "postgres") })}
	require.NoError(t, run(t.Context(), o))
	s := readSummary(t, o)
	require.Zero(t, s.Again.Changed)
	require.Empty(t, s.Activated)
	require.Len(t, s.WentLive, len(stagingNames))
	for kind := range s.Resources {
		require.NotContains(t, kind, "fastly")
	}
}
