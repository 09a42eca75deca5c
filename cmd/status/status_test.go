package main

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"lke-platform/components/dns/public"
)

// now is when all of this is looked at.
var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

const (
	hosts   = "urn:pulumi:prod::p::lke-platform:dns:Hosts$linode:index/domainRecord:DomainRecord::"
	origin  = `{"urn": "` + hosts + `origin-origin.example.com-A-0", "type": "linode:index/domainRecord:DomainRecord", "inputs": {"domainId": 7, "name": "origin", "recordType": "A", "target": "192.0.2.9"}}`
	apex    = `{"urn": "` + hosts + `hosts-example.com-A-0", "type": "linode:index/domainRecord:DomainRecord", "inputs": {"domainId": 7, "name": "", "recordType": "A", "target": "151.101.2.132"}}`
	release = `{"urn": "urn:pulumi:prod::p::t::traefik", "type": "kubernetes:helm.sh/v3:Release", "inputs": {"name": "traefik", "version": "41.3.0"}}`
	zone    = `{"urn": "urn:pulumi:prod::p::t::zone", "type": "linode:index/domain:Domain", "id": "7", "inputs": {"domain": "example.com"}}`
	stateOf = `{"deployment": {"manifest": {"time": "2026-07-01T10:00:00Z"}, "resources": [` + zone + `, ` + apex + `, ` + origin + `, ` + release + `], "pending_operations": []}}`
	outputs = `{"url": "https://example.com", "clusterId": "12", "kubeconfig": KUBECONFIG, "fastlyServiceId": "s1"}`

	ready = `"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-07-01T11:48:00Z"}]`
	label = `"labels": {"app.kubernetes.io/name": "site"}`
	image = `"template": {"spec": {"containers": [{"image": "ghcr.io/org/site:main"}]}}`
)

// healthy is what all say of a stack that is well, by path.
var healthy = map[string]string{
	"/api/v1/nodes": `{"items": [{"metadata": {"name": "lke12-1"}, "status": {` + ready + `}}, {"metadata": {"name": "lke12-2"}, "status": {` + ready + `}}]}`,
	"/api/v1/pods": `{"items": [{"metadata": {"name": "site-1", "namespace": "site", ` + label + `}, "status": {"phase": "Running",
"containerStatuses": [{"imageID": "ghcr.io/org/site@sha256:0123456789abcdef", "state": {"running": {}}}]}}, {"metadata": {"name": "job-1"}, "status": {"phase": "Succeeded"}}]}`,
	"/api/v1/persistentvolumeclaims": `{"items": [{"metadata": {"name": "data-0", "namespace": "site"}, "status": {"phase": "Bound"}}]}`,
	"/apis/apps/v1/deployments": `{"items": [{"metadata": {"name": "site", "namespace": "site", ` + label + `}, "spec": {"replicas": 2, ` + image + `}, "status": {"readyReplicas": 2}},
{"metadata": {"name": "candidate", "namespace": "site", ` + label + `}, "spec": {"replicas": 0, ` + image + `}}]}`,
	"/apis/apps/v1/statefulsets": `{"items": [{"metadata": {"name": "db", "namespace": "site"}, "spec": {"replicas": 1}, "status": {"readyReplicas": 1}}]}`,
	"/apis/apps/v1/daemonsets":   `{"items": [{"metadata": {"name": "exporter", "namespace": "monitoring"}, "status": {"desiredNumberScheduled": 2, "numberReady": 2}}]}`,
	"/apis/postgres-operator.crunchydata.com/v1/postgresclusters": `{"items": [{"metadata": {"name": "site", "creationTimestamp": "2026-01-01T00:00:00Z"},
"spec": {"backups": {"pgbackrest": {"repos": [{"schedules": {"differential": "0 4 * * *"}}]}}},
"status": {"instances": [{"replicas": 2, "readyReplicas": 2}], "pgbackrest": {"repos": [{"replicaCreateBackupComplete": true}],
"scheduledBackups": [{"completionTime": "2026-06-30T04:10:00Z"}, {"completionTime": "2026-07-01T04:10:00Z"}]}}}]}`,
	"/apis/cert-manager.io/v1/certificates": `{"items": [{"metadata": {"name": "example-com", "namespace": "site"}, "status": {` + ready + `, "notAfter": "2026-09-01T12:00:00Z", "renewalTime": "2026-08-01T12:00:00Z"}}]}`,
	"/version":                              `{"gitVersion": "v1.36.2"}`,
	"/api/v2/alerts":                        `[{"labels": {"alertname": "Watchdog", "severity": "none"}}]`,

	"/v4/lke/clusters/12":         `{"status": "ready", "region": "us-east"}`,
	"/v4/lke/clusters/12/pools":   `{"pages": 1, "data": [{"id": 3, "type": "g6-standard-4", "nodes": [{"id": "12-1", "instance_id": 101, "status": "ready"}]}]}`,
	"/v4/nodebalancers":           `{"pages": 1, "data": [{"id": 5, "label": "ccm-1", "tags": ["lke12", "lke-platform-prod-traefik"]}, {"id": 6, "tags": ["lke13"]}]}`,
	"/v4/nodebalancers/5/configs": `{"pages": 1, "data": [{"port": 443, "nodes_status": {"up": 2, "down": 0}}]}`,
	"/v4/account/events": `{"data": [{"action": "linode_boot", "status": "failed", "created": "2026-07-01T11:00:00", "entity": {"id": 999, "type": "linode", "label": "other"}},
{"action": "host_reboot", "status": "finished", "created": "2026-07-01T09:00:00", "entity": {"id": 101, "type": "linode", "label": "lke12-1"}}]}`,
	"/v4/account/maintenance":   `{"pages": 1, "data": [{"type": "reboot", "status": "pending", "when": "2026-07-02T12:00:00", "entity": {"id": 999, "type": "linode"}}]}`,
	"/v4/account/notifications": `{"pages": 1, "data": [{"severity": "major", "message": "Tokyo is out of order", "entity": {"id": "ap-northeast", "type": "region"}}]}`,

	"/service/s1/details": `{"name": "lke-platform-prod", "active_version": {"number": 12, "updated_at": "2026-06-30T12:00:00Z"}}`,
	"/stats/service/s1":   `{"data": [{"requests": 9000, "status_5xx": 1, "hits": 900, "miss": 100}, {"requests": 1000, "status_5xx": 1}]}`,
	"/tls/activations": `{"data": [{"relationships": {"tls_certificate": {"data": {"id": "c"}}, "tls_domain": {"data": {"id": "example.com"}}}}],
"included": [{"id": "c", "attributes": {"not_after": "2026-08-20T12:00:00Z"}}]}`,
}

// hangsUp is the status of an answer that does not come.
const hangsUp = -1

// platform is a stack that is well, and what to change of it.
type platform struct {
	said     map[string]string // by path
	answers  map[string]int    // in place of what is said
	silent   string            // begins the paths that nobody answers
	outputs  string
	state    string
	records  map[string]string // of public DNS, addresses by name
	patience time.Duration
}

func newPlatform() *platform {
	p := &platform{
		said: map[string]string{}, answers: map[string]int{}, outputs: outputs, state: stateOf, patience: time.Minute,
		records: map[string]string{"example.com.": "151.101.2.132", "origin.example.com.": "192.0.2.9"},
	}
	for path, text := range healthy {
		p.said[path] = text
	}
	return p
}

// edit replaces a text in what is said at a path.
func (p *platform) edit(t *testing.T, path, from, to string) {
	t.Helper()
	require.Contains(t, p.said[path], from)
	p.said[path] = strings.Replace(p.said[path], from, to, 1)
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, known := p.said[r.URL.Path]
	status := p.answers[r.URL.Path]
	switch {
	case p.silent != "" && strings.HasPrefix(r.URL.Path, p.silent):
		<-r.Context().Done()
	case r.URL.Path != "/api/v2/alerts" && r.Header.Get("Authorization") != "Bearer a" && r.Header.Get("Fastly-Key") != "b":
		w.WriteHeader(http.StatusUnauthorized)
	case status == hangsUp:
		panic(http.ErrAbortHandler)
	case status != 0:
		w.WriteHeader(status)
	case !known:
		w.WriteHeader(http.StatusNotFound)
	case strings.HasPrefix(r.URL.Path, "/tls/") && r.Header.Get("Accept") != "application/vnd.api+json": // as Fastly does
		before, _, _ := strings.Cut(text, `"included"`)
		_, _ = w.Write([]byte(before + `"included": []}`))
	default:
		_, _ = w.Write([]byte(text))
	}
}

// look surveys the platform.
func (p *platform) look(t *testing.T) *report {
	t.Helper()
	machine := t.TempDir()
	clouds, cluster := httptest.NewServer(p), httptest.NewTLSServer(p)
	t.Cleanup(clouds.Close)
	t.Cleanup(cluster.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cluster.Certificate().Raw})
	kubeconfig, err := json.Marshal(fmt.Sprintf("clusters: [{cluster: {server: %q, certificate-authority-data: %s}}]\nusers: [{user: {token: a}}]\n",
		cluster.URL, base64.StdEncoding.EncodeToString(authority)))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"outputs": strings.Replace(p.outputs, "KUBECONFIG", string(kubeconfig), 1), "state": p.state,
		"kubectl": "#!/bin/sh\ncase \"$*\" in *' --namespace monitoring port-forward service/alertmanager-operated :9093')\n" +
			"echo 'Forwarding from " + strings.TrimPrefix(clouds.URL, "http://") + " -> 9093'; exec sleep 60;; esac\n",
		"pulumi": "#!/bin/sh\ncd '" + machine + "'\ncase \"$*\" in\n'stack output --stack prod --json --show-secrets') cat outputs;;\n" +
			"'stack export --stack prod') cat state;;\n*) exit 3;;\nesac\n[ -s state ] || { echo 'error: no stack named prod' >&2; exit 1; }\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(machine, name), []byte(text), 0o700))
	}
	for name, value := range map[string]string{
		"LINODE_URL": clouds.URL, "LINODE_TOKEN": "a", "FASTLY_API_URL": clouds.URL, "FASTLY_API_KEY": "b",
		"PATH": machine + ":" + os.Getenv("PATH"), public.ServerVariable: p.serveNames(t),
	} {
		t.Setenv(name, value)
	}
	s := newSurvey()
	s.stack, s.now, s.patience = "prod", now, p.patience
	return s.run(t.Context())
}

// serveNames answers as the name servers of the zone do.
func (p *platform) serveNames(t *testing.T) (address string) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(buffer)
			var query dnsmessage.Message
			if err != nil || query.Unpack(buffer[:n]) != nil {
				return
			}
			packed, _ := p.answer(query.Questions[0], query.ID).Pack()
			_, _ = socket.WriteTo(packed, from)
		}
	}()
	return socket.LocalAddr().String()
}

func (p *platform) answer(asked dnsmessage.Question, id uint16) *dnsmessage.Message {
	said := &dnsmessage.Message{Header: dnsmessage.Header{ID: id, Response: true, Authoritative: true}, Questions: []dnsmessage.Question{asked}}
	var body dnsmessage.ResourceBody
	name := asked.Name.String()
	switch address := p.records[name]; {
	case asked.Type == dnsmessage.TypeNS && strings.Count(name, ".") == 2:
		body = &dnsmessage.NSResource{NS: dnsmessage.MustNewName("ns1.linode.com.")}
	case asked.Type == dnsmessage.TypeA && address != "":
		body = &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()}
	default:
		return said
	}
	said.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: dnsmessage.ClassINET, TTL: 300}, Body: body}}
	return said
}

func (r *report) part(t *testing.T, name string) part {
	t.Helper()
	at := slices.IndexFunc(r.Parts, func(p part) bool { return p.Name == name })
	require.NotEqual(t, -1, at, name)
	return r.Parts[at]
}

const wellText = `prod  https://example.com
ok       state         4 resources, written 2 h ago
ok       nodes         2 nodes ready
ok       workloads     4 workloads at full strength
ok       pods          1 pod running, none of them crashes
ok       volumes       1 claim bound
ok       database      site has 2 instances and a backup 7 h ago
ok       certificates  1 certificate ready, the first ends in 62 days (example-com)
ok       versions      site:main, site@0123456789ab, Kubernetes v1.36.2, traefik 41.3.0
ok       linode        the cluster is ready, with 1 node in 1 pool
ok       entrance      2 backends answer on port 443
ok       account       Linode restarted lke12-1 3 h ago
ok       fastly        version 12 of lke-platform-prod is active, written 24 h ago
ok       visitors      0.02 % of 10000 requests failed in the last 20 min, 90 % came from the cache
ok       tls           Fastly shows certificates for 1 name, the first ends in 50 days (example.com)
ok       names         all lead to Fastly (1)
ok       alerts        none fires
all is well
`

func TestAStackThatIsWellIsToldInOneLineForEachPart(t *testing.T) {
	r := newPlatform().look(t)
	require.Equal(t, wellText, sheet{}.lines(r))
	require.Equal(t, 0, r.exit())
}

// What is wrong is told with what shows more, and changes nothing in the other lines.
func TestEachFaultIsTold(t *testing.T) {
	const failing = `"status": "False", "reason": "KubeletNotReady"`
	for name, c := range map[string]struct {
		path, from, to string
		part, says     string
		more           string
	}{
		"a node":                  {"/api/v1/nodes", `"status": "True"`, failing, "nodes", "lke12-1 has not been ready for 12 min (KubeletNotReady)", "kubectl describe nodes"},
		"a node that is cordoned": {"/api/v1/nodes", `"name": "lke12-2"}`, `"name": "lke12-2"}, "spec": {"unschedulable": true}`, "nodes", "lke12-2 takes no pods", "kubectl describe nodes"},
		"a Deployment":            {"/apis/apps/v1/deployments", `"readyReplicas": 2`, `"readyReplicas": 1`, "workloads", "deployment site/site has 1 of 2 pods", "kubectl get deployments"},
		"a rollout": {"/apis/apps/v1/deployments", `"readyReplicas": 2`, `"readyReplicas": 2, "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "it is late"}]`,
			"workloads", "the rollout of site/site is stuck: it is late", "kubectl get deployments"},
		"a StatefulSet":      {"/apis/apps/v1/statefulsets", `"readyReplicas": 1`, `"readyReplicas": 0`, "workloads", "statefulset site/db has 0 of 1 pod", "kubectl"},
		"a DaemonSet":        {"/apis/apps/v1/daemonsets", `"numberReady": 2`, `"numberReady": 1`, "workloads", "daemonset monitoring/exporter has 1 of 2 pods", "kubectl"},
		"a pod that crashes": {"/api/v1/pods", `"state": {"running": {}}`, `"state": {"waiting": {"reason": "CrashLoopBackOff"}}`, "pods", "site/site-1 waits in CrashLoopBackOff", "kubectl get pods"},
		"a pod that crashed": {"/api/v1/pods", `"state": {"running": {}}`, `"restartCount": 3, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-07-01T11:55:00Z"}}`,
			"pods", "site/site-1 crashed 5 min ago (OOMKilled), 3 restarts in all", "kubectl get pods"},
		"a pod without a node": {"/api/v1/pods", `"phase": "Running",`, `"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes"}],`, "pods", "site/site-1 finds no node: 0/2 nodes", "kubectl get pods"},
		"a claim":              {"/api/v1/persistentvolumeclaims", "Bound", "Pending", "volumes", "site/data-0 is Pending", "kubectl get persistentvolumeclaims"},
		"an instance":          {"/apis/postgres-operator.crunchydata.com/v1/postgresclusters", `"readyReplicas": 2`, `"readyReplicas": 1`, "database", "site has 1 of 2 instances", "kubectl get postgresclusters"},
		"a backup that did not come": {"/apis/postgres-operator.crunchydata.com/v1/postgresclusters", `, {"completionTime": "2026-07-01T04:10:00Z"}`, ``, "database",
			"site has a backup 31 h ago; a differential one was due 8 h ago", "kubectl get postgresclusters,jobs"},
		"no backup at all":            {"/apis/postgres-operator.crunchydata.com/v1/postgresclusters", `Complete": true`, `Complete": false`, "database", "site has no backup", "kubectl"},
		"a certificate":               {"/apis/cert-manager.io/v1/certificates", `"status": "True"`, `"status": "False", "message": "it has expired"`, "certificates", "site/example-com is not ready: it has expired", "kubectl get certificates,challenges"},
		"a certificate that ends":     {"/apis/cert-manager.io/v1/certificates", "2026-09-01", "2026-07-05", "certificates", "site/example-com ends in 4 days", "kubectl get certificates"},
		"a renewal that did not come": {"/apis/cert-manager.io/v1/certificates", "2026-08-01", "2026-06-20", "certificates", "site/example-com should have been renewed 11 days ago, and ends in 62 days", "kubectl"},
		"an alert": {"/api/v2/alerts", `[`, `[{"labels": {"alertname": "BackupTooOld", "severity": "critical"}}, {"labels": {"alertname": "InfoInhibitor", "severity": "none"}}, `,
			"alerts", "critical: BackupTooOld", "port-forward svc/alertmanager-operated"},
		"no alert that always fires": {"/api/v2/alerts", "Watchdog", "Other", "alerts", "Watchdog, which always fires, does not", "port-forward"},

		"a cluster that is not ready": {"/v4/lke/clusters/12", "ready", "not_ready", "linode", "the cluster is not_ready", "linode-cli lke pools-list 12"},
		"a node at Linode":            {"/v4/lke/clusters/12/pools", `"status": "ready"`, `"status": "not_ready"`, "linode", "node 12-1 of pool 3 (g6-standard-4) is not_ready", "linode-cli lke pools-list 12"},
		"backends":                    {"/v4/nodebalancers/5/configs", `"up": 2, "down": 0`, `"up": 1, "down": 1`, "entrance", "NodeBalancer ccm-1: 1 of 2 backends of port 443 answer", "linode-cli nodebalancers configs-list 5"},
		"no NodeBalancer":             {"/v4/nodebalancers", `"lke12"`, `"lke14"`, "entrance", "there is no NodeBalancer", "kubectl -n ingress describe services"},
		"an event that failed":        {"/v4/account/events", `"id": 999`, `"id": 101`, "account", "linode_boot of other failed 60 min ago", "linode-cli events list"},
		"maintenance":                 {"/v4/account/maintenance", `"id": 999`, `"id": 101`, "account", "begins in 24 h", "linode-cli account maintenance-list"},
		"a notification":              {"/v4/account/notifications", "Tokyo is out of order", `Newark is out of order", "entity": {"id": "us-east", "type": "region"}}, {"message": "x`, "account", "Newark is out of order", "linode-cli account notifications-list"},

		"no active version":       {"/service/s1/details", `{"number": 12, "updated_at": "2026-06-30T12:00:00Z"}`, "null", "fastly", "no version of service lke-platform-prod is active", "fastly service-version list --service-id s1"},
		"requests that fail":      {"/stats/service/s1", `"status_5xx": 1,`, `"status_5xx": 500,`, "visitors", "5.01 % of 10000 requests failed in the last 20 min", "fastly stats realtime --service-id s1"},
		"a certificate at Fastly": {"/tls/activations", "2026-08-20", "2026-07-03", "tls", "that of example.com ends in 2 days", "fastly tls-custom activation list"},
		"none at Fastly":          {"/tls/activations", `"id": "example.com"`, `"id": "example.org"`, "tls", "Fastly shows no certificate for example.com", "fastly tls-custom"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			p.edit(t, c.path, c.from, c.to)
			r := p.look(t)
			found := r.part(t, c.part)
			require.Equal(t, wrong, found.State, found.Says)
			require.Contains(t, strings.Join(found.Says, "; "), c.says)
			require.Contains(t, found.More, c.more)
			require.Equal(t, 1, r.exit())
			require.Equal(t, 1, strings.Count(sheet{}.lines(r), "\nwrong "))
			require.Contains(t, sheet{}.lines(r), "\nwrong: "+c.part+"\n")
		})
	}
}

func TestWhatAnsweredWithARefusalIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		status int
		part   string
		says   string
	}{
		"a token that is wrong":    {"/service/s1/details", http.StatusUnauthorized, "fastly", "GET /service/s1/details is answered 401 Unauthorized; is the token right, and may it read that?"},
		"too many requests":        {"/tls/activations", http.StatusTooManyRequests, "tls", "GET /tls/activations is answered 429 Too Many Requests"},
		"statistics that are away": {"/stats/service/s1", http.StatusBadGateway, "visitors", "GET /stats/service/s1 is answered 502 Bad Gateway"},
		"no Alertmanager":          {"/api/v2/alerts", http.StatusServiceUnavailable, "alerts", "GET /api/v2/alerts is answered 503 Service Unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform()
			p.answers[c.path] = c.status
			r := p.look(t)
			require.Equal(t, unknown, r.part(t, c.part).State)
			require.Contains(t, r.part(t, c.part).Says[0], c.says)
			require.Equal(t, 2, r.exit(), "nothing is known to be wrong")
			require.Contains(t, sheet{}.lines(r), "\nunknown: "+c.part+"\n")
		})
	}
}

func TestWhatDoesNotAnswerInTimeIsUnknownAndTheRestIsShown(t *testing.T) {
	p := newPlatform()
	p.silent, p.patience = "/v4/", 2*time.Second
	p.edit(t, "/apis/apps/v1/deployments", `"readyReplicas": 2`, `"readyReplicas": 1`)
	r := p.look(t)
	for _, name := range []string{"linode", "entrance", "account"} {
		require.Equal(t, part{Name: name, State: unknown, Says: []string{"no answer within 2s"}}, r.part(t, name))
	}
	require.Contains(t, sheet{}.lines(r), "\nwrong: workloads; unknown: linode, entrance, account\n")
	require.Equal(t, 1, r.exit())
	require.Equal(t, well, r.part(t, "fastly").State)
}

func TestAnAPIThatIsOutOfReachIsUnknown(t *testing.T) {
	p := newPlatform()
	p.answers["/v4/lke/clusters/12"] = hangsUp
	r := p.look(t)
	require.Equal(t, part{Name: "linode", State: unknown, Says: []string{"no way there: EOF"}}, r.part(t, "linode"))
}

func TestAClusterThatIsGoneIsTold(t *testing.T) {
	p := newPlatform()
	delete(p.said, "/v4/lke/clusters/12")
	require.Equal(t, []string{"cluster 12 is gone"}, p.look(t).part(t, "linode").Says)
}

func TestNamesThatLeadElsewhereAreTold(t *testing.T) {
	p := newPlatform()
	p.records = map[string]string{"example.com.": "203.0.113.1"}
	r := p.look(t)
	require.Equal(t, part{Name: "names", State: wrong, More: "make drift STACK=prod", Says: []string{
		"example.com A is 203.0.113.1 in place of 151.101.2.132", "origin.example.com A is missing in place of 192.0.2.9",
	}}, r.part(t, "names"))

	p = newPlatform()
	p.outputs = strings.Replace(p.outputs, "}", `, "dnsRecords": [{"zone": "example.org", "name": "www.example.org", "type": "A", "values": ["151.101.2.132"]}]}`, 1)
	r = p.look(t)
	require.Equal(t, "make records STACK=prod", r.part(t, "names").More)
	require.Equal(t, []string{"www.example.org A is missing in place of 151.101.2.132"}, r.part(t, "names").Says)
	require.Equal(t, []string{"Fastly shows no certificate for www.example.org"}, r.part(t, "tls").Says)
}

func TestAStackMayDoWithoutFastlyAndADatabase(t *testing.T) {
	p := newPlatform()
	p.outputs = strings.Replace(p.outputs, `, "fastlyServiceId": "s1"`, "", 1)
	delete(p.said, "/apis/postgres-operator.crunchydata.com/v1/postgresclusters")
	r := p.look(t)
	for name, says := range map[string]string{
		"database": "the stack has none of its own", "fastly": "the stack does without Fastly", "visitors": "the stack does without Fastly",
		"tls": "the stack does without Fastly",
	} {
		require.Equal(t, part{Name: name, State: absent, Says: []string{says}}, r.part(t, name))
	}
	require.Equal(t, 0, r.exit())
}

// During a bypass Fastly may be down, and is not asked.
func TestNothingOfFastlyIsAskedDuringABypass(t *testing.T) {
	p := newPlatform()
	p.state = strings.Replace(p.state, "151.101.2.132", "192.0.2.9", 1)
	p.records["example.com."] = "192.0.2.9"
	p.silent = "/service"
	r := p.look(t)
	for _, name := range []string{"fastly", "visitors", "tls"} {
		require.Equal(t, absent, r.part(t, name).State)
	}
	require.Equal(t, []string{"all lead to the NodeBalancer (1)"}, r.part(t, "names").Says)
	require.Equal(t, 0, r.exit())
}

func TestAllServicesAreLookedAt(t *testing.T) {
	p := newPlatform()
	p.outputs = strings.Replace(p.outputs, "}", `, "fastlyServiceIds": {"shop": "s2"}}`, 1)
	p.said["/service/s2/details"] = strings.Replace(p.said["/service/s1/details"], "prod", "prod-shop", 1)
	p.said["/stats/service/s2"] = `{"data": [{"requests": 10000, "status_5xx": 0}]}`
	r := p.look(t)
	require.Contains(t, r.part(t, "fastly").Says[0], "; version 12 of lke-platform-prod-shop is active")
	require.Contains(t, r.part(t, "visitors").Says[0], "0.01 % of 20000 requests failed")
	delete(p.said, "/service/s2/details")
	require.Equal(t, []string{"service s2 is gone"}, p.look(t).part(t, "fastly").Says)
}

func TestWhatARunLeftIsTold(t *testing.T) {
	p := newPlatform()
	p.state = strings.Replace(p.state, `"pending_operations": []`, `"pending_operations": [{}, {}]`, 1)
	require.Equal(t, part{
		Name: "state", State: wrong, Says: []string{"a run was killed while it made 2 resources"}, More: "make heal STACK=prod",
	}, p.look(t).part(t, "state"))
}

func TestNothingIsKnownWithoutPulumi(t *testing.T) {
	p := newPlatform()
	p.state = ""
	r := p.look(t)
	require.Equal(t, unknown, r.part(t, "state").State)
	require.Contains(t, r.part(t, "state").Says[0], "no stack named prod")
	require.Equal(t, []string{errNotTold.Error()}, r.part(t, "alerts").Says)
	require.Equal(t, 2, r.exit())
}

// A stack that was never brought up has outputs of nothing.
func TestAStackThatIsNotUpHasNoCluster(t *testing.T) {
	p := newPlatform()
	p.outputs, p.state = "{}", `{"deployment": {}}`
	r := p.look(t)
	require.Equal(t, part{
		Name: "state", State: wrong, Says: []string{"there is no cluster yet, or no more"}, More: "make up STACK=prod",
	}, r.part(t, "state"))
	require.Equal(t, unknown, r.part(t, "pods").State)
	require.Equal(t, 1, r.exit())
}

func TestTheReportIsJSONToo(t *testing.T) {
	p := newPlatform()
	p.edit(t, "/api/v1/persistentvolumeclaims", "Bound", "Lost")
	var out strings.Builder
	require.NoError(t, writeJSON(&out, p.look(t)))
	var told struct {
		Stack, State string
		Parts        []struct {
			Name, State, More string
			Says              []string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out.String()), &told))
	require.Equal(t, "wrong", told.State)
	require.Len(t, told.Parts, len(parts))
	require.Equal(t, []string{"site/data-0 is Lost"}, told.Parts[4].Says)
}

// On a narrow terminal lines are broken between words, and each still begins with its part.
func TestLinesFitTheTerminal(t *testing.T) {
	r := &report{Stack: "prod", State: wrong, Parts: []part{
		{Name: "pods", State: wrong, Says: []string{"one waits", "two waits", "three waits", "four\nwaits", "five waits"}, More: "kubectl get pods --all-namespaces"},
	}}
	require.Contains(t, sheet{}.lines(r), "wrong    pods          one waits; two waits; three waits; and 2 more → kubectl get pods --all-namespaces\n")
	for _, width := range []int{30, 64} {
		text := sheet{width: width}.lines(r)
		for line := range strings.Lines(text) {
			require.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), width, line)
		}
		require.Contains(t, text, "\nwrong    pods")
	}
	require.Contains(t, sheet{colour: true}.lines(r), "\x1b[31mwrong  \x1b[0m  pods")
	require.NotContains(t, sheet{}.lines(r), "\x1b")
}
