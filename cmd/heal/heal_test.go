package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	provider  = "urn:pulumi:prod::p::pulumi:providers:linode::default"
	component = "urn:pulumi:prod::p::p:lke:Cluster::cluster"
	// state is that of a stack with a zone and a key, that was being brought up. The pieces are to be filled in.
	stateOf = `{"version": 3, "deployment": {"manifest": {"version": "v3"}, "secrets_providers": {"type": "passphrase"}, "resources": [
{"urn": "` + provider + `", "type": "pulumi:providers:linode", "custom": true, "id": "1"},
{"urn": "` + component + `", "type": "p:lke:Cluster"},
{"urn": "urn:pulumi:prod::p::linode:index/domain:Domain::zone", "type": "linode:index/domain:Domain", "custom": true, "id": "7",
 "inputs": {"domain": "example.com"}},
{"urn": "urn:pulumi:prod::p::linode:index/objectStorageKey:ObjectStorageKey::media", "custom": true, "id": "31",
 "type": "linode:index/objectStorageKey:ObjectStorageKey", "inputs": {"label": "p-media"}, "outputs": {"secretKey": "encrypted"}}%s],
"pending_operations": [%s]}}`
)

// made is a resource as the state and a preview have it.
func made(kind, name, inputs string) string {
	return fmt.Sprintf(`{"urn": "urn:pulumi:prod::p::%[1]s::%[2]s", "type": "%[1]s", "custom": true, "inputs": %[3]s, "parent": "%[4]s",
"provider": "%[5]s::1", "dependencies": ["%[4]s", "urn:of::what::is::missing"], "propertyDependencies": {"a": ["urn:of::it"]}}`,
		kind, name, inputs, component, provider)
}

// What is asked for, and found under the ID.
var things = []struct{ kind, inputs, id string }{
	{"linode:index/lkeCluster:LkeCluster", `{"label": "p-prod", "region": "us-ord", "k8sVersion": "1.36"}`, "12"},
	{"linode:index/lkeNodePool:LkeNodePool", `{"clusterId": 12, "type": "g6-1", "labels": {"pool": "app"}, "tags": ["p"]}`, "22"},
	{"linode:index/objectStorageBucket:ObjectStorageBucket", `{"label": "p-media", "region": "us-ord"}`, "us-ord:p-media"},
	{"linode:index/domain:Domain", `{"domain": "example.org"}`, "8"},
	{"linode:index/domainRecord:DomainRecord", `{"domainId": 7, "name": "www", "recordType": "A", "target": "192.0.2.1"}`, "42"},
	{"linode:index/domainRecord:DomainRecord", `{"domainId": 7, "service": "sip", "recordType": "SRV", "target": "a.b"}`, "44"},
	{"fastly:index/serviceVcl:ServiceVcl", `{"name": "p-prod"}`, "s2"},
	{"fastly:index/domain:Domain", `{"fqdn": "www.example.com"}`, "d2"},
	{"fastly:index/tlsSubscription:TlsSubscription", `{"domains": ["b.example.com", "example.com"]}`, "t2"},
}

// answers are what both clouds say, beside each thing one that is not it.
var answers = map[string]string{
	"/v4/lke/clusters": `{"pages": 1, "data": [{"id": 11, "label": "p-staging", "region": "us-ord"},
{"id": 12, "label": "p-prod", "region": "us-ord"}]}`,
	"/v4/lke/clusters/12/pools": `{"pages": 1, "data": [{"id": 21, "type": "g6-1", "labels": {"pool": "system"}, "tags": []},
{"id": 22, "type": "g6-1", "labels": {"pool": "app"}, "tags": ["p"]}, {"id": 23, "type": "g6-2", "labels": {"pool": "app"}, "tags": ["p"]}]}`,
	"/v4/object-storage/buckets": `{"pages": 1, "data": [{"label": "p-media", "region": "de-fra"}, {"label": "p-media", "region": "us-ord"}]}`,
	"/v4/domains":                `{"pages": 1, "data": [{"id": 7, "domain": "example.com"}, {"id": 8, "domain": "example.org"}]}`,
	"/v4/domains/7/records": `{"pages": 1, "data": [{"id": 41, "type": "A", "name": "www", "target": "192.0.2.2"},
{"id": 42, "type": "A", "name": "www", "target": "192.0.2.1"}, {"id": 43, "type": "SRV", "name": "_x._tcp", "service": "x", "target": "a.b"},
{"id": 44, "type": "SRV", "name": "_sip._tcp", "service": "sip", "target": "a.b"}]}`,
	"/v4/object-storage/keys":       `{"pages": 1, "data": [{"id": 31, "label": "p-media"}, {"id": 33, "label": "other"}]}`,
	"/v4/profile/tokens":            `{"pages": 1, "data": []}`,
	"/service":                      `[{"id": "s0", "name": "p-prod", "deleted_at": "2026-01-01"}, {"id": "s1", "name": "p-staging"}, {"id": "s2", "name": "p-prod"}]`,
	"/domain-management/v1/domains": `{"data": [{"id": "d1", "fqdn": "a.www.example.com"}, {"id": "d2", "fqdn": "www.example.com"}]}`,
	"/tls/subscriptions": `{"data": [{"id": "t1", "relationships": {"tls_domains": {"data": [{"id": "example.com"}]}}},
{"id": "t2", "relationships": {"tls_domains": {"data": [{"id": "example.com"}, {"id": "b.example.com"}]}}}]}`,
}

// trial is a machine, with stand-ins for both clouds and for Pulumi.
type trial struct {
	machine string
	said    map[string]string // by the path of the API
	deleted []string
	asked   map[string]int // how often, by the path
}

// newTrial has Pulumi say a state and what a preview would make.
func newTrial(t *testing.T, state string, toCreate ...string) *trial {
	t.Helper()
	c := &trial{machine: t.TempDir(), said: map[string]string{}, asked: map[string]int{}}
	for path, text := range answers {
		c.said[path] = text
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, known := c.said[r.URL.Path]
		c.asked[r.URL.Path]++
		switch {
		case r.Header.Get("Authorization") != "Bearer a" && r.Header.Get("Fastly-Key") != "b":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodDelete:
			c.deleted = append(c.deleted, r.URL.Path)
			_, _ = w.Write([]byte("{}"))
		case !known:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write([]byte(text))
		}
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"LINODE_URL": server.URL, "LINODE_TOKEN": "a", "FASTLY_API_URL": server.URL, "FASTLY_API_KEY": "b",
		"PATH": c.machine + ":" + os.Getenv("PATH"),
	} {
		t.Setenv(name, value)
	}
	steps := make([]string, len(toCreate))
	for i, one := range toCreate {
		steps[i] = `{"op": "create", "newState": ` + one + `}`
	}
	c.write(t, "state", state)
	c.write(t, "preview", `{"steps": [`+strings.Join(steps, ",")+`]}`)
	c.write(t, "pulumi", `#!/bin/sh
cd '`+c.machine+`'
case "$*" in
'stack export --stack prod') cat state;;
'preview --stack prod --json --non-interactive --exclude x') cat preview; [ ! -e fails ] || { echo 'error: out of order' >&2; exit 1; };;
'stack import --stack prod') cat >written;;
*) exit 3;;
esac
`)
	return c
}

func (c *trial) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(c.machine, name), []byte(text), 0o700))
}

// heal runs the command, and returns what it printed.
func (c *trial) heal(t *testing.T, typed string) (printed string, err error) {
	t.Helper()
	var out strings.Builder
	h := &healing{stack: "prod", options: []string{"--exclude", "x"}, in: strings.NewReader(typed), out: &out}
	err = h.run(t.Context())
	return out.String(), err
}

// written is the state that Pulumi was given, nil if none.
func (c *trial) written(t *testing.T) *state {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.machine, "written"))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	c.write(t, "state", string(text))
	s, err := readState(t.Context(), "prod")
	require.NoError(t, err)
	return s
}

func pending(resource string) string { return `{"type": "creating", "resource": ` + resource + `}` }

// Each kind is found by what tells it from others, whether a run was killed while it made it, or only its answer got lost.
func TestWhatIsThereIsTakenIn(t *testing.T) {
	for _, thing := range things {
		for _, way := range []string{"killed", "answer lost"} {
			t.Run(thing.kind+" "+way, func(t *testing.T) {
				wanted := made(thing.kind, "new", thing.inputs)
				state, toCreate := fmt.Sprintf(stateOf, "", ""), []string{wanted}
				if way == "killed" {
					state, toCreate = fmt.Sprintf(stateOf, "", pending(wanted)), nil
				}
				c := newTrial(t, state, toCreate...)
				printed, err := c.heal(t, "yes\n")
				require.NoError(t, err, printed)
				require.Contains(t, printed, "new is there as "+thing.id+", and is taken into the state\n")
				require.Contains(t, printed, "make up STACK=prod")

				written := c.written(t)
				require.Len(t, written.resources, 5)
				require.Empty(t, written.creating)
				require.Contains(t, string(written.deployment["secrets_providers"]), "passphrase")
				require.Contains(t, string(written.resources[3].text), `"outputs":{"secretKey":"encrypted"}`, "left as it was")
				var inputs any
				require.NoError(t, json.Unmarshal([]byte(thing.inputs), &inputs))
				var taken map[string]any
				require.NoError(t, json.Unmarshal(written.resources[4].text, &taken))
				require.Equal(t, thing.id, taken["id"])
				require.Equal(t, inputs, taken["inputs"])
				require.Equal(t, inputs, taken["outputs"], "the provider reads the rest by them")
				require.Equal(t, []any{component}, taken["dependencies"])
				require.NotContains(t, taken, "propertyDependencies")
				require.Empty(t, c.deleted)
			})
		}
	}
}

func TestWhatIsNotThereIsMadeAnew(t *testing.T) {
	release := made("kubernetes:helm.sh/v3:Release", "traefik", `{}`)
	bucket := made("linode:index/objectStorageBucket:ObjectStorageBucket", "backups", `{"label": "p-backups", "region": "us-ord"}`)
	pool := made("linode:index/lkeNodePool:LkeNodePool", "pool", `{"clusterId": "04da6b54-80e4-46f7-96ec-b56ff0331ba9", "type": "g6-1"}`)
	c := newTrial(t, fmt.Sprintf(stateOf, "", pending(release)+","+pending(bucket)), pool)
	printed, err := c.heal(t, "yes\n")
	require.NoError(t, err)
	require.Contains(t, printed, "Release traefik was being made; the next run makes it, or goes on with it\n")
	require.Contains(t, printed, "ObjectStorageBucket backups was being made and is not there; the next run makes it\n")
	require.NotContains(t, printed, "pool")
	written := c.written(t)
	require.Len(t, written.resources, 4)
	require.Empty(t, written.creating)
}

// Whether an object is inside the cluster is for the next run to see, which refuses to make one that is there and not in the state.
func TestObjectsInsideTheClusterAreTakenIn(t *testing.T) {
	certificate := made("kubernetes:cert-manager.io/v1:Certificate", "web", `{"metadata": {"namespace": "app", "name": "web"}}`)
	class := made("kubernetes:storage.k8s.io/v1:StorageClass", "keep", `{"metadata": {"name": "retain"}}`)
	c := newTrial(t, fmt.Sprintf(stateOf, "", pending(certificate)+","+pending(class)),
		made("kubernetes:core/v1:Secret", "new", `{"metadata": {"namespace": "app", "name": "new"}}`))
	printed, err := c.heal(t, "yes\n")
	require.NoError(t, err)
	require.Contains(t, printed, "Certificate web was being made, and is taken into the state; the next run makes it if")
	ids := []string{}
	for _, one := range c.written(t).resources[4:] {
		ids = append(ids, one.ID)
	}
	require.Equal(t, []string{"app/web", "retain"}, ids)
}

// A secret that was told once, to nobody, is of no use. Those of the state, and those of others, stay.
func TestKeysThatNobodyKnowsAreDeleted(t *testing.T) {
	token := made("linode:index/token:Token", "token", `{"label": "p-cert-manager"}`)
	c := newTrial(t, fmt.Sprintf(stateOf, "", pending(token)))
	c.said["/v4/object-storage/keys"] = `{"pages": 1, "data": [{"id": 31, "label": "p-media"}, {"id": 32, "label": "p-media"},
{"id": 33, "label": "other"}]}`
	c.said["/v4/profile/tokens"] = `{"pages": 1, "data": [{"id": 51, "label": "p-cert-manager"}, {"id": 52, "label": "mine"}]}`
	printed, err := c.heal(t, "yes\n")
	require.NoError(t, err, printed)
	require.ElementsMatch(t, []string{"/v4/object-storage/keys/32", "/v4/profile/tokens/51"}, c.deleted)
	require.Contains(t, printed, "/profile/tokens has 51, called p-cert-manager, whose secret nobody knows")
}

func TestNothingIsDoneUnasked(t *testing.T) {
	cluster := made("linode:index/lkeCluster:LkeCluster", "cluster", things[0].inputs)
	c := newTrial(t, fmt.Sprintf(stateOf, "", pending(cluster)))
	c.said["/v4/object-storage/keys"] = `{"pages": 1, "data": [{"id": 32, "label": "p-media"}]}`
	printed, err := c.heal(t, "no\n")
	require.EqualError(t, err, "nothing was changed")
	require.Contains(t, printed, "cluster is there as 12")
	require.Nil(t, c.written(t))
	require.Empty(t, c.deleted)
}

// A run that is at work meanwhile has the last word: what it makes is in no state yet.
func TestARunThatIsAtWorkIsLeftAlone(t *testing.T) {
	for name, does := range map[string]string{
		"it holds the lock":    "'stack import --stack prod') echo 'error: the stack is currently locked by 1 lock(s)' >&2; exit 255;;\n",
		"it has changed state": "'stack export --stack prod') cat state; echo ' ' >>state;;\n",
	} {
		t.Run(name, func(t *testing.T) {
			cluster := made("linode:index/lkeCluster:LkeCluster", "cluster", things[0].inputs)
			c := newTrial(t, fmt.Sprintf(stateOf, "", pending(cluster)))
			c.said["/v4/object-storage/keys"] = `{"pages": 1, "data": [{"id": 32, "label": "p-media"}]}`
			script, err := os.ReadFile(filepath.Join(c.machine, "pulumi"))
			require.NoError(t, err)
			c.write(t, "pulumi", strings.Replace(string(script), "in\n", "in\n"+does, 1))
			_, err = c.heal(t, "yes\n")
			require.ErrorContains(t, err, map[string]string{
				"it holds the lock": "currently locked", "it has changed state": "another run has changed the state meanwhile",
			}[name])
			require.Empty(t, c.deleted)
			require.Nil(t, c.written(t))
		})
	}
}

// Others depend on what is replaced, so the new one takes its place.
func TestAReplacementIsTakenIn(t *testing.T) {
	pool := func(id, kind, rest string) string {
		text := made("linode:index/lkeNodePool:LkeNodePool", "pool", `{"clusterId": 12, "type": "`+kind+`", "labels": {"pool": "app"}, "tags": ["p"]}`)
		return `{"id": "` + id + `", ` + rest + text[1:]
	}
	child := made("linode:index/domain:Domain", "child", `{"domain": "a.example"}`)
	for name, test := range map[string]struct {
		old string
		ids []string
	}{
		"before the old one is deleted": {"", []string{"22", "9", "23"}},
		"after":                         {`"pendingReplacement": true, `, []string{"22", "9"}},
	} {
		t.Run(name, func(t *testing.T) {
			state := fmt.Sprintf(stateOf, ","+pool("23", "g6-2", test.old)+`,{"id": "9", `+child[1:], "")
			c := newTrial(t, state)
			c.write(t, "preview", `{"steps": [{"op": "create-replacement", "newState": `+pool("", "g6-1", "")+`}]}`)
			printed, err := c.heal(t, "yes\n")
			require.NoError(t, err)
			require.Contains(t, printed, "LkeNodePool pool was to be replaced, and the new one is there as 22; it is taken into the state")
			written := c.written(t).resources[4:]
			ids := []string{}
			for i, one := range written {
				ids = append(ids, one.ID)
				require.Equal(t, i == 2, one.Delete)
			}
			require.Equal(t, test.ids, ids)
		})
	}
}

// What a person has to decide is only told.
func TestWhatCannotBeTakenInIsNamed(t *testing.T) {
	orphan := strings.Replace(made("linode:index/lkeCluster:LkeCluster", "cluster", things[0].inputs), provider, "urn:other", 1)
	c := newTrial(t, fmt.Sprintf(stateOf, "", ""), orphan)
	printed, err := c.heal(t, "")
	require.NoError(t, err)
	require.Contains(t, printed, "LkeCluster cluster is there as 12, but the state does not have what it belongs to")
	require.Contains(t, printed, "nothing is to be put in order")

	again := made("linode:index/domain:Domain", "new", `{"domain": "example.org"}`)
	c = newTrial(t, fmt.Sprintf(stateOf, "", ""), again)
	c.said["/v4/domains"] = `{"pages": 1, "data": [{"id": 8, "domain": "example.org"}, {"id": 9, "domain": "example.org"}]}`
	printed, err = c.heal(t, "yes\n")
	require.NoError(t, err)
	require.Contains(t, printed, "Domain new is there as 8, and is taken into the state\n")
	require.Contains(t, printed, "Domain new is there once more, as 9: delete that by hand\n")
}

// A program that cannot run to its end does not keep from what was being made.
func TestAPreviewThatFailsIsToldOf(t *testing.T) {
	cluster := made("linode:index/lkeCluster:LkeCluster", "cluster", things[0].inputs)
	c := newTrial(t, fmt.Sprintf(stateOf, "", pending(cluster)))
	c.write(t, "fails", "")
	c.write(t, "preview", "")
	printed, err := c.heal(t, "yes\n")
	require.NoError(t, err)
	require.Contains(t, printed, "only what was being made is looked for: pulumi preview: ")
	require.Len(t, c.written(t).resources, 5)
}

// A list is the same for all that are looked for in it, and clouds count how often they are asked.
func TestACloudIsAskedForEachListOnce(t *testing.T) {
	record := func(name string) string {
		return made("linode:index/domainRecord:DomainRecord", name, `{"domainId": 7, "name": "`+name+`", "recordType": "A", "target": "192.0.2.1"}`)
	}
	c := newTrial(t, fmt.Sprintf(stateOf, "", ""), record("www"), record("a"), record("b"))
	printed, err := c.heal(t, "yes\n")
	require.NoError(t, err)
	require.Contains(t, printed, "DomainRecord www is there as 42")
	require.Equal(t, 1, c.asked["/v4/domains/7/records"])
}

// A cloud that cannot be asked is no cloud without the thing.
func TestAnAnswerIsNeeded(t *testing.T) {
	cluster := made("linode:index/lkeCluster:LkeCluster", "cluster", things[0].inputs)
	c := newTrial(t, fmt.Sprintf(stateOf, "", pending(cluster)))
	delete(c.said, "/v4/lke/clusters")
	_, err := c.heal(t, "yes\n")
	require.ErrorContains(t, err, "looking for LkeCluster cluster: GET /lke/clusters?page_size=100&page=1 is answered 404")
	require.Nil(t, c.written(t))

	t.Setenv("LINODE_TOKEN", "")
	_, err = c.heal(t, "yes\n")
	require.EqualError(t, err, "LINODE_TOKEN is not set")
}
