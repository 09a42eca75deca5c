package tests

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/cdn"
)

const bucketHost = "site-media.us-east-1.linodeobjects.com"

// cdnArgs is a service that uses all there is.
func cdnArgs(t *testing.T) *cdn.Args {
	t.Helper()
	args := cdn.Defaults()
	args.Name, args.Domains, args.OriginHost = "site", []string{"example.com", "*.example.com"}, "origin.example.com"
	args.Origin.Shield = "lga-ny-us"
	args.MediaHost = pulumi.String(bucketHost).ToStringOutput()
	args.Media = &cdn.Media{Hosts: []string{"cdn.example.com", "files.example.com"}, Shield: "iad-va-us"}
	args.Redirects = map[string]string{"www.example.com": "example.com"}
	args.CrossOrigin = []string{"example.com"}
	args.Logs = cdn.Logs{
		S3: []cdn.S3Logs{{AccessKey: "logs-access-key", SecretKey: "logs-secret-key",
			Buckets: map[string]string{"/uploads/podcast/": "logs-podcast", "/uploads/gotime/": "logs-gotime"}}},
		HTTPS: []cdn.HTTPSLogs{{Name: "honeycomb", URL: "https://api.honeycomb.io/1/batch/site", Header: "X-Honeycomb-Team", Token: "honeycomb"}},
	}
	args.Folder = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(args.Folder, "embed.vcl"), []byte("# embed\n"), 0o600))
	args.Snippets = []cdn.Snippet{{Name: "embed", Type: "recv", File: "embed.vcl"}}
	args.TLS.Image = "ghcr.io/example/certsync:v1"
	values := pulumi.StringMap{}
	for _, name := range args.SecretNames() {
		values[name] = pulumi.String(secret + " " + name)
	}
	args.SecretValues = values
	return &args
}

// declareCDN returns the inputs of the service.
func declareCDN(t *testing.T, args *cdn.Args) *node {
	t.Helper()
	return declare(t, func(ctx *pulumi.Context) error {
		_, err := cdn.New(ctx, "cdn", args)
		return err
	}).find(t, serviceVclType, "cdn")
}

// cdnBlocks returns the blocks of a kind by their names.
func cdnBlocks(service *node, kind resource.PropertyKey) map[string]resource.PropertyMap {
	blocks := map[string]resource.PropertyMap{}
	for _, block := range plain(service.inputs[kind]).ArrayValue() {
		blocks[plain(block).ObjectValue()["name"].StringValue()] = plain(block).ObjectValue()
	}
	return blocks
}

func TestEveryServerOfTheCDNIsVerifiedAgainstTheRightName(t *testing.T) {
	t.Parallel()
	backends := cdnBlocks(declareCDN(t, cdnArgs(t)), "backends")
	for name, host := range map[string]string{"origin": "origin.example.com", "media": bucketHost} {
		require.True(t, backends[name]["useSsl"].BoolValue())
		require.True(t, backends[name]["sslCheckCert"].BoolValue())
		for _, property := range []resource.PropertyKey{"address", "sslCertHostname", "sslSniHostname"} {
			require.Equal(t, host, backends[name][property].StringValue(), "%s of %s", property, name)
		}
	}
	require.NotContains(t, backends["origin"], resource.PropertyKey("overrideHost"), "the origin routes by the visitor's Host")
	require.Equal(t, bucketHost, backends["media"]["overrideHost"].StringValue(), "object storage finds the bucket by its Host")
	require.Equal(t, "lga-ny-us", backends["origin"]["shield"].StringValue())
	require.Equal(t, "iad-va-us", backends["media"]["shield"].StringValue())

	args := cdnArgs(t)
	args.Media.Address, args.Media.Shield = "assets.s3.amazonaws.com", ""
	media := cdnBlocks(declareCDN(t, args), "backends")["media"]
	require.Equal(t, "assets.s3.amazonaws.com", media["sslCertHostname"].StringValue())
	require.Equal(t, "lga-ny-us", media["shield"].StringValue(), "no bucket is without a shield")
}

func TestHostsOfMediaGoToTheBucket(t *testing.T) {
	t.Parallel()
	service := declareCDN(t, cdnArgs(t))
	condition := cdnBlocks(service, "conditions")[cdnBlocks(service, "backends")["media"]["requestCondition"].StringValue()]
	require.Equal(t, "REQUEST", condition["type"].StringValue())
	require.Equal(t, `req.http.Host == "cdn.example.com" || req.http.Host == "files.example.com"`, condition["statement"].StringValue())
	require.NotContains(t, cdnBlocks(service, "backends")["origin"], resource.PropertyKey("requestCondition"))
}

// A further server is not shown what the origin knows the platform's Fastly service by.
func TestFurtherBackendsAreAskedByTheirOwnNames(t *testing.T) {
	t.Parallel()
	args := cdnArgs(t)
	args.ClientCertificate, args.ClientKey = pulumi.String("certificate"), pulumi.String("key")
	args.Backends = []cdn.Backend{
		{Name: "old", Address: "old.example.net", Hosts: []string{"old.example.com"}, Paths: []string{"example.com/blog/"},
			Timeouts: cdn.Timeouts{FirstByte: "1m"}},
		{Name: "archive", Address: "archive.example.net", Paths: []string{"example.com/a"}, Public: true, KeepHost: true, Shield: "iad-va-us"},
	}
	service := declareCDN(t, args)
	backends, conditions := cdnBlocks(service, "backends"), cdnBlocks(service, "conditions")
	for name, wanted := range map[string]struct{ address, shield, statement string }{
		"old": {"old.example.net", "lga-ny-us", `req.http.Host == "old.example.com" || ` +
			`(req.http.Host == "example.com" && (req.url.path == "/blog" || std.prefixof(req.url.path, "/blog/")))`},
		"archive": {"archive.example.net", "iad-va-us",
			`(req.http.Host == "example.com" && (req.url.path == "/a" || std.prefixof(req.url.path, "/a/")))`},
	} {
		backend := backends[name]
		require.True(t, backend["sslCheckCert"].BoolValue())
		for _, property := range []resource.PropertyKey{"address", "sslCertHostname", "sslSniHostname"} {
			require.Equal(t, wanted.address, backend[property].StringValue(), "%s of %s", property, name)
		}
		require.Equal(t, wanted.shield, backend["shield"].StringValue())
		require.NotContains(t, backend, resource.PropertyKey("sslClientKey"))
		require.Equal(t, wanted.statement, conditions[backend["requestCondition"].StringValue()]["statement"].StringValue())
	}
	require.Equal(t, "old.example.net", backends["old"]["overrideHost"].StringValue())
	require.NotContains(t, backends["archive"], resource.PropertyKey("overrideHost"), "it hears the visitor's")
	require.InDelta(t, 60_000, backends["old"]["firstByteTimeout"].NumberValue(), 0)
	require.InDelta(t, 2_000, backends["old"]["connectTimeout"].NumberValue(), 0)
	require.Contains(t, backends["origin"], resource.PropertyKey("sslClientKey"))
}

func TestEveryFaultOfABackendIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(*cdn.Backend)
		fault string
	}{
		"no name":               {func(b *cdn.Backend) { b.Name = "" }, `cdn.backends[1].name: Invalid value: ""`},
		"the origin's name":     {func(b *cdn.Backend) { b.Name = "origin" }, `cdn.backends[1].name: Duplicate value: "origin"`},
		"the name of another":   {func(b *cdn.Backend) { b.Name = "old" }, `cdn.backends[1].name: Duplicate value: "old"`},
		"a URL":                 {func(b *cdn.Backend) { b.Address = "https://a.example.net" }, "cdn.backends[1].address: Invalid value"},
		"a port":                {func(b *cdn.Backend) { b.Address = "a.example.net:8443" }, "cdn.backends[1].address: Invalid value"},
		"nothing to answer":     {func(b *cdn.Backend) { b.Paths = nil }, "cdn.backends[1].hosts: Required value"},
		"a host elsewhere":      {func(b *cdn.Backend) { b.Hosts = []string{"a.example.org"} }, "cdn.backends[1].hosts[0]: Invalid value"},
		"a host of another":     {func(b *cdn.Backend) { b.Hosts = []string{"old.example.com"} }, "cdn.backends[1].hosts[0]: Duplicate value"},
		"a host of media":       {func(b *cdn.Backend) { b.Hosts = []string{"cdn.example.com"} }, "cdn.backends[1].hosts[0]: Duplicate value"},
		"a host that leads on":  {func(b *cdn.Backend) { b.Hosts = []string{"www.example.com"} }, "cdn.backends[1].hosts[0]: Duplicate value"},
		"a path without host":   {func(b *cdn.Backend) { b.Paths = []string{"/archive"} }, `cdn.backends[1].paths[0]: Invalid value: ""`},
		"a whole host":          {func(b *cdn.Backend) { b.Paths = []string{"example.com/"} }, `cdn.backends[1].paths[0]: Invalid value: "example.com/": must be`},
		"VCL":                   {func(b *cdn.Backend) { b.Paths = []string{`example.com/a"`} }, "cdn.backends[1].paths[0]: Invalid value"},
		"a pattern":             {func(b *cdn.Backend) { b.Paths = []string{"example.com/a*"} }, "cdn.backends[1].paths[0]: Invalid value"},
		"a path that leads on":  {func(b *cdn.Backend) { b.Paths = []string{"www.example.com/a"} }, "redirects leads the whole host"},
		"a path of another":     {func(b *cdn.Backend) { b.Paths = []string{"example.com/blog"} }, "has requests in common with example.com/blog/"},
		"a path below another":  {func(b *cdn.Backend) { b.Paths = []string{"example.com/blog/a"} }, "has requests in common with example.com/blog/"},
		"a path above another":  {func(b *cdn.Backend) { b.Paths = []string{"example.com/a", "example.com/a/b"} }, "cdn.backends[1].paths[1]: Invalid value"},
		"patience without unit": {func(b *cdn.Backend) { b.Timeouts.Connect = "10" }, "cdn.backends[1].timeouts.connect: Invalid value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := cdnArgs(t)
			args.Backends = []cdn.Backend{
				{Name: "old", Address: "old.example.net", Hosts: []string{"old.example.com"}, Paths: []string{"example.com/blog/"}},
				{Name: "archive", Address: "archive.example.net", Paths: []string{"example.com/blog2"}},
			}
			require.Empty(t, args.Validate(field.NewPath("cdn")))
			test.edit(&args.Backends[1])
			require.ErrorContains(t, args.Validate(field.NewPath("cdn")).ToAggregate(), test.fault)
		})
	}
}

func TestHealthChecksCannotFloodTheOrigin(t *testing.T) {
	t.Parallel()
	args := cdnArgs(t)
	health := cdnBlocks(declareCDN(t, args), "healthchecks")["origin health"]
	require.InDelta(t, 60_000, health["checkInterval"].NumberValue(), 0)
	require.Equal(t, "example.com", health["host"].StringValue())

	args.Origin.HealthInterval = "40s"
	require.Empty(t, args.Validate(nil), "200 machines in 40 seconds are five requests a second")
	args.Origin.HealthInterval = "39s"
	require.ErrorContains(t, args.Validate(field.NewPath("cdn")).ToAggregate(),
		`cdn.origin.healthInterval: Invalid value: "39s": about 200 machines of Fastly ask for themselves, which makes 6 requests`)
}

func TestOneLineOfTheStackFileIsALogOfItsOwn(t *testing.T) {
	t.Parallel()
	service := declareCDN(t, cdnArgs(t))
	logs, conditions := cdnBlocks(service, "loggingS3s"), cdnBlocks(service, "conditions")
	require.Len(t, logs, 2)
	log := logs["uploads-podcast to logs-podcast"]
	require.Equal(t, "logs-podcast", log["bucketName"].StringValue())
	condition := conditions[log["responseCondition"].StringValue()]
	require.Equal(t, "RESPONSE", condition["type"].StringValue())
	require.Equal(t, `fastly.ff.visits_this_service == 0 && !segmented_caching.is_inner_req && std.prefixof(req.url, "/uploads/podcast/")`,
		condition["statement"].StringValue())
	require.True(t, strings.HasPrefix(log["format"].StringValue(), `%h,%t,%U,%b,%>s,"%{User-Agent}i",`), "what the app counts from")

	https := cdnBlocks(service, "loggingHttps")["honeycomb"]
	require.Equal(t, "X-Honeycomb-Team", https["headerName"].StringValue())
	require.Contains(t, conditions, https["responseCondition"].StringValue())
}

func TestSecretsOfLogsStaySecret(t *testing.T) {
	t.Parallel()
	args := cdnArgs(t)
	require.Equal(t, []string{"fastly-tls-token", "honeycomb", "logs-access-key", "logs-secret-key"}, args.SecretNames())
	service := declareCDN(t, args)
	for kind, properties := range map[resource.PropertyKey][]resource.PropertyKey{
		"loggingS3s": {"s3AccessKey", "s3SecretKey"}, "loggingHttps": {"headerValue"},
	} {
		for name, log := range cdnBlocks(service, kind) {
			for _, property := range properties {
				require.True(t, log[property].IsSecret(), "%s of %s", property, name)
				require.Contains(t, plain(log[property]).StringValue(), secret)
			}
		}
	}
	require.Contains(t, service.request.GetAdditionalSecretOutputs(), "loggingHttps", "the provider does not know that a header may be")
	shown := service.inputs.Copy()
	delete(shown, "loggingS3s")
	delete(shown, "loggingHttps")
	require.NotContains(t, fmt.Sprint(shown), secret)
}

// Neither the program nor the snippet tells a password, and of the snippet not even its hash is shown.
func TestPasswordsStaySecret(t *testing.T) {
	t.Parallel()
	args := cdnArgs(t)
	args.BasicAuth = map[string]string{"alice": "gate", "bob": "gate"}
	require.Contains(t, args.SecretNames(), "gate")
	values := args.SecretValues.(pulumi.StringMap)
	values["gate"] = pulumi.String("sixteen-letters!")
	service := declareCDN(t, args)
	content := cdnBlocks(service, "snippets")["passwords"]["content"]
	require.True(t, content.IsSecret())
	hash := sha256.Sum256([]byte("site " + base64.StdEncoding.EncodeToString([]byte("alice:sixteen-letters!"))))
	require.Contains(t, plain(content).StringValue(), fmt.Sprintf("  \"%x\": \"alice\",\n", hash))
	require.Equal(t, 2, strings.Count(plain(content).StringValue(), "\n  "), "one for each user, though the password is the same")
	require.NotContains(t, plain(content).StringValue(), "sixteen")
	require.Contains(t, service.request.GetAdditionalSecretOutputs(), "snippets")
	require.NotContains(t, cdnBlocks(service, "vcls")["main"]["content"].StringValue(), fmt.Sprintf("%x", hash))

	require.NotContains(t, declareCDN(t, cdnArgs(t)).request.GetAdditionalSecretOutputs(), "snippets", "files of the project are none")
	values["gate"] = pulumi.String("fifteen-letters")
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := cdn.New(ctx, "cdn", args)
		return err
	}, pulumi.WithMocks(projectName, "test", &graph{resources: map[string]*node{}}))
	require.ErrorContains(t, err, "cdn.basicAuth[alice]: the password must have 16 characters at least")
}

func TestTheVCLHoldsWhatTheStackFileSays(t *testing.T) {
	t.Parallel()
	args := cdnArgs(t)
	args.Cache = cdn.Cache{TTL: "2h", StaleWhileRevalidate: "30s", StaleIfError: "168h"}
	args.ErrorPage = "error.html"
	require.NoError(t, os.WriteFile(filepath.Join(args.Folder, args.ErrorPage), []byte("<h1>Sorry</h1>\n"), 0o600))
	service := declareCDN(t, args)
	main := cdnBlocks(service, "vcls")["main"]
	require.True(t, main["main"].BoolValue())
	program := main["content"].StringValue()
	for _, text := range []string{
		`"www.example.com": "example.com",`, "set beresp.ttl = 7200s;", "set beresp.ttl = 3600s;",
		"set beresp.stale_while_revalidate = 30s;", "set beresp.stale_if_error = 604800s;", `"max-age=86400"`,
		"Fastly-Purge-Requires-Auth", base64.StdEncoding.EncodeToString([]byte("<h1>Sorry</h1>\n")),
		`req.http.Host == "cdn.example.com" || req.http.Host == "files.example.com" || req.http.Host == "example.com"`,
	} {
		require.Contains(t, program, text)
	}
	for _, macro := range []string{"recv", "hash", "hit", "miss", "pass", "fetch", "error", "deliver", "log"} {
		require.Equal(t, 1, strings.Count(program, "#FASTLY "+macro+"\n"), "without it Fastly leaves out what it generates for %s", macro)
	}
	require.NotContains(t, program, `X-Fastly-Imageopto-Api = `)
	require.NotContains(t, program, "upgrade")
	require.Equal(t, "# embed\n", cdnBlocks(service, "snippets")["embed"]["content"].StringValue())

	least := cdn.Defaults()
	least.Domains, least.OriginHost, least.Origin.Shield = []string{"example.com"}, "origin.example.com", "lga-ny-us"
	least.HSTS, least.OpenPurge, least.ImageOptimizer = "0s", true, true
	service = declareCDN(t, &least)
	program = cdnBlocks(service, "vcls")["main"]["content"].StringValue()
	for _, text := range []string{"redirects", "Amz-Meta", "X-Fastly-Imageopto-Api = ", "Requires-Auth", "Access-Control", "618", "()", "&& !)"} {
		require.NotContains(t, strings.Replace(program, "uuid.version4()", "", 1), text)
	}
	require.Len(t, cdnBlocks(service, "backends"), 1)
}

// Each case is one edit of the configuration and the fault that it has to be told of.
func TestEveryFaultOfTheCDNIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(*cdn.Args)
		fault string
	}{
		"no shield":             {func(a *cdn.Args) { a.Origin.Shield = "" }, "cdn.origin.shield: Required value"},
		"no path":               {func(a *cdn.Args) { a.Origin.HealthPath = "health" }, `cdn.origin.healthPath: Invalid value: "health"`},
		"no patience":           {func(a *cdn.Args) { a.Origin.Timeouts.FirstByte = "10" }, `cdn.origin.timeouts.firstByte: Invalid value: "10": must be a duration`},
		"a path with VCL in it": {func(a *cdn.Args) { a.Origin.HealthPath = `/"` }, `cdn.origin.healthPath: Invalid value: "/\""`},
		"no connection":         {func(a *cdn.Args) { a.Origin.MaxConn = 0 }, "cdn.origin.maxConn: Invalid value: 0"},
		"a page of no host":     {leads("/blog", "/a"), `cdn.pageRedirects[0].from: Invalid value: "/blog"`},
		"a page of others":      {leads("other.org/blog", "/a"), `cdn.pageRedirects[0].from: Invalid value: "other.org": is none of the names`},
		"a page with VCL":       {leads(`example.com/"x`, "/a"), "cdn.pageRedirects[0].from: Invalid value"},
		"a page twice": {func(a *cdn.Args) {
			leads("example.com/a", "/b")(a)
			leads("example.com/a", "/c")(a)
		}, `cdn.pageRedirects[1].from: Duplicate value: "example.com/a"`},
		"to plain HTTP":                {leads("example.com/a", "http://example.com/b"), "cdn.pageRedirects[0].to: Invalid value"},
		"to a host with VCL":           {leads("example.com/a", `https://b"/`), "cdn.pageRedirects[0].to: Invalid value"},
		"to a host that goes on":       {leads("example.com/a/*", "https://example.org*"), "cdn.pageRedirects[0].to: Invalid value"},
		"to what nothing stood in for": {leads("example.com/a", "/b/*"), `cdn.pageRedirects[0].to: Invalid value: "/b/*": has an asterisk`},
		"to itself":                    {leads("example.com/a/*", "/a/b"), `cdn.pageRedirects[0].to: Invalid value: "/a/b": leads to what is led on`},
		"to itself with all below":     {leads("example.com/*", "https://example.com/new/*"), "leads to what is led on"},
		"in a circle of two": {func(a *cdn.Args) {
			leads("example.com/a/*", "/b/*")(a)
			leads("example.com/b/x/*", "/a/x/*")(a)
		}, `cdn.pageRedirects[0].to: Invalid value: "/b/*": leads to what is led on`},
		"to a host that is led on": {leads("example.com/a", "https://www.example.com/"), "leads to what is led on"},
		"a status that does not lead": {func(a *cdn.Args) {
			a.PageRedirects = []cdn.PageRedirect{{From: "example.com/a", To: "/b", Status: 200}}
		}, "cdn.pageRedirects[0].status: Invalid value: 200"},
		"a header of two lines":     {sets("X-A", "a\nb"), "cdn.headers[0].set[X-A]: Invalid value"},
		"a header that ends a text": {sets("X-A", `a"};b`), "cdn.headers[0].set[X-A]: Invalid value"},
		"a header of no name":       {sets("X A", "a"), "cdn.headers[0].set[X A]: Invalid value"},
		"a header of another key":   {sets("Strict-Transport-Security", "a"), "cdn.headers[0].set[Strict-Transport-Security]: Forbidden"},
		"a header of Fastly's":      {func(a *cdn.Args) { a.Headers = []cdn.Headers{{Remove: []string{"Fastly-FF"}}} }, "cdn.headers[0].remove[0]: Forbidden"},
		"headers that are none":     {func(a *cdn.Args) { a.Headers = []cdn.Headers{{For: "example.com/*"}} }, "cdn.headers[0].set: Required value"},
		"headers of others":         {func(a *cdn.Args) { a.Headers = []cdn.Headers{{For: "other.org/*", Remove: []string{"X-A"}}} }, "cdn.headers[0].for: Invalid value"},

		"a session with a space":  {func(a *cdn.Args) { a.SessionCookies = []string{"a b"} }, `cdn.sessionCookies[0]: Invalid value: "a b"`},
		"a session with VCL":      {func(a *cdn.Args) { a.SessionCookies = []string{`a"`} }, `cdn.sessionCookies[0]: Invalid value: "a\""`},
		"a session without name":  {func(a *cdn.Args) { a.SessionCookies = []string{""} }, `cdn.sessionCookies[0]: Invalid value: ""`},
		"two sessions alike":      {func(a *cdn.Args) { a.SessionCookies = []string{"a", "a"} }, `cdn.sessionCookies[1]: Duplicate value: "a"`},
		"media for half a second": {func(a *cdn.Args) { a.Media.TTL = "500ms" }, `cdn.media.ttl: Invalid value: "500ms": must be whole seconds`},
		"no error page":           {func(a *cdn.Args) { a.ErrorPage = "err.html" }, `cdn.errorPage: Invalid value: "err.html": there is no such file`},
		"too much patience":       {func(a *cdn.Args) { a.Origin.Timeouts.Connect = "1h" }, `cdn.origin.timeouts.connect: Invalid value: "1h"`},
		"a backend without host":  {func(a *cdn.Args) { a.Media.Hosts = nil }, "cdn.media.hosts: Required value"},
		"two hosts alike":         {func(a *cdn.Args) { a.Media.Hosts[1] = a.Media.Hosts[0] }, `cdn.media.hosts[1]: Duplicate value: "cdn.example.com"`},
		"an address with a path":  {func(a *cdn.Args) { a.Media.Address = "https://s3/x" }, `cdn.media.address: Invalid value`},
		"media elsewhere":         {func(a *cdn.Args) { a.Media.Hosts[0] = "cdn.example.org" }, `cdn.media.hosts[0]: Invalid value: "cdn.example.org": is none of the names that Fastly answers for`},
		"two names below":         {func(a *cdn.Args) { a.Media.Hosts[0] = "a.b.example.com" }, `cdn.media.hosts[0]: Invalid value: "a.b.example.com": is none of the names that Fastly answers for`},
		"redirect of media":       {func(a *cdn.Args) { a.Redirects["cdn.example.com"] = "example.com" }, `cdn.redirects[cdn.example.com]: Duplicate value`},
		"redirect in a circle":    {func(a *cdn.Args) { a.Redirects["example.com"] = "www.example.com" }, "cdn.redirects[www.example.com]: Invalid value: \"example.com\": leads on"},
		"redirect to a URL":       {func(a *cdn.Args) { a.Redirects["www.example.com"] = "https://example.com" }, "cdn.redirects[www.example.com]: Invalid value"},
		"TTL below 0":             {func(a *cdn.Args) { a.Cache.TTL = "-1s" }, `cdn.cache.ttl: Invalid value: "-1s": must be between 0s`},
		"half a second":           {func(a *cdn.Args) { a.Cache.StaleIfError = "1500ms" }, `cdn.cache.staleIfError: Invalid value: "1500ms": must be whole seconds`},
		"HSTS without a unit":     {func(a *cdn.Args) { a.HSTS = "31557600" }, `cdn.hsts: Invalid value: "31557600"`},
		"two readers alike":       {func(a *cdn.Args) { a.CrossOrigin = []string{"example.com", "example.com"} }, "cdn.crossOrigin[1]: Duplicate value"},
		"S3 without access key":   {func(a *cdn.Args) { a.Logs.S3[0].AccessKey = "" }, "cdn.logs.s3[0].accessKey: Required value"},
		"S3 without secret key":   {func(a *cdn.Args) { a.Logs.S3[0].SecretKey = "" }, "cdn.logs.s3[0].secretKey: Required value"},
		"S3 without bucket":       {func(a *cdn.Args) { a.Logs.S3[0].Buckets = nil }, "cdn.logs.s3[0].buckets: Required value"},
		"a path without a slash":  {func(a *cdn.Args) { a.Logs.S3[0].Buckets["uploads"] = "logs" }, `cdn.logs.s3[0].buckets[uploads]: Invalid value: "uploads"`},
		"a log with VCL in it":    {func(a *cdn.Args) { a.Logs.S3[0].Buckets[`/"`] = "logs" }, `Invalid value: "/\""`},
		"two S3 logs alike":       {func(a *cdn.Args) { a.Logs.S3 = append(a.Logs.S3, a.Logs.S3[0]) }, "cdn.logs.s3[1].buckets[/uploads/podcast/]: Duplicate value"},
		"a file every second":     {func(a *cdn.Args) { a.Logs.S3[0].Period = "1s" }, `cdn.logs.s3[0].period: Invalid value: "1s"`},
		"HTTPS without secret":    {func(a *cdn.Args) { a.Logs.HTTPS[0].Token = "" }, "cdn.logs.https[0].token: Required value"},
		"HTTPS in plain":          {func(a *cdn.Args) { a.Logs.HTTPS[0].URL = "http://example.com" }, `cdn.logs.https[0].url: Invalid value: "http://example.com"`},
		"HTTPS without name":      {func(a *cdn.Args) { a.Logs.HTTPS[0].Name = "" }, `cdn.logs.https[0].name: Invalid value: ""`},
		"two HTTPS logs alike":    {func(a *cdn.Args) { a.Logs.HTTPS = append(a.Logs.HTTPS, a.Logs.HTTPS[0]) }, "cdn.logs.https[1].name: Duplicate value"},
		"no page of maintenance":  {func(a *cdn.Args) { a.Maintenance = &cdn.Maintenance{} }, `cdn.maintenance.page: Invalid value: ""`},
		"one address":             {func(a *cdn.Args) { a.Maintenance = &cdn.Maintenance{Page: "embed.vcl", Except: []string{"192.0.2.1"}} }, `cdn.maintenance.except[0]: Invalid value: "192.0.2.1": must be a network`},
		"a network with a host": {func(a *cdn.Args) {
			a.Maintenance = &cdn.Maintenance{Page: "embed.vcl", Except: []string{"192.0.2.1/24"}}
		}, `cdn.maintenance.except[0]: Invalid value: "192.0.2.1/24"`},
		"a user with a colon":     {func(a *cdn.Args) { a.BasicAuth = map[string]string{"a:b": "gate"} }, `cdn.basicAuth[a:b]: Invalid value: "a:b"`},
		"a password in plain":     {func(a *cdn.Args) { a.BasicAuth = map[string]string{"alice": "pass word"} }, `cdn.basicAuth[alice]: Invalid value: "pass word"`},
		"a snippet named alike":   {func(a *cdn.Args) { a.BasicAuth = map[string]string{"alice": "gate"}; a.Snippets[0].Name = "passwords" }, `cdn.snippets[0].name: Duplicate value: "passwords"`},
		"a snippet of no type":    {func(a *cdn.Args) { a.Snippets[0].Type = "receive" }, `cdn.snippets[0].type: Unsupported value: "receive"`},
		"two snippets alike":      {func(a *cdn.Args) { a.Snippets = append(a.Snippets, a.Snippets[0]) }, `cdn.snippets[1].name: Duplicate value: "embed"`},
		"a missing file":          {func(a *cdn.Args) { a.Snippets[0].File = "embde.vcl" }, `cdn.snippets[0].file: Invalid value: "embde.vcl": there is no such file`},
		"a file that is a folder": {func(a *cdn.Args) { a.Snippets[0].File = "." }, `cdn.snippets[0].file: Invalid value: ".": is a directory`},
		"a file of others":        {func(a *cdn.Args) { a.Snippets[0].File = "../embed.vcl" }, `cdn.snippets[0].file: Invalid value: "../embed.vcl": must be the path`},
		"an empty file": {func(a *cdn.Args) { _ = os.WriteFile(filepath.Join(a.Folder, "embed.vcl"), []byte(" \n"), 0o600) },
			`cdn.snippets[0].file: Invalid value: "embed.vcl": the file is empty`},
		"an error page for a wall": {func(a *cdn.Args) {
			a.ErrorPage = "embed.vcl"
			_ = os.WriteFile(filepath.Join(a.Folder, "embed.vcl"), make([]byte, 200_001), 0o600)
		}, `cdn.errorPage: Invalid value: "embed.vcl": the file is larger than 200000 bytes`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := cdnArgs(t)
			require.Empty(t, args.Validate(field.NewPath("cdn")))
			test.edit(args)
			require.ErrorContains(t, args.Validate(field.NewPath("cdn")).ToAggregate(), test.fault)
		})
	}
}

func TestWhatTheStackMustGiveTheCDNIsAskedFor(t *testing.T) {
	t.Parallel()
	for fault, edit := range map[string]func(*cdn.Args){
		"domains: Required value":                                    func(a *cdn.Args) { a.Domains = nil },
		`domains[2]: Duplicate value: "example.com"`:                 func(a *cdn.Args) { a.Domains = append(a.Domains, "example.com") },
		`domains[2]: Invalid value: "*"`:                             func(a *cdn.Args) { a.Domains = append(a.Domains, "*") },
		`originHost: Invalid value: ""`:                              func(a *cdn.Args) { a.OriginHost = "" },
		"mediaHost: Required value: must be the host of the media":   func(a *cdn.Args) { a.MediaHost = nil },
		"secretValues: Required value: must hold the secrets of the": func(a *cdn.Args) { a.SecretValues = nil },
	} {
		args := cdnArgs(t)
		edit(args)
		err := pulumi.RunErr(func(ctx *pulumi.Context) error {
			_, err := cdn.New(ctx, "cdn", args)
			return err
		}, pulumi.WithMocks(projectName, "test", &graph{resources: map[string]*node{}}))
		require.ErrorContains(t, err, fault)
	}
}

// fastlySites answers the look-up of Fastly's sites.
type fastlySites struct{ *graph }

func (s fastlySites) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	if args.Token != "fastly:index/getDatacenters:getDatacenters" {
		return s.graph.Call(args)
	}
	return list("pops", map[string]any{"code": "LGA", "group": "US", "name": "New York", "shield": "lga-ny-us"},
		map[string]any{"code": "HNL", "group": "US", "name": "Honolulu", "shield": ""}), nil
}

func TestAShieldIsOneOfFastlys(t *testing.T) {
	t.Parallel()
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		shields, err := cdn.LookUpShields(ctx)
		if err != nil {
			return err
		}
		require.Equal(t, cdn.Shields{"lga-ny-us"}, shields)
		args := cdnArgs(t)
		faults := shields.Check(field.NewPath("cdn"), &args.Site).ToAggregate()
		require.EqualError(t, faults, `cdn.media.shield: Unsupported value: "iad-va-us": supported values: "lga-ny-us"`)
		args.Origin.Shield, args.Media = "lga-ny", nil
		args.Backends = []cdn.Backend{{Shield: "iad-va"}}
		require.ErrorContains(t, shields.Check(field.NewPath("cdn"), &args.Site).ToAggregate(), `cdn.backends[0].shield: Unsupported value: "iad-va"`)
		require.ErrorContains(t, shields.Check(field.NewPath("cdn"), &args.Site).ToAggregate(), `cdn.origin.shield: Unsupported value: "lga-ny"`)
		args.Origin.Shield, args.Backends = "", nil
		require.Empty(t, shields.Check(field.NewPath("cdn"), &args.Site), "Validate tells of that")
		return nil
	}, pulumi.WithMocks(projectName, "test", fastlySites{&graph{resources: map[string]*node{}}}))
	require.NoError(t, err)
}

func TestDomainsOfTheCDNAreThoseOfTheCertificates(t *testing.T) {
	t.Parallel()
	var names []string
	for name := range cdnBlocks(declareCDN(t, cdnArgs(t)), "domains") {
		names = append(names, name)
	}
	slices.Sort(names)
	require.Equal(t, []string{"*.example.com", "example.com"}, names)
}

// leads has pages lead elsewhere.
func leads(from, to string) func(*cdn.Args) {
	return func(a *cdn.Args) {
		a.PageRedirects = append(a.PageRedirects, cdn.PageRedirect{From: from, To: to, Status: 301})
	}
}

// sets has answers carry a header.
func sets(name, value string) func(*cdn.Args) {
	return func(a *cdn.Args) { a.Headers = []cdn.Headers{{Set: map[string]string{name: value}}} }
}
