package tests

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const candidateHost = "next.staging.changelog.com"

// withCandidate has staging try versions before visitors get them; image is the one that is tried.
func withCandidate(image string) func(text string) string {
	return strings.NewReplacer(
		"    mode: keel\n    host: keel.staging.changelog.com\n", "    mode: pinned\n",
		"image: thechangelog/changelog.com:master", "image: thechangelog/changelog.com"+digest, "size: 123", "size: 246",
		"  lke-platform:secret-keel-webhook-password:\n    secure: v1:ciphertext\n", "",
		"    health:\n", "    release: {command: [migrate]}\n    candidate: {host: "+candidateHost+image+"}\n    health:\n",
	).Replace
}

// A version that is tried runs beside the one that visitors get, after the release command, and answers at its own name only.
func TestAVersionIsTriedBeforeVisitorsGetIt(t *testing.T) {
	t.Parallel()
	next := "thechangelog/changelog.com" + strings.Replace(digest, "sha256:", "sha256:f", 1)[:len(digest)]
	g, err := deploy(t, copyStack(t, "staging", withCandidate(", image: "+next)), "staging")
	require.NoError(t, err)
	image := func(typ, name string) string {
		return only(t, podOf(g.find(t, typ, name).inputs)["containers"])["image"].StringValue()
	}
	require.Equal(t, next, image(deploymentType, "app-candidate"))
	require.Equal(t, next, image(jobType, "app-release"))
	require.Equal(t, "thechangelog/changelog.com"+digest, image(deploymentType, "app"))
	require.True(t, g.waitsFor(deploymentType+" app-candidate", jobType+" app-release"))
	require.InDelta(t, 1, g.specOf(t, deploymentType, "app-candidate")["replicas"].NumberValue(), 0)
	routes := map[string]string{}
	for _, rule := range reveal(g.specOf(t, ingressType, "app")["rules"]).([]any) {
		path := at(rule, "http", "paths").([]any)[0]
		routes[at(rule, "host").(string)] = at(path, "backend", "service", "name").(string)
	}
	require.Equal(t, map[string]string{"staging.changelog.com": "changelog", candidateHost: "changelog-candidate"}, routes)
}

// Its name stays when nothing is tried, so that no record, certificate or version of the service is in the way of a release.
func TestTheNameOfWhatIsTriedStays(t *testing.T) {
	t.Parallel()
	g, err := deploy(t, copyStack(t, "staging", withCandidate("")), "staging")
	require.NoError(t, err)
	require.NotContains(t, g.resources, deploymentType+" app-candidate")
	require.Len(t, g.specOf(t, ingressType, "app")["rules"].ArrayValue(), 1)
	require.Contains(t, g.resources, recordType+" hosts-"+candidateHost+"-A-0")
	require.Contains(t, plain(g.find(t, serviceVclType, "cdn").inputs["domains"]).String(), candidateHost)
	asked := reveal(g.specOf(t, probeType, "probes-site")["targets"])
	require.NotContains(t, at(asked, "staticConfig", "static"), "https://"+candidateHost+"/", "nothing answers there")
	require.Contains(t, at(asked, "staticConfig", "static"), "https://staging.changelog.com/")
}

func TestFaultsOfACandidate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, fault string }{
		"a tag":                  {candidateHost, candidateHost + ", image: \"a:v1\"", "app.candidate.image: Invalid value"},
		"no host":                {"host: " + candidateHost, "image: a" + digest, "app.candidate.host: Invalid value"},
		"a host of the app":      {candidateHost, "staging.changelog.com", "app.candidate.host: Duplicate value"},
		"a disk":                 {"    health:\n", "    replicas: 1\n    volumes: [{name: a, path: /a, size: 10Gi}]\n    health:\n", "app.candidate: Forbidden: two versions"},
		"with Keel":              {"mode: pinned", "mode: keel\n    host: keel.staging.changelog.com", "app.candidate: Forbidden: Keel"},
		"a process of that name": {"    health:\n", "    processes: [{name: candidate, command: [a]}]\n    health:\n", "app.processes[0].name: Forbidden"},
		"its connections":        {"size: 246", "size: 245", "postgres.pooler.size: Invalid value: 245: must be 246 or more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := deploy(t, copyStack(t, "staging", func(text string) string {
				return strings.Replace(withCandidate("")(text), test.from, test.to, 1)
			}), "staging")
			require.ErrorContains(t, err, test.fault)
		})
	}
}
