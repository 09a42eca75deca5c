package tests

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/cdn"
)

const (
	syncCronJobType = "kubernetes:batch/v1:CronJob"
	syncJobType     = "kubernetes:batch/v1:Job"
	syncSecretType  = "kubernetes:core/v1:Secret"
	syncService     = "fastly:index/serviceVcl:ServiceVcl"
	syncRecord      = "linode:index/domainRecord:DomainRecord"
)

// syncedCertificates are arguments with two domains.
func syncedCertificates() *cdn.CertificateSyncArgs {
	tls := cdn.TLSDefaults()
	tls.Image = "ghcr.io/example/certsync:v1"
	return &cdn.CertificateSyncArgs{
		TLS: tls, Stack: "lke-platform-test", Namespace: pulumi.String("web"),
		Certificates: pulumi.StringMap{
			"example.fm": pulumi.String("example-fm-tls"), "example.com": pulumi.String("example-com-tls"),
		},
		Names:      []string{"example.com", "www.example.com", "example.fm"},
		TokenValue: pulumi.String(secret),
	}
}

// synced declares what copies certificates, between a service and a record.
func synced(t *testing.T, args *cdn.CertificateSyncArgs) *graph {
	t.Helper()
	g := &graph{resources: map[string]*node{}}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		service := &pulumi.CustomResourceState{}
		if err := ctx.RegisterResource(syncService, "service", pulumi.Map{}, service); err != nil {
			return err
		}
		if args.ServiceIDs == nil {
			args.ServiceIDs = pulumi.StringArray{service.ID()}
		}
		sync, err := cdn.NewCertificateSync(ctx, "certsync", args)
		if err != nil {
			return err
		}
		record := &pulumi.CustomResourceState{}
		return ctx.RegisterResource(syncRecord, "record", pulumi.Map{}, record, pulumi.DependsOn(sync.Ready))
	}, pulumi.WithMocks(projectName, "test", g)))
	return g
}

func TestOneRunOfCertsyncIsAwaitedAndOthersFollow(t *testing.T) {
	t.Parallel()
	g := synced(t, syncedCertificates())
	require.True(t, g.waitsFor(syncRecord+" record", syncJobType+" certsync"), "what comes after finds the certificates at Fastly")
	require.True(t, g.waitsFor(syncJobType+" certsync", syncService+" service"), "Fastly activates names of an active service only")
	require.False(t, g.waitsFor(syncCronJobType+" certsync", syncJobType+" certsync"))

	cron := g.find(t, syncCronJobType, "certsync").inputs.Mappable()
	require.Equal(t, "certsync", inside(t, cron, "metadata", "name"), "the alert rules know it by its name")
	spec := inside(t, cron, "spec")
	require.Equal(t, "17 */6 * * *", inside(t, spec, "schedule"))
	require.Equal(t, "Forbid", inside(t, spec, "concurrencyPolicy"))
	require.Equal(t, 600.0, inside(t, spec, "startingDeadlineSeconds"))
	scheduled := inside(t, spec, "jobTemplate", "spec")
	job := g.find(t, syncJobType, "certsync").inputs.Mappable()
	once := inside(t, job, "spec")
	require.Equal(t, inside(t, scheduled, "template"), inside(t, once, "template"), "both run the same")
	require.NotContains(t, once, "ttlSecondsAfterFinished", "a Job that goes would be made again")
	require.Contains(t, scheduled, "ttlSecondsAfterFinished")
	require.Less(t, inside(t, scheduled, "activeDeadlineSeconds"), 1800.0, "CertsyncFailing takes a run for failed after 30 minutes")
	require.Equal(t, map[string]any{"pulumi.com/replaceUnready": "true", "pulumi.com/timeoutSeconds": "1380"},
		inside(t, job, "metadata", "annotations"), "a run that failed is made again")
}

func TestCertsyncHasNoMoreRightsThanItNeeds(t *testing.T) {
	t.Parallel()
	g := synced(t, syncedCertificates())
	pod := inside(t, g.find(t, syncJobType, "certsync").inputs.Mappable(), "spec", "template", "spec")
	require.Equal(t, false, inside(t, pod, "automountServiceAccountToken"))
	require.Equal(t, "Never", inside(t, pod, "restartPolicy"))
	require.Equal(t, true, inside(t, pod, "securityContext", "runAsNonRoot"))
	require.Equal(t, "RuntimeDefault", inside(t, pod, "securityContext", "seccompProfile", "type"))
	container := inside(t, pod, "containers").([]any)[0]
	require.Equal(t, map[string]any{
		"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}},
	}, inside(t, container, "securityContext"))
	require.Equal(t, []any{
		"sync", "--stack=lke-platform-test", "--certificates=/certificates", "--names=example.com,example.fm,www.example.com",
		"--timeout=10m",
	}, inside(t, container, "args"))
	require.Equal(t, []any{map[string]any{"name": "certificates", "mountPath": "/certificates", "readOnly": true}},
		inside(t, container, "volumeMounts"))

	volume := inside(t, inside(t, pod, "volumes").([]any)[0], "projected")
	folder := func(domain, secretName string) any {
		return map[string]any{"secret": map[string]any{"name": secretName, "items": []any{
			map[string]any{"key": "tls.crt", "path": domain + "/tls.crt"}, map[string]any{"key": "tls.key", "path": domain + "/tls.key"},
		}}}
	}
	require.Equal(t, []any{folder("example.com", "example-com-tls"), folder("example.fm", "example-fm-tls")},
		inside(t, volume, "sources"))
	require.Equal(t, float64(0o440), inside(t, volume, "defaultMode"), "keys are for the container's group only")
}

func TestTheFastlyTokenIsInOneSecretOnly(t *testing.T) {
	t.Parallel()
	g := synced(t, syncedCertificates())
	for key, node := range g.resources {
		if key != syncSecretType+" certsync" {
			require.NotContains(t, resource.NewProperty(node.inputs).String(), secret, key)
		}
	}
	declared := g.find(t, syncSecretType, "certsync").inputs.Mappable()
	require.Equal(t, "certsync", inside(t, declared, "metadata", "name"), "with a new token, the runs stay the same")
	data := plain(g.find(t, syncSecretType, "certsync").inputs["stringData"]).ObjectValue()
	require.Equal(t, secret, plain(data["token"]).StringValue())
	pod := inside(t, g.find(t, syncJobType, "certsync").inputs.Mappable(), "spec", "template", "spec")
	require.Equal(t, []any{map[string]any{"name": "FASTLY_API_KEY", "valueFrom": map[string]any{
		"secretKeyRef": map[string]any{"name": "certsync-1a2b3c4d", "key": "token"},
	}}}, inside(t, inside(t, pod, "containers").([]any)[0], "env"))
}

func TestAChangeIsAnotherRunOfCertsync(t *testing.T) {
	t.Parallel()
	jobName := func(change func(*cdn.CertificateSyncArgs)) string {
		args := syncedCertificates()
		change(args)
		return inside(t, synced(t, args).find(t, syncJobType, "certsync").inputs.Mappable(), "metadata", "name").(string)
	}
	first := jobName(func(*cdn.CertificateSyncArgs) {})
	require.Regexp(t, `^certsync-[0-9a-f]{10}$`, first)
	require.Equal(t, first, jobName(func(a *cdn.CertificateSyncArgs) { a.TokenValue = pulumi.String("another") }))
	for what, change := range map[string]func(*cdn.CertificateSyncArgs){
		"image":         func(a *cdn.CertificateSyncArgs) { a.Image = "ghcr.io/example/certsync:v2" },
		"configuration": func(a *cdn.CertificateSyncArgs) { a.Configuration = "TLSCONF" },
		"names":         func(a *cdn.CertificateSyncArgs) { a.Names = append(a.Names, "example.org") },
		"service":       func(a *cdn.CertificateSyncArgs) { a.ServiceIDs = pulumi.StringArray{pulumi.String("another")} },
		"domains":       func(a *cdn.CertificateSyncArgs) { a.Certificates["example.org"] = pulumi.String("example-org-tls") },
	} {
		require.NotEqual(t, first, jobName(change), what)
	}
}

func TestTLSSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*cdn.TLS)
		fault  string
	}{
		"no image":        {func(t *cdn.TLS) { t.Image = "" }, "cdn.tls.image: Required"},
		"no image at all": {func(t *cdn.TLS) { t.Image = "Not An Image" }, "invalid reference format"},
		"no tag":          {func(t *cdn.TLS) { t.Image = "ghcr.io/example/certsync" }, "a tag other than latest"},
		"a tag that moves": {func(t *cdn.TLS) { t.Image = "ghcr.io/example/certsync:latest" },
			"a tag other than latest"},
		"no token":             {func(t *cdn.TLS) { t.Token = "" }, "cdn.tls.token: Required"},
		"no ID":                {func(t *cdn.TLS) { t.Configuration = "HTTP/3 & TLS v1.3" }, "cdn.tls.configuration: Invalid"},
		"a tag of its own":     {func(t *cdn.TLS) { t.Image = "registry:5000/certsync:v1" }, ""},
		"a digest":             {func(t *cdn.TLS) { t.Image = "certsync" + digest }, ""},
		"a TLS configuration":  {func(t *cdn.TLS) { t.Configuration = "t7CguUGZzb2W9Euo5FoKa" }, ""},
		"the default settings": {func(*cdn.TLS) {}, ""},
	} {
		tls := syncedCertificates().TLS
		c.change(&tls)
		faults := tls.Validate(field.NewPath("cdn", "tls"))
		if c.fault == "" {
			require.Empty(t, faults, name)
			continue
		}
		require.Len(t, faults, 1, name)
		require.Contains(t, faults[0].Error(), c.fault, name)
	}
	require.Equal(t, []string{"fastly-tls-token"}, (&cdn.TLS{Token: "fastly-tls-token"}).SecretNames())
}
