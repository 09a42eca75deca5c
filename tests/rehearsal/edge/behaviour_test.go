package edge

import (
	"bufio"
	"compress/gzip"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
	"lke-platform/components/cdn"

	"lke-platform/tests/rehearsal/simulation"
)

// declared notes what the program declares.
type declared struct{ service inputs }

func (d *declared) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if args.TypeToken == "fastly:index/serviceVcl:ServiceVcl" {
		d.service = args.Inputs.MapRepl(nil, func(v resource.PropertyValue) (any, bool) {
			if v.IsSecret() {
				return v.SecretValue().Element.Mappable(), true
			}
			return nil, false
		})
	}
	return "id", args.Inputs, nil
}

func (d *declared) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

const password = "a-password-that-nobody-guesses"

// declare returns what the program makes of a section of a stack file.
func declare(t *testing.T, edit func(*cdn.Args)) inputs {
	t.Helper()
	args := cdn.Defaults()
	args.Name, args.Domains, args.OriginHost = "site", []string{"example.com", "*.example.com"}, "origin.example.com"
	args.Origin.Shield = "lga-ny-us"
	if edit != nil {
		edit(&args)
	}
	values := pulumi.StringMap{}
	for _, name := range args.SecretNames() {
		values[name] = pulumi.String(password)
	}
	args.SecretValues = values
	d := &declared{}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := cdn.New(ctx, "cdn", &args)
		return err
	}, pulumi.WithMocks("lke-platform", "test", d)))
	return d.service
}

const home = "https://example.com"

func TestWhatHasRunOutIsServedWhileTheOriginIsDown(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	origin := c.servers["origin"]
	origin.answer(page("old", "Surrogate-Control: max-age=60, stale-while-revalidate=0, stale-if-error=3600", "Surrogate-Key: page"))
	require.Equal(t, "old", c.get(home).body)
	c.call("POST", "/service/"+c.service+"/purge/page", nil)
	require.Equal(t, "MISS, MISS", c.get(home).Header.Get("X-Cache"))

	origin.answer(status(http.StatusServiceUnavailable))
	expire(c)
	stale := c.get(home)
	require.Equal(t, "old", stale.body)
	require.Equal(t, http.StatusOK, stale.StatusCode)
	require.NotEmpty(t, origin.requests())
	require.Equal(t, http.StatusServiceUnavailable, c.get(home+"/new").StatusCode)

	origin.CloseClientConnections()
	origin.Close()
	require.Equal(t, "old", c.get(home).body, "nobody is there any more")
	gone := c.get(home + "/new")
	require.Equal(t, http.StatusServiceUnavailable, gone.StatusCode)
	require.Contains(t, gone.body, "<html", "a page of one's own")
}

// expire has everything run out, as time would.
func expire(c *cloud) {
	c.Helper()
	r, err := http.NewRequest(http.MethodPost, "/service/"+c.service+"/purge_all", http.NoBody)
	require.NoError(c, err)
	r.Header.Set("Fastly-Key", token)
	r.Header.Set("Fastly-Soft-Purge", "1")
	c.api.ServeHTTP(discard{}, r)
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// An edge that fails serves nobody, not even copies, and ends connections: visitors who look anew where the name leads get past it.
func TestAnEdgeThatFailsLetsGoOfVisitors(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	require.Equal(t, http.StatusOK, c.get("https://example.com/").StatusCode)
	faults := "http://" + c.edge.PlainAddress() + simulation.FaultsPath
	tell := func(method, body string) {
		request, err := http.NewRequestWithContext(t.Context(), method, faults, strings.NewReader(body))
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusNoContent, answer.StatusCode)
	}
	visitor, connections := c.visitor(), 0
	visit := func() int {
		connected := func(info httptrace.GotConnInfo) {
			if !info.Reused {
				connections++
			}
		}
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: connected})
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://example.com/", http.NoBody)
		require.NoError(t, err)
		answer, err := visitor.Do(request)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(t, errors.Join(err, answer.Body.Close()))
		return answer.StatusCode
	}
	require.Equal(t, http.StatusOK, visit())
	require.Equal(t, http.StatusOK, visit())
	require.Equal(t, 1, connections)
	tell(http.MethodPost, `[{"status": 503}]`)
	require.Equal(t, http.StatusServiceUnavailable, visit())
	require.Equal(t, http.StatusServiceUnavailable, visit())
	tell(http.MethodDelete, "")
	require.Equal(t, http.StatusOK, visit())
	require.Equal(t, 3, connections, "each that failed was the last on its connection")
}

func TestWhatHasRunOutIsServedWhileItIsFetched(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	origin := c.servers["origin"]
	origin.answer(page("old", "Cache-Control: max-age=60, stale-while-revalidate=3600"))
	c.get(home)
	fetched := make(chan struct{})
	origin.answer(func(w http.ResponseWriter, r *http.Request) {
		<-fetched
		page("new", "Cache-Control: max-age=60, stale-while-revalidate=3600")(w, r)
	})
	expire(c)
	for range 3 {
		require.Equal(t, "old", c.get(home).body, "nobody waits")
	}
	close(fetched)
	require.Eventually(t, func() bool { return c.get(home).body == "new" }, 10*time.Second, 10*time.Millisecond)
	require.Len(t, origin.requests(), 1)
}

func TestPurgesReachTheEdgeAndTheShield(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	origin := c.servers["origin"]
	var answers atomic.Int64
	count := func(w http.ResponseWriter, r *http.Request) {
		page(fmt.Sprint(answers.Add(1)), "Cache-Control: max-age=60", "Surrogate-Key: pages "+r.URL.Path)(w, r)
	}
	origin.answer(count)
	require.Equal(t, "1", c.get(home+"/a").body)
	require.Equal(t, "2", c.get(home+"/b").body)
	c.call("POST", "/service/"+c.service+"/purge/pages", nil)
	require.Equal(t, "3", c.get(home+"/a").body)
	require.Equal(t, "4", c.get(home+"/b").body)
	c.call("POST", "/purge/example.com/a", nil)
	require.Equal(t, "5", c.get(home+"/a").body)
	require.Equal(t, "4", c.get(home+"/b").body)
	require.Equal(t, http.StatusUnauthorized, c.ask("PURGE", home+"/b").StatusCode, "not for everybody")
	require.Equal(t, "4", c.get(home+"/b").body)
	require.Equal(t, http.StatusOK, c.ask("PURGE", home+"/b", "Fastly-Key: "+token).StatusCode)
	require.Equal(t, "6", c.get(home+"/b").body)
	c.call("POST", "/service/"+c.service+"/purge_all", nil)
	require.Equal(t, "7", c.get(home+"/b").body)
}

// The shield fetches for all sites; what it fails to get, the site gets past it.
func TestTheShieldIsAskedFirst(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	origin := c.servers["origin"]
	origin.answer(page("hello", "Cache-Control: max-age=60"))
	require.Equal(t, "cache-lga1-LGA, cache-edge1-EDGE", c.get(home).Header.Get("X-Served-By"))

	var asked atomic.Int64
	origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		page("mended")(w, r)
	})
	second := c.get(home + "/b")
	require.Equal(t, "mended", second.body)
	require.Equal(t, "cache-edge1-EDGE", second.Header.Get("X-Served-By"))
	requests := origin.requests()
	require.Len(t, requests, 2)
	require.Equal(t, requests[0].Header.Get("X-Request-Id"), requests[1].Header.Get("X-Request-Id"))
}

func TestAPasswordIsAskedFor(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, func(a *cdn.Args) { a.BasicAuth = map[string]string{"alice": "gate"} }))
	c.servers["origin"].answer(page("inside"))
	refused := c.get(home)
	require.Equal(t, http.StatusUnauthorized, refused.StatusCode)
	require.Contains(t, refused.Header.Get("WWW-Authenticate"), "Basic realm=")
	key := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+password))
	inside := c.get(home, key)
	require.Equal(t, "inside", inside.body)
	require.Empty(t, c.servers["origin"].requests()[0].Header.Get("Authorization"), "which is Fastly's business")
	require.Contains(t, inside.Header.Get("Set-Cookie"), "fastly_password=")
}

func TestAnOriginThatIsNotWellIsNotAsked(t *testing.T) {
	t.Parallel()
	in := declare(t, nil)
	in.blocks("healthchecks")[0]["checkInterval"] = 20
	c := serve(t, in)
	origin := c.servers["origin"]
	origin.answer(page("hello", "Cache-Control: no-store"))
	require.Equal(t, "hello", c.get(home).body)
	origin.sick.Store(true)
	require.Eventually(t, func() bool { return c.get(home).StatusCode == http.StatusServiceUnavailable }, 10*time.Second, 10*time.Millisecond)
	asked := len(origin.requests())
	require.Contains(t, c.get(home).body, "<html")
	require.Len(t, origin.requests(), asked)
	origin.sick.Store(false)
	require.Eventually(t, func() bool { return c.get(home).StatusCode == http.StatusOK }, 10*time.Second, 10*time.Millisecond)
}

// Whoever asked before gets what the version before said.
func TestANewVersionIsServedAtOnce(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	arrived, answer := make(chan struct{}), make(chan struct{})
	c.servers["origin"].answer(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-answer
		page("slow", "Cache-Control: no-store")(w, r)
	})
	slow := make(chan *got)
	go func() { slow <- c.get(home) }()
	<-arrived
	c.change(func(version string) {
		c.call("POST", version+"snippet", map[string]any{
			"name": "closed", "type": "recv", "content": `error 620 "closed";`, "dynamic": "0",
		})
		c.call("POST", version+"snippet", map[string]any{"name": "page", "type": "error", "dynamic": "0",
			"content": `if (obj.status == 620) { set obj.status = 410; synthetic "closed"; return(deliver); }`})
	})
	require.Equal(t, "closed", c.get(home).body)
	require.Equal(t, http.StatusGone, c.get(home).StatusCode)
	close(answer)
	require.Equal(t, "slow", (<-slow).body)
	c.activate(1)
	c.servers["origin"].answer(page("back"))
	require.Equal(t, "back", c.get(home).body)
}

func TestEachNameHasItsCertificate(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.deploy(declare(t, func(a *cdn.Args) { a.Domains = []string{"example.com", "*.example.com", "example.org"} }))
	c.certify("example.com", "*.example.com")
	c.certify("example.org")
	c.servers["origin"].answer(page("hello"))
	for name, certified := range map[string]string{"example.com": "example.com", "a.example.com": "example.com", "example.org": "example.org"} {
		answer := c.get("https://" + name + "/")
		require.Equal(t, "hello", answer.body)
		require.Equal(t, certified, answer.TLS.PeerCertificates[0].Subject.CommonName)
	}
	r, err := http.NewRequest(http.MethodGet, "https://example.com/", http.NoBody)
	require.NoError(t, err)
	r.Host = "example.org"
	response, err := c.visitor().Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusMisdirectedRequest, response.StatusCode)
}

func TestCertificatesThatFastlyGetsAreServed(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.deploy(declare(t, nil))
	ordered := c.call("POST", "/tls/subscriptions", map[string]any{"data": map[string]any{
		"type": "tls_subscription", "relationships": map[string]any{"tls_domains": map[string]any{
			"data": []any{map[string]any{"type": "tls_domain", "id": "example.com"}},
		}},
	}})
	content, err := json.Marshal(ordered)
	require.NoError(t, err)
	c.proof = regexp.MustCompile(`[0-9a-f]+\.fastly-validations\.com`).FindString(string(content))
	for range 2 { // it is proven, and then issued
		c.call("GET", "/tls/subscriptions", nil)
	}
	conn, err := tls.Dial("tcp", c.edge.Address(), &tls.Config{ServerName: "example.com", InsecureSkipVerify: true})
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.ConnectionState().PeerCertificates[0].VerifyHostname("example.com"))
}

// Ten ask for what is not there yet, and the origin hears one.
func TestRequestsForTheSameWaitForEachOther(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	origin := c.servers["origin"]
	arrived, answer := make(chan struct{}, 10), make(chan struct{})
	origin.answer(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-answer
		page("hello", "Cache-Control: max-age=60")(w, r)
	})
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { require.Equal(t, "hello", c.get(home).body) })
	}
	<-arrived
	close(answer)
	all.Wait()
	require.Len(t, origin.requests(), 1)
}

// What is for one visitor only is not waited for, and not kept.
func TestWhatIsPrivateIsPassed(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	origin := c.servers["origin"]
	origin.answer(page("yours", "Set-Cookie: a=1", "Cache-Control: max-age=60"))
	for range 2 {
		require.Equal(t, "MISS, MISS", c.get(home).Header.Get("X-Cache"))
	}
	require.Len(t, origin.requests(), 2)
	arrived, answer := make(chan struct{}, 2), make(chan struct{})
	origin.answer(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-answer
		page("yours", "Set-Cookie: a=1")(w, r)
	})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { require.Equal(t, "yours", c.get(home).body) })
	}
	<-arrived
	<-arrived // side by side
	close(answer)
	all.Wait()
}

func TestWhatSaysThatItIsTheSameIsKeptOn(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	origin := c.servers["origin"]
	origin.answer(page("hello", `ETag: "1"`, "Cache-Control: max-age=60, stale-while-revalidate=0"))
	c.get(home)
	origin.answer(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, `"1"`, r.Header.Get("If-None-Match"))
		w.Header().Set("Cache-Control", "max-age=60")
		w.WriteHeader(http.StatusNotModified)
	})
	expire(c)
	require.Equal(t, "hello", c.get(home).body)
	require.Len(t, origin.requests(), 1)
	require.Equal(t, http.StatusNotModified, c.get(home, `If-None-Match: "1"`).StatusCode)
	require.Len(t, origin.requests(), 1)
}

func TestTextIsCompressed(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	text := strings.Repeat("hello ", 1000)
	for path, control := range map[string]string{"/kept": "max-age=60", "/passed": "no-store"} {
		c.servers["origin"].answer(page(text, "Content-Type: text/html", "Cache-Control: "+control, `ETag: "1"`))
		for range 2 {
			answer := c.get(home+path, "Accept-Encoding: br, gzip")
			require.Equal(t, "gzip", answer.Header.Get("Content-Encoding"), path)
			require.Equal(t, `W/"1"`, answer.Header.Get("ETag"))
			reader, err := gzip.NewReader(strings.NewReader(answer.body))
			require.NoError(t, err)
			unpacked, err := io.ReadAll(reader)
			require.NoError(t, err)
			require.Equal(t, text, string(unpacked))
			require.Contains(t, answer.Header.Get("Vary"), "Accept-Encoding")
			require.Equal(t, text, c.get(home+path).body, "who takes no gzip gets none")
		}
	}
}

func TestWebSocketsGoThrough(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, func(a *cdn.Args) { a.WebSockets = true }))
	c.servers["origin"].answer(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "127.0.0.1", r.Header.Get("X-Forwarded-For"))
		conn, buffered, err := http.NewResponseController(w).Hijack()
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
		require.NoError(t, err)
		line, err := buffered.ReadString('\n')
		require.NoError(t, err)
		_, err = io.WriteString(conn, "heard "+line)
		require.NoError(t, err)
	})
	conn, err := tls.Dial("tcp", c.edge.Address(), &tls.Config{ServerName: "example.com", RootCAs: c.authority.pool})
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	require.NoError(t, err)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	_, err = io.WriteString(conn, "hello\n")
	require.NoError(t, err)
	line, err := reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "heard hello\n", line)
}

// What streams goes out as it comes.
func TestAStreamIsNotHeldBack(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	goOn := make(chan struct{})
	c.servers["origin"].answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-goOn
		_, _ = io.WriteString(w, "data: 2\n\n")
	})
	response, err := c.visitor().Get(home + "/events")
	require.NoError(t, err)
	defer response.Body.Close()
	reader := bufio.NewReader(response.Body)
	line, err := reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "data: 1\n", line)
	close(goOn)
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Contains(t, string(rest), "data: 2")
}

// Whoever takes his time, or has gone, holds nobody up.
func TestADownloadIsThereForOthersToo(t *testing.T) {
	t.Parallel()
	c := serve(t, declare(t, nil))
	file := strings.Repeat("0123456789abcdef", 1<<20)
	c.servers["origin"].answer(page(file, "Cache-Control: max-age=60"))
	slow, err := c.visitor().Get(home + "/file.zip")
	require.NoError(t, err)
	require.True(t, file == c.get(home+"/file.zip").body)
	require.Equal(t, "MISS, HIT", c.get(home+"/file.zip").Header.Get("X-Cache"))
	require.NoError(t, slow.Body.Close())
	require.Len(t, c.servers["origin"].requests(), 1)
}

func TestAnOriginThatCannotBeTrustedOrWaitedForIsAnError(t *testing.T) {
	t.Parallel()
	for reason, edit := range map[string]func(backend map[string]any){
		"hostname doesn't match against certificate": func(b map[string]any) { b["sslCertHostname"] = "other.example.com" },
		"first byte timeout":                         func(b map[string]any) { b["firstByteTimeout"] = 20 },
		"Backend.max_conn reached":                   func(b map[string]any) { b["maxConn"] = 1 },
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			in := declare(t, nil)
			in["healthchecks"] = nil
			edit(in.blocks("backends")[0])
			delete(in.blocks("backends")[0], "healthcheck")
			in["snippets"] = []any{map[string]any{"name": "reason", "type": "error", "content": "set obj.http.Reason = obj.response;"}}
			c := serve(t, in)
			arrived, answer := make(chan struct{}, 10), make(chan struct{})
			c.servers["origin"].answer(func(http.ResponseWriter, *http.Request) {
				arrived <- struct{}{}
				<-answer
			})
			var first sync.WaitGroup
			if reason == "Backend.max_conn reached" {
				first.Go(func() { c.ask(http.MethodPost, home+"/first") })
				<-arrived
			}
			failed := c.ask(http.MethodPost, home)
			close(answer)
			first.Wait()
			require.Equal(t, http.StatusServiceUnavailable, failed.StatusCode)
			require.Equal(t, reason, failed.Header.Get("Reason"))
		})
	}
}

// A service that brings no VCL is served by what Fastly makes of its objects.
func TestAServiceWithoutVCL(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	backend := func(name string) map[string]any {
		return map[string]any{
			"name": name, "address": name + ".example.com", "port": 443, "useSsl": true, "sslCertHostname": name + ".example.com",
			"sslSniHostname": name + ".example.com", "autoLoadbalance": true, "weight": 100,
		}
	}
	c.deploy(inputs{
		"domains":  []any{map[string]any{"name": "example.com"}},
		"backends": []any{backend("one"), backend("two")},
		"snippets": []any{
			map[string]any{"name": "robots", "type": "deliver", "content": `set resp.http.X-Robots-Tag = "noindex";`},
			map[string]any{"name": "lookup", "type": "recv",
				"content": `if (table.lookup(moved, req.url.path)) { error 700 table.lookup(moved, req.url.path); }`},
		},
		"conditions": []any{map[string]any{"name": "robots", "type": "REQUEST", "statement": `req.url.path == "/robots.txt"`}},
	})
	c.change(func(version string) {
		dictionary := c.call("POST", version+"dictionary", map[string]any{"name": "moved"})["id"].(string)
		c.call("POST", "/service/"+c.service+"/dictionary/"+dictionary+"/item", map[string]any{"item_key": "/old", "item_value": "/new"})
		c.call("POST", version+"response_object", map[string]any{"name": "robots", "status": "200", "response": "OK",
			"content": "Disallow: /", "content_type": "text/plain", "request_condition": "robots"})
		c.call("POST", version+"header", map[string]any{"name": "who", "action": "set", "type": "request", "dst": "http.X-Who", "src": `"edge"`})
	})
	require.Equal(t, "Disallow: /", c.get("http://example.com/robots.txt").body)
	require.Equal(t, 700, c.get("http://example.com/old").StatusCode)
	seen := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		c.servers[name].answer(page(name, "Cache-Control: private"))
	}
	require.Eventually(t, func() bool {
		answer := c.get("http://example.com/")
		require.Equal(t, "noindex", answer.Header.Get("X-Robots-Tag"))
		seen[answer.body] = true
		return len(seen) == 2
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, "edge", c.servers["one"].requests()[0].Header.Get("X-Who"))
}
