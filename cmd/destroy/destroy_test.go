package main

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"lke-platform/internal/cloud"
)

// The state of a stack, resource by resource.
const (
	stackOf = `{"urn": "urn:pulumi:prod::p::pulumi:pulumi:Stack::p-prod", "type": "pulumi:pulumi:Stack"}`
	cluster = `{"urn": "urn:pulumi:prod::p::linode:index/lkeCluster:LkeCluster::cluster", "custom": true, "id": "12",
"type": "linode:index/lkeCluster:LkeCluster", "inputs": {"label": "lke-platform-prod"}}`
	backups = `{"urn": "urn:backups", "custom": true, "id": "us-ord:p-backups",
"type": "linode:index/objectStorageBucket:ObjectStorageBucket"}`
	zoneOwn = `{"urn": "urn:pulumi:prod::p::linode:index/domain:Domain::own", "custom": true, "id": "7",
"type": "linode:index/domain:Domain", "inputs": {"domain": "example.com"}}`
	zoneAdopted = `{"urn": "urn:pulumi:prod::p::linode:index/domain:Domain::adopted", "custom": true, "id": "8", "retainOnDelete": true,
"type": "linode:index/domain:Domain", "inputs": {"domain": "example.org"}}`
	recordOwn = `{"urn": "urn:record", "custom": true, "id": "71", "type": "linode:index/domainRecord:DomainRecord"}`
	secret    = `{"urn": "urn:secret", "custom": true, "id": "app/s", "type": "kubernetes:core/v1:Secret"}`
)

// trial is a machine, with stand-ins for Linode, for a cluster, for S3 and for Pulumi.
type trial struct {
	*destruction

	machine string
	said    map[string]string // what is answered, by method and path; all else is not there
	calls   []string          // that change something
}

// newTrial has a stack with these resources, of which each pass leaves some.
func newTrial(t *testing.T, state []string, passes ...[]string) *trial {
	t.Helper()
	c := &trial{machine: t.TempDir(), said: map[string]string{}}
	for path, text := range map[string]string{
		"/v4/linode/instances": `[{"id": 1, "label": "keeps-dns", "type": "g6-nanode-1", "region": "us-ord"}]`,
		"/v4/nodebalancers":    `[]`, "/v4/networking/firewalls": `[]`, "/v4/volumes": `[]`, "/v4/domains": `[]`, "/v4/lke/clusters": `[]`,
		"/v4/object-storage/buckets": `[{"label": "mine"}]`,
	} {
		c.said["GET "+path] = `{"pages": 1, "data": ` + text + `}`
	}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"LINODE_URL": server.URL, "LINODE_TOKEN": "a", "FASTLY_API_KEY": "b", serverVariable: server.URL,
		"PATH": c.machine + ":" + os.Getenv("PATH"),
	} {
		t.Setenv(name, value)
	}
	for i, left := range append([][]string{state}, passes...) {
		c.write(t, fmt.Sprintf("state%d", i), `{"deployment": {"resources": [`+strings.Join(left, ",")+`]}}`)
	}
	c.write(t, "certsync", "#!/bin/sh\necho certsync \"$@\"\n")
	c.write(t, "pulumi", `#!/bin/sh
cd '`+c.machine+`'
pass=$(cat pass 2>/dev/null || echo 0)
case "$*" in
stack*) cat state$pass;;
*--preview-only*) echo "pulumi $*";;
*) pass=$((pass + 1)); echo $pass >pass; echo "pulumi $* $PULUMI_K8S_DELETE_UNREACHABLE"; exit $(cat fails$pass 2>/dev/null || echo 0);;
esac
`)
	c.destruction = &destruction{
		stack: "prod", options: []string{"--stack", "prod", "--refresh"}, certsync: "certsync", patience: time.Minute,
	}
	return c
}

func (c *trial) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(c.machine, name), []byte(text), 0o700))
}

// ServeHTTP answers for Linode, the cluster and S3.
func (c *trial) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + r.URL.Path
	if r.URL.Path == "/p-backups/" || r.URL.Path == "/p-backups" {
		call = r.Method + " " + r.URL.RequestURI()
	}
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodGet {
		c.calls = append(c.calls, strings.TrimSpace(call+" "+string(body)))
	}
	if r.TLS != nil && r.Method == http.MethodGet && r.Header.Get("Content-Type") != "" { // as the API server has it
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	for known, answer := range c.said {
		if call == known || strings.HasSuffix(known, "*") && strings.HasPrefix(call, strings.TrimSuffix(known, "*")) {
			_, _ = w.Write([]byte(answer))
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(`{"errors": [{"reason": "Not found"}]}`))
}

// list has Linode answer a list.
func (c *trial) list(path string, items string) {
	c.said["GET /v4"+path] = `{"pages": 1, "data": [` + items + `]}`
}

// destroy runs the command, and returns what it printed.
func (c *trial) destroy(t *testing.T, typed string) (printed string, err error) {
	t.Helper()
	var out strings.Builder
	c.in, c.out = strings.NewReader(typed), &out
	err = c.run(t.Context())
	return out.String(), err
}

func TestNothingIsDeletedWithoutTheNameOfTheStack(t *testing.T) {
	for _, typed := range []string{"", "\n", "yes\n", "staging\n"} {
		c := newTrial(t, []string{stackOf, zoneOwn})
		printed, err := c.destroy(t, typed)
		require.EqualError(t, err, "nothing was deleted")
		require.Contains(t, printed, "pulumi destroy --stack prod --refresh --preview-only\n")
		require.NotContains(t, printed, "--yes")
		require.Empty(t, c.calls)
	}
	t.Setenv("LINODE_TOKEN", "")
	err := (&destruction{}).run(t.Context())
	require.EqualError(t, err, "LINODE_TOKEN is not set")
}

func TestWhatEndsLeavesNothing(t *testing.T) {
	c := newTrial(t, []string{stackOf, zoneOwn, recordOwn}, []string{stackOf})
	c.list("/domains/7/records", `{"id": 71, "name": "www", "type": "A", "target": "192.0.2.1"},
{"id": 72, "name": "", "type": "TXT", "target": "heritage=external-dns"}`)
	printed, err := c.destroy(t, "prod\n")
	require.NoError(t, err)
	require.Contains(t, printed, "With zone example.com go the records that others made in it: @ TXT heritage=external-dns\n")
	require.Regexp(t, `(?s)--preview-only.*pulumi destroy --stack prod --refresh --yes --skip-preview --continue-on-error \n`+
		`certsync remove --stack lke-platform-prod\n.*Nothing is left of prod, and nothing that costs\.`, printed)
	require.Empty(t, c.calls)
}

// What holds data is emptied for whoever says so only; the rest goes in any case.
func TestAFullBucketIsNamedOrEmptied(t *testing.T) {
	state, left := []string{stackOf, zoneOwn, backups}, []string{stackOf, backups}
	full := `{"label": "p-backups", "region": "us-ord", "s3_endpoint": "us-ord-1.linodeobjects.com", "objects": 3, "size": 2147483648}`
	c := newTrial(t, state, left)
	c.said["GET /v4/object-storage/buckets/us-ord/p-backups"] = full
	printed, err := c.destroy(t, "prod\n")
	require.NoError(t, err)
	require.Contains(t, printed, "Bucket p-backups is not empty (3 objects, 2.0 GB) and stays, unless you say: make destroy STACK=prod EMPTY=1\n")
	require.Contains(t, printed, "--continue-on-error --exclude urn:backups")
	require.Regexp(t, `(?m)^bucket p-backups +it is not empty: 3 objects, 2.0 GB +5\.00 +make destroy STACK=prod EMPTY=1$`, printed)
	require.Contains(t, printed, "\n5.00 USD a month in all")
	require.Empty(t, c.calls)

	c = newTrial(t, state, left, []string{stackOf})
	c.said["GET /v4/object-storage/buckets/us-ord/p-backups"] = full
	c.said["POST /v4/object-storage/keys"] = `{"id": 31, "access_key": "k", "secret_key": "s"}`
	c.said["DELETE /v4/object-storage/keys/31"] = `{}`
	c.said["GET /p-backups/?delimiter=&encoding-type=url&fetch-owner=true&list-type=2*"] = `<ListBucketResult></ListBucketResult>`
	c.said["GET /p-backups/?delimiter=&encoding-type=url&prefix=&versions="] = `<ListVersionsResult>
<Version><Key>a</Key><VersionId>1</VersionId></Version><DeleteMarker><Key>a</Key><VersionId>2</VersionId></DeleteMarker>
<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker></ListVersionsResult>`
	c.said["GET /p-backups/?delimiter=&encoding-type=url&key-marker=a&prefix=&version-id-marker=2&versions="] = `<ListVersionsResult>
<Version><Key>b</Key><VersionId>null</VersionId></Version></ListVersionsResult>`
	c.said["POST /p-backups/?delete="] = `<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>a</Key></Deleted>
<Deleted><Key>b</Key></Deleted></DeleteResult>`
	c.said["GET /p-backups/?delimiter=&encoding-type=url&prefix=&uploads="] = `<ListMultipartUploadsResult></ListMultipartUploadsResult>`
	c.empty = true
	printed, err = c.destroy(t, "prod\n")
	require.NoError(t, err, printed)
	require.Contains(t, printed, "ALL THAT IS IN BUCKET p-backups IS DELETED, each version of it: 3 objects, 2.0 GB.\n")
	require.Regexp(t, `(?s)--exclude urn:backups \n.*Bucket p-backups is empty: 3 versions of objects were deleted\..*`+
		`--continue-on-error \n.*Nothing is left of prod`, printed)
	require.Len(t, c.calls, 3)
	require.Contains(t, c.calls[0], `"bucket_access":[{"bucket_name":"p-backups","permissions":"read_write","region":"us-ord"}]`)
	require.Regexp(t, `<Key>a</Key><VersionId>1</VersionId>.*<Key>a</Key><VersionId>2</VersionId>.*<Key>b</Key>`, c.calls[1])
	require.Equal(t, "DELETE /v4/object-storage/keys/31", c.calls[2], "a key that nobody needs any more")
}

// Linode counts neither parts of uploads nor, at times, what has just been written.
func TestABucketThatIsNotDeletedIsNamed(t *testing.T) {
	c := newTrial(t, []string{stackOf, backups, zoneOwn}, []string{stackOf, backups})
	c.write(t, "fails1", "255")
	c.list("/domains/7/records", "")
	c.said["GET /v4/object-storage/buckets/us-ord/p-backups"] = `{"label": "p-backups", "region": "us-ord"}`
	printed, err := c.destroy(t, "prod\n")
	require.NoError(t, err)
	require.NotContains(t, printed, "--exclude")
	require.Regexp(t, `(?m)^bucket p-backups +Linode did not delete it, .* +5\.00 +make destroy STACK=prod EMPTY=1$`, printed)
}

// As long as the cluster is there, the app may be, and use its bucket.
func TestABucketIsNotEmptiedUnderARunningApp(t *testing.T) {
	state := []string{stackOf, cluster, backups}
	c := newTrial(t, append(state, zoneOwn), state, state)
	c.write(t, "fails1", "255")
	c.write(t, "fails2", "255")
	c.list("/domains/7/records", "")
	c.said["GET /v4/object-storage/buckets/us-ord/p-backups"] = `{"label": "p-backups", "region": "us-ord", "objects": 3}`
	c.empty = true
	printed, err := c.destroy(t, "prod\n")
	require.EqualError(t, err, "pulumi destroy: exit status 255")
	require.Equal(t, 2, strings.Count(printed, "--continue-on-error --exclude urn:backups"), "again, as the first got further")
	require.Empty(t, c.calls)
}

// What is inside of a cluster that is gone is forgotten, and what only it would have deleted is deleted.
func TestAClusterThatIsGoneIsForgotten(t *testing.T) {
	c := newTrial(t, []string{stackOf, cluster, secret}, []string{stackOf})
	c.list("/nodebalancers", `{"id": 51, "label": "ccm-1", "tags": ["lke12"]}, {"id": 52, "label": "ccm-2", "tags": ["lke-platform-prod-nginx"]},
{"id": 53, "label": "ccm-3", "tags": ["lke1", "lke-platform-prod-b-traefik"]}`)
	c.list("/networking/firewalls", `{"id": 61, "label": "ccm-9", "entities": [{"id": 51, "type": "nodebalancer"}]},
{"id": 62, "label": "mine", "entities": [{"id": 51, "type": "nodebalancer"}]}, {"id": 63, "label": "lke-12"}, {"id": 64, "label": "lke-1"}`)
	printed, err := c.destroy(t, "prod\n")
	require.NoError(t, err)
	require.Contains(t, printed, "Linode does not have cluster 12 any more: what was inside is dropped from the state.\n")
	require.Contains(t, printed, "NodeBalancer 51 (ccm-1), which only the cluster would have deleted, is deleted too.\n")
	require.Contains(t, printed, "--continue-on-error true\n", "the Kubernetes provider is told")
	require.Equal(t, []string{
		"DELETE /v4/networking/firewalls/61", "DELETE /v4/nodebalancers/51", "DELETE /v4/nodebalancers/52", "DELETE /v4/networking/firewalls/63",
	}, c.calls)
}

// One that is only silent may be back in a minute.
func TestASilentClusterIsGivenUpByNobodyElse(t *testing.T) {
	c := newTrial(t, []string{stackOf, cluster}, []string{stackOf})
	c.said["GET /v4/lke/clusters/12"] = `{"id": 12}`
	_, err := c.destroy(t, "prod\n")
	require.ErrorContains(t, err, "nothing was deleted: the API of cluster 12 does not answer: GET /lke/clusters/12/kubeconfig is answered 404")
	require.ErrorContains(t, err, "If it is not to come back: make destroy STACK=prod UNREACHABLE=1")
	c.unreachable = true
	printed, err := c.destroy(t, "prod\n")
	require.NoError(t, err)
	require.Contains(t, printed, "The API of cluster 12 does not answer: the cluster is deleted with all that is inside.\n")
	require.Contains(t, printed, "--continue-on-error true\n")
}

func TestWhatOperatorsDoNotLetGoOfIsFound(t *testing.T) {
	c := newTrial(t, nil)
	server := httptest.NewTLSServer(c)
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	config := fmt.Sprintf(`{clusters: [{cluster: {server: %q, certificate-authority-data: %s}}], users: [{user: {token: x}}]}`,
		server.URL, base64.StdEncoding.EncodeToString(authority))
	c.said["GET /v4/lke/clusters/12/kubeconfig"] = fmt.Sprintf(`{"kubeconfig": %q}`, base64.StdEncoding.EncodeToString([]byte(config)))
	c.said["GET /readyz"] = "ok"
	c.said["GET /apis"] = `{"groups": [{"preferredVersion": {"groupVersion": "x.example.com/v1"}}, {"preferredVersion": {"groupVersion": "gone/v1"}}]}`
	c.said["GET /api/v1"] = `{"resources": [{"name": "configmaps", "kind": "ConfigMap", "verbs": ["list", "patch"]},
{"name": "bindings", "kind": "Binding", "verbs": ["create"]}, {"name": "pods/log", "kind": "Pod", "verbs": ["list", "patch"]}]}`
	c.said["GET /apis/x.example.com/v1"] = `{"resources": [{"name": "databases", "kind": "Database", "verbs": ["list", "patch"]},
{"name": "leftovers", "kind": "Leftover", "verbs": ["list", "patch"]}]}`
	c.said["GET /api/v1/configmaps"] = `{"items": [
{"metadata": {"name": "a", "namespace": "app", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["foregroundDeletion", "x.example.com/f"]}},
{"metadata": {"name": "b", "namespace": "app", "finalizers": ["x.example.com/f"]}},
{"metadata": {"name": "c", "namespace": "app", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [
"kubernetes.io/pvc-protection", "service.kubernetes.io/load-balancer-cleanup", "external-attacher/linodebs-csi-linode-com"]}}]}`
	c.said["GET /apis/x.example.com/v1/databases"] = `{"items": [
{"metadata": {"name": "d", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x.example.com/f"]}}]}`
	c.said["PATCH /api/v1/namespaces/app/configmaps/a"] = `{}`
	c.linode = cloud.Linode()
	control, err := c.connect(t.Context(), 12)
	require.NoError(t, err)
	held, err := control.held(t.Context())
	require.NoError(t, err)
	require.Len(t, held, 2)
	require.Equal(t, "ConfigMap app/a", held[0].name())
	require.Equal(t, "Database d", held[1].name())
	require.NoError(t, control.letGo(t.Context(), &held[0]))
	require.NoError(t, control.letGo(t.Context(), &held[1]), "it is gone already")
	require.Equal(t, `PATCH /api/v1/namespaces/app/configmaps/a {"metadata":{"finalizers":["foregroundDeletion"]}}`, c.calls[0],
		"what Kubernetes has still to do is done")

	c.said["GET /api/v1/persistentvolumes"] = `{"items": [{"spec": {"csi": {"volumeHandle": "41-pvc1"}, "claimRef":
{"namespace": "app", "name": "data"}}}, {"spec": {"hostPath": {}}}]}`
	claims, err := control.claims(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[int]string{41: "app/data"}, claims)
}

// Whatever stays is named with its price and its end.
func TestWhatStaysIsNamed(t *testing.T) {
	c := newTrial(t, []string{stackOf, cluster, zoneOwn, zoneAdopted}, []string{stackOf, zoneOwn}, []string{stackOf, zoneOwn})
	c.write(t, "fails1", "255")
	c.write(t, "fails2", "255")
	c.list("/domains/7/records", "")
	c.list("/domains/8/records", `{"id": 81, "name": "old", "type": "A", "target": "192.0.2.9"},
{"id": 82, "name": "", "type": "MX", "target": "mail.example.net"}`)
	c.list("/nodebalancers", `{"id": 51, "label": "ccm-1", "tags": ["lke12"], "ipv4": "192.0.2.9"}`)
	c.list("/linode/instances", `{"id": 1, "label": "keeps-dns", "type": "g6-nanode-1"}, {"id": 2, "label": "lke9-1-a", "type": "g6-standard-2"},
{"id": 3, "label": "lke11-1-a", "type": "g6-standard-2"}, {"id": 4, "label": "lke12-1-a", "type": "unheard-of"}`)
	c.list("/lke/clusters", `{"id": 11}`)
	c.list("/volumes", `{"id": 41, "label": "pvc1", "size": 30, "region": "us-ord", "tags": ["lke-platform-prod"]},
{"id": 42, "label": "pvc2", "size": 10, "region": "us-ord", "linode_label": "lke12-1-a"},
{"id": 43, "label": "other", "size": 10, "tags": ["lke-platform-prod-b"], "linode_label": "lke1-1-a"}`)
	c.list("/object-storage/buckets", "")
	c.said["GET /v4/account/settings"] = `{"object_storage": "active"}`
	t.Setenv("FASTLY_API_KEY", "")
	printed, err := c.destroy(t, "prod\n")
	require.EqualError(t, err, "pulumi destroy: exit status 255")
	_, table, found := strings.Cut(printed, "What stays of prod:\n\n")
	require.True(t, found)
	lines := strings.Split(strings.TrimSpace(table), "\n")
	for i, want := range []string{
		`^THING +WHY +USD A MONTH +DELETE IT WITH$`,
		`^Domain own \(7\) +its deletion failed, as is said above +see there +make destroy STACK=prod$`,
		`^node lke9-1-a \(g6-standard-2\) +its cluster is gone +24\.00 +linode-cli linodes delete 2$`,
		`^node lke12-1-a \(unheard-of\) +its cluster is gone +unknown +linode-cli linodes delete 4$`,
		`^volume pvc1, 30 GB +.* +3\.00 +linode-cli volumes delete 41$`,
		`^volume pvc2, 10 GB +.*; it is attached to lke12-1-a +1\.00 +linode-cli volumes detach 42 && linode-cli volumes delete 42$`,
		`^Object Storage +the account has it, though no bucket any more +5\.00 +linode-cli object-storage cancel$`,
		`^zone example.org +it was there before the stack \(adopt\) +0\.00 +linode-cli domains delete 8$`,
		`^record old A 192\.0\.2\.9 of example\.org +others made it; .* +0\.00 +linode-cli domains records-delete 8 81$`,
		`^certificates at Fastly +FASTLY_API_KEY is not set.* +by plan +FASTLY_API_KEY=… go run ./cmd/certsync remove --stack lke-platform-prod$`,
		`^$`,
		`^33\.00 USD a month in all, at the list price of `,
	} {
		require.Regexp(t, want, lines[i])
	}
	require.NotContains(t, printed, "keeps-dns")
	require.Equal(t, []string{"DELETE /v4/nodebalancers/51"}, c.calls)
}

func TestWhatFastlyKeepsIsAFault(t *testing.T) {
	c := newTrial(t, []string{stackOf, zoneAdopted}, []string{stackOf})
	c.list("/domains/8/records", "")
	c.write(t, "certsync", "#!/bin/sh\nexit 1\n")
	printed, err := c.destroy(t, "prod\n")
	require.EqualError(t, err, "certsync remove: exit status 1")
	require.Regexp(t, `certificates at Fastly +taking them back failed, as is said above +by plan `, printed)
}

// A zone that a stack took over outlives it, but Linode serves none for an account without a Linode.
func TestZonesThatNobodyWouldServeAreNamed(t *testing.T) {
	t.Setenv("DNS_SERVER", nameServer(t, map[string]string{"example.com.": "ns1.linode.com.", "example.org.": "ns.elsewhere.net."}))
	for linodes, warned := range map[string]bool{
		`{"label": "lke12-1-a"}, {"label": "lke12-1-b"}`: true, ``: true, `{"label": "lke12-1-a"}, {"label": "keeps-dns"}`: false,
		`{"label": "lke12-1-a"}, {"label": "lke121-1-a"}`: false,
	} {
		c := newTrial(t, []string{stackOf, cluster})
		c.list("/linode/instances", linodes)
		c.list("/domains", `{"id": 7, "domain": "example.com"}, {"id": 8, "domain": "example.org"}, {"id": 9, "domain": "example.net"}`)
		printed, _ := c.destroy(t, "")
		require.Equal(t, warned, strings.Contains(printed, "NOBODY WILL ANSWER for these zones, their mail included: example.com."), printed)
		require.NotContains(t, printed, "example.org")
		require.NotContains(t, printed, "Look whether")
	}
	t.Setenv("DNS_SERVER", "127.0.0.1:1")
	c := newTrial(t, []string{stackOf, cluster})
	c.list("/linode/instances", "")
	c.list("/domains", `{"id": 7, "domain": "example.com"}`)
	printed, _ := c.destroy(t, "")
	require.Contains(t, printed, "Look whether Linode's name servers are asked for these zones: example.com\n")
}

// nameServer answers which servers zones have.
func nameServer(t *testing.T, servers map[string]string) (address string) {
	t.Helper()
	connection, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	go func() {
		buffer := make([]byte, 512)
		for {
			size, asker, err := connection.ReadFrom(buffer)
			var m dnsmessage.Message
			if err != nil || m.Unpack(buffer[:size]) != nil {
				return
			}
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			if server, known := servers[m.Questions[0].Name.String()]; known {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeNS, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.NSResource{NS: dnsmessage.MustNewName(server)},
				}}
			} else {
				m.RCode = dnsmessage.RCodeNameError
			}
			answer, _ := m.Pack()
			_, _ = connection.WriteTo(answer, asker)
		}
	}()
	return connection.LocalAddr().String()
}
