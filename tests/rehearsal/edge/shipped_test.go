package edge

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

const uuid = `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`

// Both stack files, as they are: what visitors get, and what the application hears.
func TestTheShippedStacksAreServed(t *testing.T) {
	t.Parallel()
	for stack, domain := range map[string]string{"prod": "changelog.com", "staging": "staging.changelog.com"} {
		t.Run(stack, func(t *testing.T) {
			t.Parallel()
			c := serve(t, shipped(t, stack))
			origin := c.servers["origin"]
			origin.answer(page("hello", "Cache-Control: max-age=60", "Content-Type: text/html", "Surrogate-Key: pages"))
			site := "https://" + domain

			first := c.get(site+"/a%20b?c=d", "X-Forwarded-For: 203.0.113.9", "X-Request-Id: forged", "Cookie: _ga=1")
			require.Equal(t, http.StatusOK, first.StatusCode)
			require.Equal(t, "hello", first.body)
			require.Equal(t, "MISS, MISS", first.Header.Get("X-Cache"), "at the shield, and at the edge")
			require.NotEmpty(t, first.Header.Get("Strict-Transport-Security"))
			require.Empty(t, first.Header.Get("Surrogate-Key"), "which is nobody's business")
			require.Len(t, origin.requests(), 1)
			asked := origin.requests()[0]
			require.Equal(t, domain, asked.Host)
			require.Equal(t, "/a%20b?c=d", asked.RequestURI)
			require.Equal(t, "127.0.0.1", asked.Header.Get("X-Forwarded-For"), "not what he says")
			require.Equal(t, "127.0.0.1", asked.Header.Get("X-Real-IP"))
			require.Equal(t, "https", asked.Header.Get("X-Forwarded-Proto"))
			require.Regexp(t, uuid, asked.Header.Get("X-Request-Id"))
			require.Empty(t, asked.Header.Get("Cookie"))
			require.Equal(t, "fastly.example.com", asked.TLS.PeerCertificates[0].Subject.CommonName, "only Fastly is let in")

			require.Equal(t, "MISS, HIT", c.get(site+"/a%20b?c=d").Header.Get("X-Cache"))
			require.Len(t, origin.requests(), 1)
			require.Equal(t, "MISS, MISS", c.get(site+"/a%20b?c=e").Header.Get("X-Cache"), "another page")
			require.Len(t, origin.requests(), 2)
			for range 2 {
				require.Equal(t, "hello", c.ask(http.MethodPost, site+"/a%20b?c=d").body)
			}
			require.Len(t, origin.requests(), 4, "what is sent is passed on")

			plain := c.get("http://" + domain + "/a?b=c")
			require.Equal(t, http.StatusMovedPermanently, plain.StatusCode)
			require.Equal(t, site+"/a?b=c", plain.Header.Get("Location"))
		})
	}
}

func TestProdLeadsToOneNameAndToTheBucket(t *testing.T) {
	t.Parallel()
	c := serve(t, shipped(t, "prod"))
	www := c.get("https://www.changelog.com/a?b=c")
	require.Equal(t, http.StatusMovedPermanently, www.StatusCode)
	require.Equal(t, "https://changelog.com/a?b=c", www.Header.Get("Location"))
	require.Empty(t, c.servers["origin"].requests())

	c.servers["media"].answer(page("0123456789", "Content-Type: audio/mpeg", "X-Amz-Request-Id: 1"))
	for _, parameter := range []string{"1", "2"} {
		part := c.get("https://cdn.changelog.com/uploads/1.mp3?x="+parameter, "Range: bytes=2-4", "Cookie: _changelog_key=1")
		require.Equal(t, http.StatusPartialContent, part.StatusCode)
		require.Equal(t, "234", part.body)
		require.Empty(t, part.Header.Get("X-Amz-Request-Id"))
		require.Equal(t, "*", part.Header.Get("Access-Control-Allow-Origin"))
	}
	require.Equal(t, "0123456789", c.get("https://cdn.changelog.com/uploads/1.mp3").body)
	asked := c.servers["media"].requests()
	require.Len(t, asked, 1, "parameters are none")
	require.Equal(t, "lke-platform-prod-media.us-east-1.linodeobjects.com", asked[0].Host, "the bucket is found by its name")
	require.Empty(t, asked[0].Header.Get("Cookie"))
	require.Empty(t, asked[0].TLS.PeerCertificates)

	require.Equal(t, http.StatusOK, c.get("https://cdn.changelog.com/uploads/1.png?width=100").StatusCode)
	require.Equal(t, "/uploads/1.png", c.servers["media"].requests()[1].RequestURI, "the optimizer is told, not the bucket")
}

func TestWhatNobodyServesIsRefused(t *testing.T) {
	t.Parallel()
	c := serve(t, shipped(t, "staging"))
	unknown := c.get("http://example.org/")
	require.Equal(t, http.StatusInternalServerError, unknown.StatusCode)
	require.Contains(t, unknown.body, "unknown domain: example.org")

	_, err := tls.Dial("tcp", c.edge.Address(), &tls.Config{ServerName: "example.org", RootCAs: c.authority.pool})
	require.ErrorContains(t, err, "unrecognized name", "without a certificate there is no handshake")
}
