package vcl

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"lke-platform/components/cdn"
)

// A row is a request, what the server behind it answers, and what comes of it. Headers stand after " | ". The request goes to the
// site that is near the visitor, and through the shield, twice.
type row struct {
	// request is a method and a URL, https:// where it has no scheme.
	request string
	// answer begins with a status that is not 200, and with "old copy" where the sites have one that has run out.
	answer string
	// does is what becomes of it. What is kept is so for seconds, then some more while it is fetched anew, and some while the server
	// fails: keeps 60 + 60 / 43200.
	does string
	// server are headers that the server gets, and visitor those that the visitor gets; a dash stands before one that must not be
	// there. The server's may begin with its name and the URL.
	server, visitor string
}

const (
	usual   = "60 + 60 / 43200" // of an answer that says max-age=60
	minute  = "Cache-Control: max-age=60"
	nothing = "keeps nothing"
)

var tables = map[string]struct {
	edit func(*cdn.Args)
	rows []row
}{
	"visitors": {nil, []row{
		// What he says of himself.
		{"GET example.com/ | X-Forwarded-Proto: http", minute, "keeps " + usual, "X-Forwarded-Proto: https", ""},
		{"GET example.com/ | X-Forwarded-Host: evil.example", minute, "keeps " + usual, "X-Forwarded-Host: example.com", ""},
		{"GET example.com/ | X-Forwarded-Port: 8443", minute, "keeps " + usual, "X-Forwarded-Port: 443", ""},
		{"GET example.com/ | X-Forwarded-For: 203.0.113.9", minute, "keeps " + usual, "X-Forwarded-For: 192.0.2.1", ""},
		{"GET example.com/ | X-Real-IP: 203.0.113.9", minute, "keeps " + usual, "X-Real-IP: 192.0.2.1", ""},
		{"GET example.com/ | Fastly-Client-IP: 203.0.113.9", minute, "keeps " + usual,
			"X-Forwarded-For: 192.0.2.1 | X-Real-IP: 192.0.2.1 | Fastly-Client-IP: 192.0.2.1", ""},
		{"GET example.com/ | Fastly-Temp-XFF: 203.0.113.9", minute, "keeps " + usual, "X-Forwarded-For: 192.0.2.1", ""},
		{"GET example.com/ | Fastly-FF: cache-lga0001-LGA | X-Forwarded-Host: evil.example", minute, "keeps " + usual,
			"X-Forwarded-Host: example.com | X-Forwarded-For: 192.0.2.1", ""},
		{"GET example.com/ | X-Forwarded-Prefix: /evil | X-Forwarded-Scheme: http | X-Forwarded-Ssl: off | X-Forwarded: for=203.0.113.9",
			minute, "keeps " + usual, "-X-Forwarded-Prefix | -X-Forwarded-Scheme | -X-Forwarded-Ssl | -X-Forwarded", ""},
		{"GET example.com/ | X-Forwarded-Server: evil | X-Forwarded-Uri: /evil | X-Forwarded-User: admin", minute, "keeps " + usual,
			"-X-Forwarded-Server | -X-Forwarded-Uri | -X-Forwarded-User", ""},
		{"GET example.com/ | X_Forwarded_Proto: http | X-Forwarded_Host: evil.example | X_Real_IP: 203.0.113.9 | Client_IP: 203.0.113.9",
			minute, "keeps " + usual, "-X_Forwarded_Proto | -X-Forwarded_Host | -X_Real_IP | -Client_IP", ""},
		{"GET example.com/ | Forwarded: host=evil.example;proto=http | Forwarded-For: 203.0.113.9 | Via: 1.1 evil", minute,
			"keeps " + usual, "-Forwarded | -Forwarded-For | -Via", ""},
		{"GET example.com/ | True-Client-IP: 203.0.113.9 | X-Client-IP: 203.0.113.9 | Client-IP: 203.0.113.9", minute, "keeps " + usual,
			"-True-Client-IP | -X-Client-IP | -Client-IP", ""},
		{"GET example.com/ | X-Cluster-Client-IP: 203.0.113.9 | CF-Connecting-IP: 203.0.113.9 | CF-Visitor: {}", minute,
			"keeps " + usual, "-X-Cluster-Client-IP | -CF-Connecting-IP | -CF-Visitor", ""},
		{"GET example.com/ | X-Original-URL: /admin | X-Rewrite-URL: /admin | X-Original-Host: evil.example | X-Host: evil.example",
			minute, "keeps " + usual, "-X-Original-URL | -X-Rewrite-URL | -X-Original-Host | -X-Host", ""},
		{"GET example.com/ | Front-End-Https: off | X-URL-Scheme: http | X-Scheme: http | Proxy: http://evil.example", minute,
			"keeps " + usual, "-Front-End-Https | -X-URL-Scheme | -X-Scheme | -Proxy", ""},
		{"GET example.com/ | X-HTTP-Method-Override: DELETE | X-Method-Override: DELETE", minute, "keeps " + usual,
			"-X-HTTP-Method-Override | -X-Method-Override", ""},
		{"POST example.com/ | X-HTTP-Method-Override: PATCH | X-Forwarded-Host: evil.example", "", "passes",
			"X-HTTP-Method-Override: PATCH | X-Forwarded-Host: example.com", ""},
		{"GET Example.COM:8443/", minute, "keeps " + usual, "X-Forwarded-Host: example.com | Host: example.com", ""},
		{"GET example.com./", minute, "keeps " + usual, "Host: example.com", ""},
		// The way to HTTPS and to the one name.
		{"GET http://example.com/a?b=c", "", "redirects to https://example.com/a?b=c", "", ""},
		{"GET http://example.com/ | Fastly-SSL: 1", "", "redirects to https://example.com/", "", ""},
		{"GET http://cdn.example.com/a.mp3", "", "redirects to https://cdn.example.com/a.mp3", "", ""},
		{"GET www.example.com/a?b=c", "", "redirects to https://example.com/a?b=c", "", ""},
		{"GET WWW.example.com/", "", "redirects to https://example.com/", "", ""},
		// Who is known.
		{"GET example.com/ | Cookie: _ga=GA1.2; cookie_consent=yes; _fbp=1", minute, "keeps " + usual, "-Cookie", ""},
		{"GET example.com/ | Cookie: _hjSession_1=x; ajs_anonymous_id=x; intercom-session-x=1; _uetsid=1", minute, "keeps " + usual, "-Cookie", ""},
		{"GET example.com/ | Cookie: _ga=GA1.2; _changelog_key=abc", minute, "passes", "Cookie: _ga=GA1.2; _changelog_key=abc", ""},
		{"GET example.com/ | Cookie: _mastodon_session=abc", minute, "passes", "Cookie: _mastodon_session=abc", ""},
		{"GET example.com/ | Cookie: sessionid=abc", minute, "passes", "", ""},
		{"GET example.com/ | Cookie: a=1;csrftoken=abc", minute, "passes", "", ""},
		{"GET example.com/ | Cookie: __Secure-next-auth.session-token=abc", minute, "passes", "", ""},
		{"GET example.com/ | Cookie: connect.sid=abc", minute, "passes", "", ""},
		{"GET example.com/ | Cookie: laravel_session=abc", minute, "passes", "", ""},
		{"GET example.com/ | Cookie: xsessionid=abc; notsid=1", minute, "keeps " + usual, "-Cookie", ""},
		{"GET example.com/ | Cookie: q=sessionid=abc", minute, "keeps " + usual, "-Cookie", ""},
		{"POST example.com/ | Cookie: anything=1", "", "passes", "Cookie: anything=1", ""},
		{"GET example.com/ | Authorization: Bearer abc", minute, "passes", "Authorization: Bearer abc", ""},
		{"GET example.com/api | X-Api-Key: abc", minute, "passes", "X-Api-Key: abc", ""},
		{"GET example.com/api | X-Auth-Token: abc", minute, "passes", "", ""},
		{"GET example.com/api | Private-Token: abc", minute, "passes", "", ""},
		{"GET example.com/api | X-Tenant-Secret: abc", "", nothing, "X-Tenant-Secret: abc", ""},
		{"GET example.com/health", minute, "passes", "", ""},
		{"GET grafana.example.com/ | Cookie: theme=dark", minute, "passes", "Cookie: theme=dark", ""},
		// Files that pages are made of.
		{"GET example.com/css/app.css | Cookie: _ga=GA1.2; consent=yes", minute, "keeps " + usual, "-Cookie", ""},
		{"GET example.com/css/app.css | Cookie: _changelog_key=abc", "Cache-Control: public, max-age=60", "keeps " + usual, "", ""},
		{"GET example.com/photos/1.png | Cookie: _changelog_key=abc", minute, nothing, "Cookie: _changelog_key=abc", ""},
		{"GET example.com/account/x.css | Cookie: _changelog_key=abc", "", nothing, "", ""},
		{"GET example.com/a.css | Cookie: _changelog_key=abc", "Cache-Control: public, max-age=60 | Vary: Cookie", nothing, "", ""},
		{"GET example.com/a.css | Cookie: _changelog_key=abc", "Cache-Control: public", nothing, "", ""},
	}},
	"answers": {nil, []row{
		{"GET example.com/", "", nothing, "", ""},
		{"GET example.com/", "Last-Modified: Mon, 02 Jan 2006 15:04:05 GMT | Etag: 1", nothing, "", ""},
		{"GET example.com/", "301", nothing, "", ""},
		{"GET example.com/", "404", nothing, "", ""},
		{"GET example.com/", "404 | " + minute, "keeps " + usual, "", ""},
		{"GET example.com/", "403 | " + minute, nothing, "", ""},
		{"GET example.com/", "429 | " + minute, nothing, "", ""},
		{"GET example.com/", "Cache-Control: private, max-age=60", nothing, "", ""},
		{"GET example.com/", "Cache-Control: No-Store, Private", nothing, "", ""},
		{"GET example.com/", "Cache-Control: PRIVATE, max-age=60", nothing, "", ""},
		{"GET example.com/", "Cache-Control: max-age=60 | Cache-Control: private", nothing, "", ""},
		{"GET example.com/", "Cache-Control: max-age=60, No-Cache", nothing, "", ""},
		{"GET example.com/", "Cache-Control: no-store", nothing, "", ""},
		{"GET example.com/", minute + " | Set-Cookie: a=1", nothing, "", "Set-Cookie: a=1"},
		{"GET example.com/", minute + " | Vary: *", nothing, "", ""},
		{"GET example.com/", minute + " | Vary: Accept-Encoding, *", nothing, "", ""},
		{"GET example.com/", minute + " | Vary: Accept-Encoding, Cookie", "keeps " + usual, "", ""},
		{"GET example.com/", "Cache-Control: max-age=0", nothing, "", ""},
		{"GET example.com/", "Cache-Control: max-age=0, must-revalidate", nothing, "", ""},
		{"GET example.com/", "Cache-Control: max-age=0, stale-while-revalidate=60", nothing, "", ""},
		{"GET example.com/", "Cache-Control: Max-Age=0", nothing, "", ""},
		{"GET example.com/", "Cache-Control: max-age=\"60\"", nothing, "", ""},
		{"GET example.com/", "Cache-Control: s-maxage=0, max-age=60", nothing, "", ""},
		{"GET example.com/", "Cache-Control: max-age=0, s-maxage=60", "keeps 60 + 0 / 0", "", ""},
		{"GET example.com/", "Expires: 0", nothing, "", ""},
		{"GET example.com/", "Expires: Thu, 01 Jan 1970 00:00:00 GMT", nothing, "", ""},
		{"GET example.com/", "Cache-Control: max-age=60 | Age: 60", nothing, "", ""},
		{"GET example.com/", "Cache-Control: max-age=60 | Age: 20", "keeps 40 + 60 / 43200", "", ""},
		// For Fastly alone.
		{"GET example.com/", "Cache-Control: no-store, must-revalidate | Surrogate-Control: max-age=60, stale-while-revalidate=60, stale-if-error=604800",
			"keeps 60 + 60 / 604800", "", "Cache-Control: no-store, must-revalidate | -Surrogate-Control"},
		{"GET example.com/", "Cache-Control: no-store | Surrogate-Control: max-age=60", "keeps 60 + 0 / 0", "", ""},
		{"GET example.com/", "Surrogate-Control: max-age=60", "keeps " + usual, "", ""},
		{"GET example.com/", "Surrogate-Control: max-age=0 | " + minute, nothing, "", ""},
		{"GET example.com/", "Surrogate-Control: No-Store | " + minute, nothing, "", ""},
		{"GET example.com/", "Surrogate-Control: stale-if-error=600 | Cache-Control: no-store", nothing, "", ""},
		{"GET example.com/", "Cache-Control: private | Surrogate-Control: max-age=60", nothing, "", ""},
		// What has run out.
		{"GET example.com/", "Cache-Control: max-age=60, must-revalidate", "keeps 60 + 0 / 0", "", ""},
		{"GET example.com/", "Cache-Control: max-age=60, Proxy-Revalidate", "keeps 60 + 0 / 0", "", ""},
		{"GET example.com/", "Cache-Control: s-maxage=60", "keeps 60 + 0 / 0", "", ""},
		{"GET example.com/", "Cache-Control: s-maxage=60, stale-while-revalidate=5", "keeps 60 + 5 / 0", "", ""},
		{"GET example.com/", "Cache-Control: max-age=60, stale-if-error=0", "keeps 60 + 60 / 0", "", ""},
		{"GET example.com/", "Cache-Control: max-age=60, must-revalidate, stale-if-error=9", "keeps 60 + 0 / 0", "", ""},
		{"GET example.com/", "old copy | 500", "hands out what is stale", "", ""},
		{"GET cdn.example.com/a.mp3", "old copy | 429", "in parts, hands out what is stale", "", ""},
		{"GET example.com/", "old copy | 429", nothing, "", ""},
		{"GET example.com/", "503 | Content-Type: text/html", "tries again", "", "Content-Type: text/html"},
		{"GET example.com/", "503 | Content-Type: text/plain", "tries again, and answers itself", "", ""},
		{"GET example.com/api", "503 | Content-Type: application/json", "tries again", "", "Content-Type: application/json"},
		{"POST example.com/", "502 | Content-Type: text/plain", "passes, and answers itself", "", ""},
		// Large files.
		{"HEAD example.com/report", minute + " | Content-Length: 20000001", nothing, "", ""},
		{"GET example.com/files/a.pdf", minute, "in parts, keeps " + usual, "", ""},
		{"GET example.com/files/A.DMG?v=2", minute, "in parts, keeps " + usual, "url /files/A.DMG?v=2", ""},
		{"GET example.com/files/a.pdf | Cookie: _changelog_key=abc | Range: bytes=0-9", minute, "passes", "Range: bytes=0-9", ""},
		// Compression of what is not kept, and of what no one may change.
		{"GET example.com/", "Content-Type: text/html; charset=utf-8", nothing, "", "X-Compress-Hint: on"},
		{"GET example.com/feed", "Content-Type: application/rss+xml", nothing, "", "X-Compress-Hint: on"},
		{"GET example.com/", "Content-Type: text/html | Content-Encoding: br", nothing, "", "-X-Compress-Hint"},
		{"GET example.com/", "Content-Type: text/html | Cache-Control: No-Transform", nothing, "", "-X-Compress-Hint"},
		{"GET example.com/", "206 | Content-Type: text/html | Content-Range: bytes 0-1/2", nothing, "", "-X-Compress-Hint"},
		{"GET example.com/events", "Content-Type: text/event-stream", nothing, "", "-X-Compress-Hint"},
		{"GET example.com/og.png?title=Hello", minute + " | Content-Type: image/png", "keeps " + usual, "url /og.png?title=Hello",
			"-X-Compress-Hint"},
		// HTTPS from now on, as the stack file says.
		{"GET example.com/", "Strict-Transport-Security: max-age=63072000; includeSubDomains; preload", nothing, "",
			"Strict-Transport-Security: max-age=86400"},
	}},
	"media": {nil, []row{
		{"GET cdn.example.com/ep.mp3", "", "in parts, keeps 3600 + 60 / 43200", "media", ""},
		{"GET cdn.example.com/ep.mp3?x=1", "", "in parts, keeps 3600 + 60 / 43200", "media /ep.mp3", ""},
		{"GET CDN.example.com/ep.mp3?list-type=2", "", "in parts, keeps 3600 + 60 / 43200", "media /ep.mp3", ""},
		{"GET cdn.example.com/archive.xyz", "", "in parts, keeps 3600 + 60 / 43200", "media", ""},
		{"GET cdn.example.com/backup", "", "in parts, keeps 3600 + 60 / 43200", "media", ""},
		{"GET cdn.example.com/logo.svg?v=1", "Content-Type: image/svg+xml", "keeps 3600 + 60 / 43200", "media /logo.svg", "X-Compress-Hint: on"},
		{"GET cdn.example.com/1.png?width=9", "", "keeps 3600 + 60 / 43200", "media /1.png | -X-Fastly-Imageopto-Api", ""},
		{"GET cdn.example.com/1.png | X-Fastly-Imageopto-Api: fastly", "", "keeps 3600 + 60 / 43200", "-X-Fastly-Imageopto-Api", ""},
		{"GET cdn.example.com/ep.mp3 | Cookie: _changelog_key=1 | Authorization: Basic x | X-Amz-Request-Payer: requester", "",
			"in parts, keeps 3600 + 60 / 43200", "-Cookie | -Authorization | -X-Amz-Request-Payer", ""},
		{"GET cdn.example.com/ep.mp3", "Set-Cookie: a=1 | X-Amz-Request-Id: 1 | X-Amz-Id-2: 2 | X-Rgw-Object-Type: Normal",
			"in parts, keeps 3600 + 60 / 43200", "", "-Set-Cookie | -X-Amz-Request-Id | -X-Amz-Id-2 | -X-Rgw-Object-Type | Access-Control-Allow-Origin: *"},
		{"GET cdn.example.com/ep.mp3", "X-Amz-Meta-Surrogate-Key: podcast | X-Amz-Meta-Surrogate-Control: max-age=31536000, stale-while-revalidate=3600, stale-if-error=86400",
			"in parts, keeps 31536000 + 3600 / 86400", "", "-X-Amz-Meta-Surrogate-Key | -Surrogate-Key | -Surrogate-Control"},
		{"GET cdn.example.com/ep.mp3", "Cache-Control: no-store", "in parts, " + nothing, "", ""},
		{"GET cdn.example.com/ep.mp3", "403 | X-Amz-Request-Id: 1", "in parts, " + nothing, "", "-X-Amz-Request-Id"},
		{"FASTLYPURGE cdn.example.com/ep.mp3?x=1", "", "in parts, looks up", "media /ep.mp3 | Fastly-Purge-Requires-Auth: 1", ""},
		{"FASTLYPURGE example.com/page?x=1", "", "looks up", "url /page?x=1 | Fastly-Purge-Requires-Auth: 1", ""},
	}},
	"optimizer": {func(a *cdn.Args) { a.ImageOptimizer = true }, []row{
		{"GET cdn.example.com/1.png", "", "keeps 3600 + 60 / 43200", "media /1.png?auto=webp | X-Fastly-Imageopto-Api: fastly", ""},
		{"GET cdn.example.com/1.png?width=9&utm_source=x&height=8", "", "keeps 3600 + 60 / 43200",
			"media /1.png?auto=webp&height=8&width=9 | X-Fastly-Imageopto-Api: fastly", ""},
		{"GET cdn.example.com/ep.mp3?width=9", "", "in parts, keeps 3600 + 60 / 43200", "media /ep.mp3 | -X-Fastly-Imageopto-Api", ""},
		{"GET example.com/og.png?title=Hello", minute, "keeps " + usual, "url /og.png?title=Hello | -X-Fastly-Imageopto-Api", ""},
		{"GET example.com/og.png | X-Fastly-Imageopto-Api: fastly", minute, "keeps " + usual, "-X-Fastly-Imageopto-Api", ""},
		{"FASTLYPURGE cdn.example.com/1.png", "", "looks up", "media /1.png | -X-Fastly-Imageopto-Api", ""},
	}},
	"choices": {func(a *cdn.Args) {
		a.WebSockets, a.Brotli, a.OpenPurge = true, false, true
		a.SessionCookies, a.Cache.TTL, a.HSTS = []string{"my.app", "user_*"}, "1h", "0s"
		a.Media.TTL = "10m"
	}, []row{
		{"GET example.com/live/websocket | Upgrade: websocket | Cookie: a=1 | X-Forwarded-Host: evil.example", "", "upgrades",
			"X-Forwarded-Host: example.com | Cookie: a=1", ""},
		{"GET grafana.example.com/api/live | Upgrade: WebSocket", "", "upgrades", "", ""},
		{"GET cdn.example.com/ep.mp3 | Upgrade: websocket", "", "in parts, keeps 600 + 60 / 43200", "media", ""},
		{"GET example.com/ | Upgrade: h2c", "", "keeps 3600 + 60 / 43200", "", ""},
		{"GET example.com/ | Cookie: my.app=1", "", "passes", "", ""},
		{"GET example.com/ | Cookie: myxapp=1", "", "keeps 3600 + 60 / 43200", "-Cookie", ""},
		{"GET example.com/ | Cookie: user_1=x", "", "passes", "", ""},
		{"GET example.com/ | Cookie: _changelog_key=1", "", "keeps 3600 + 60 / 43200", "-Cookie", ""},
		{"GET example.com/", "Content-Type: text/html", "keeps 3600 + 60 / 43200", "", "X-Compress-Hint: gzip | Strict-Transport-Security: max-age=0"},
		{"GET example.com/", "Age: 3600", nothing, "", ""},
		{"GET example.com/", "Expires: 0", nothing, "", ""},
		{"GET example.com/", "Cache-Control: Max-Age=0", nothing, "", ""},
		{"GET example.com/", "Cache-Control: public, must-revalidate", "keeps 3600 + 0 / 0", "", ""},
		{"GET example.com/", "Vary: *", nothing, "", ""},
		{"FASTLYPURGE example.com/page", "", "looks up", "-Fastly-Purge-Requires-Auth", ""},
	}},
	"backends": {func(a *cdn.Args) {
		a.WebSockets = true
		a.Backends = []cdn.Backend{
			{Name: "old-site", Address: "old.example.net", Hosts: []string{"old.example.com"}, Paths: []string{"example.com/blog/", "example.com/v1"}},
			{Name: "archive", Address: "archive.example.net", Hosts: []string{"files.example.com"}, Paths: []string{"example.com/archive"}, Public: true},
		}
	}, []row{
		// One with visitors of its own is as the origin.
		{"GET old.example.com/a?b=c | Cookie: _ga=1", minute, "keeps " + usual, "old-site /a?b=c | -Cookie | X-Forwarded-Host: old.example.com", ""},
		{"GET old.example.com/ | Cookie: PHPSESSID=1", minute, "passes", "old-site | Cookie: PHPSESSID=1", ""},
		{"GET OLD.example.com/ | Authorization: Bearer abc", minute, "passes", "old-site | Authorization: Bearer abc", ""},
		{"POST old.example.com/", "", "passes", "old-site", ""},
		{"GET old.example.com/", "", nothing, "old-site", "-Access-Control-Allow-Origin"},
		{"GET old.example.com/", "old copy | 500", "hands out what is stale", "old-site", ""},
		{"GET http://old.example.com/", "", "redirects to https://old.example.com/", "", ""},
		// Of a host of the application's it has some paths.
		{"GET example.com/blog", minute, "keeps " + usual, "old-site /blog", ""},
		{"GET example.com/blog?page=2", minute, "keeps " + usual, "old-site /blog?page=2", ""},
		{"GET example.com/blog/2019/a.html | Cookie: sessionid=abc", minute, "passes", "old-site | Cookie: sessionid=abc", ""},
		{"GET example.com/v1/users", minute, "keeps " + usual, "old-site", ""},
		{"GET example.com/blogs", minute, "keeps " + usual, "origin", ""},
		{"GET example.com/?from=/blog/", minute, "keeps " + usual, "origin", ""},
		{"GET grafana.example.com/blog/", minute, "passes", "origin", ""},
		// One that is public is as a bucket of media.
		{"GET files.example.com/a.mp3?x=1 | Cookie: sessionid=1 | Authorization: Basic x", "Set-Cookie: a=1 | X-Amz-Request-Id: 1",
			"in parts, keeps 3600 + 60 / 43200", "archive /a.mp3 | -Cookie | -Authorization", "-Set-Cookie | -X-Amz-Request-Id | Access-Control-Allow-Origin: *"},
		{"GET example.com/archive/1.png?x=1 | Cookie: sessionid=1", "", "keeps 3600 + 60 / 43200", "archive /archive/1.png | -Cookie", ""},
		{"GET files.example.com/a.png", "old copy | 429", "hands out what is stale", "archive", ""},
		{"GET cdn.example.com/ep.mp3?x=1", "", "in parts, keeps 3600 + 60 / 43200", "media /ep.mp3", ""},
		// WebSockets are the origin's.
		{"GET example.com/live | Upgrade: websocket", "", "upgrades", "origin", ""},
		{"GET old.example.com/live | Upgrade: websocket", "", nothing, "old-site", ""},
		{"GET example.com/archive/a.png | Upgrade: websocket", "", "keeps 3600 + 60 / 43200", "archive", ""},
	}},
	"a password": {func(a *cdn.Args) {
		a.BasicAuth, a.WebSockets = map[string]string{"alice": "gate", "bob": "bob"}, true
	}, []row{
		{"GET example.com/", minute, "asks for a password", "", "WWW-Authenticate: Basic realm=\"site\", charset=\"UTF-8\" | Cache-Control: no-store"},
		{"POST example.com/", "", "asks for a password", "", "-Set-Cookie"},
		{"GET http://example.com/ | Authorization: Basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=", "", "redirects to https://example.com/", "", ""},
		{"GET www.example.com/", "", "redirects to https://example.com/", "", ""},
		{"GET example.com/live | Upgrade: websocket", "", "asks for a password", "", ""},
		{"GET example.com/ | Authorization: Basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGE=", minute, "asks for a password", "", ""},
		{"GET example.com/ | Authorization: Bearer abc", minute, "asks for a password", "", ""},
		{"GET example.com/ | Cookie: fastly_password=YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGE=", minute, "asks for a password", "", ""},
		{"GET example.com/ | Cookie: fastly_password=", minute, "asks for a password", "", ""},
		{"GET example.com/ | Fastly-Password: YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=", minute, "asks for a password", "", "-Set-Cookie"},
		// Whoever has it is as unknown to the app as anybody else, and may still bring it a key.
		{"GET example.com/ | Authorization: Basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=", minute, "keeps " + usual, "-Authorization | -Cookie | -Fastly-Password",
			"Set-Cookie: fastly_password=YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=; Path=/; Secure; HttpOnly; SameSite=Lax"},
		{"GET example.com/ | Authorization: basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU= | Cookie: fastly_password=YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=", minute, "keeps " + usual, "-Authorization | -Cookie", "-Set-Cookie"},
		{"POST example.com/ | Authorization: Basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=", "", "passes", "-Authorization | -Fastly-Password", ""},
		{"GET example.com/ | Cookie: fastly_password=YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=", minute, "keeps " + usual, "-Cookie", "-Set-Cookie"},
		{"GET example.com/ | Cookie: a=1; fastly_password=YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=; sessionid=abc", minute, "passes", "Cookie: a=1; sessionid=abc", ""},
		{"GET example.com/api | Cookie: fastly_password=YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU= | Authorization: Bearer abc", minute, "passes", "Authorization: Bearer abc | -Cookie", ""},
		{"GET example.com/api | Cookie: fastly_password=YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU= | Authorization: Basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGE=", minute, "passes", "Authorization: Basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGE=", ""},
		{"GET example.com/live | Upgrade: websocket | Cookie: fastly_password=YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=", "", "upgrades", "-Cookie", ""},
		{"GET example.com/ | Authorization: Basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=", "old copy | 500", "hands out what is stale", "", ""},
		{"GET example.com/ | Authorization: Basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGU=", "503 | Content-Type: text/html", "tries again", "-Authorization", ""},
		// Who is not asked.
		{"GET example.com/health", minute, "passes", "", ""},
		{"GET example.com/.well-known/acme-challenge/x", "", nothing, "", ""},
		{"GET cdn.example.com/ep.mp3", "", "in parts, keeps 3600 + 60 / 43200", "media", ""},
		{"POST grafana.example.com/ | Authorization: Basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGE=", "", "passes", "Authorization: Basic YWxpY2U6YS1sb25nLXBhc3N3b3JkLWdhdGE=", ""},
		{"FASTLYPURGE example.com/page", "", "looks up", "Fastly-Purge-Requires-Auth: 1", ""},
	}},
	"maintenance": {maintenance("198.51.100.0/24", "2001:db8::/32"), []row{
		{"GET example.com/", minute, "is under maintenance", "", "Retry-After: 300 | Cache-Control: no-store | Content-Type: text/html; charset=utf-8"},
		{"POST example.com/ | Cookie: sessionid=abc | Authorization: Bearer abc", "", "is under maintenance", "", ""},
		{"GET example.com/", "old copy | 200", "is under maintenance", "", ""},
		{"GET example.com/live | Upgrade: websocket", "", "is under maintenance", "", ""},
		{"GET example.com/ | Fastly-Client-IP: 198.51.100.1 | X-Forwarded-For: 198.51.100.1", minute, "is under maintenance", "", ""},
		{"GET http://example.com/", "", "redirects to https://example.com/", "", ""},
		{"GET www.example.com/", "", "redirects to https://example.com/", "", ""},
		{"GET example.com/health", minute, "passes", "", ""},
		{"GET example.com/.well-known/acme-challenge/x", "", nothing, "", ""},
		{"GET grafana.example.com/", "", "passes", "", ""},
		{"GET cdn.example.com/ep.mp3", "", "in parts, keeps 3600 + 60 / 43200", "media", ""},
		{"FASTLYPURGE example.com/page", "", "looks up", "", ""},
	}},
	"pages that lead elsewhere": {func(a *cdn.Args) {
		a.PageRedirects = []cdn.PageRedirect{
			{From: "example.com/blog/*", To: "https://blog.example.org/posts/*", Status: 301},
			{From: "example.com/about", To: "/company", Status: 308},
			{From: "example.com/shop/*", To: "https://shop.example.org/", Status: 302},
			{From: "example.com/v1.0/*", To: "/v2/*", Status: 307},
		}
	}, []row{
		{"GET example.com/blog/2020/a?b=c", "", "redirects to https://blog.example.org/posts/2020/a?b=c", "", ""},
		{"GET example.com/blog/", "", "redirects to https://blog.example.org/posts/", "", ""},
		{"GET example.com/blog//evil.example/a", "", "redirects to https://blog.example.org/posts//evil.example/a", "", ""},
		{"GET example.com/blog", minute, "keeps " + usual, "origin", ""},
		{"GET example.com/about?b=c", "", "redirects to https://example.com/company?b=c", "", ""},
		{"GET example.com/about/us", minute, "keeps " + usual, "origin", ""},
		{"POST example.com/about", "", "redirects to https://example.com/company", "", ""},
		{"GET example.com/shop/a/b?c=d", "", "redirects to https://shop.example.org/?c=d", "", ""},
		{"GET example.com/v1.0/ab", "", "redirects to https://example.com/v2/ab", "", ""},
		{"GET example.com/v1x0/a", minute, "keeps " + usual, "origin", ""},
		{"GET grafana.example.com/about", "", "passes", "", ""},
		{"GET www.example.com/about", "", "redirects to https://example.com/about", "", ""},
		{"GET http://example.com/about", "", "redirects to https://example.com/about", "", ""},
	}},
	"headers": {func(a *cdn.Args) {
		a.Headers = []cdn.Headers{
			{Set: map[string]string{"X-Frame-Options": "DENY", "Content-Security-Policy": `default-src 'self'; img-src "x" %20`}, Remove: []string{"X-Powered-By"}},
			{For: "example.com/embed/*", Set: map[string]string{"X-Frame-Options": "SAMEORIGIN"}, Remove: []string{"Content-Security-Policy"}},
		}
	}, []row{
		{"GET example.com/", minute + " | X-Powered-By: Express | X-Frame-Options: ALLOW", "keeps " + usual, "",
			`X-Frame-Options: DENY | -X-Powered-By | Content-Security-Policy: default-src 'self'; img-src "x" %20`},
		{"GET example.com/embed/1", minute, "keeps " + usual, "", "X-Frame-Options: SAMEORIGIN | -Content-Security-Policy"},
		{"GET cdn.example.com/ep.mp3", "", "in parts, keeps 3600 + 60 / 43200", "media", "X-Frame-Options: DENY"},
		{"GET www.example.com/", "", "redirects to https://example.com/", "", "X-Frame-Options: DENY"},
	}},
	"maintenance with exceptions": {maintenance("192.0.2.0/24"), []row{
		{"GET example.com/", minute, "keeps " + usual, "origin", ""},
		{"GET example.com/ | Cookie: sessionid=abc", minute, "passes", "", ""},
	}},
	"the least": {func(a *cdn.Args) { a.Media, a.Redirects, a.Uncached = nil, nil, nil }, []row{
		{"GET example.com/ | X-Forwarded-Host: evil.example | Cookie: a=1", minute, "keeps " + usual,
			"X-Forwarded-Host: example.com | -Cookie", ""},
		{"GET example.com/ | Cookie: _changelog_key=1", minute, "passes", "", ""},
		{"GET example.com/", "", nothing, "", ""},
		{"GET example.com/", "429", nothing, "", ""},
		{"GET example.com/", "old copy | 500", "hands out what is stale", "", ""},
	}},
}

// maintenance shows a page to all but some networks. Visitors are in 192.0.2.0/24.
func maintenance(except ...string) func(*cdn.Args) {
	return func(a *cdn.Args) {
		a.WebSockets, a.Folder = true, "testdata"
		a.Maintenance = &cdn.Maintenance{Page: "maintenance.html", Except: except}
	}
}

func TestWhatFastlyDoes(t *testing.T) {
	for name, table := range tables {
		service := newService(t, table.edit)
		for i, row := range table.rows {
			t.Run(fmt.Sprintf("%s %d %s", name, i, row.request), func(t *testing.T) { row.check(t, service) })
		}
	}
}

func (r *row) check(t *testing.T, service *Service) {
	t.Helper()
	fastly := Start(t, service)
	answer, old := strings.CutPrefix(r.answer, "old copy | ")
	fastly.Stale = old
	for _, server := range fastly.Servers {
		server.Header = headers(answer)
		server.Status, _ = strconv.Atoi(strings.SplitN(answer, " ", 2)[0])
	}
	target, lines, _ := strings.Cut(r.request, " | ")
	method, address, _ := strings.Cut(target, " ")
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	for visit := range 2 {
		got := fastly.Ask(t, method, address, headers(lines))
		requireHeaders(t, r.visitor, got.Header)
		if visit > 0 {
			continue
		}
		did := outcome(method, got, got.Edge)
		require.Equal(t, r.does, did, r.answer)
		if len(got.Shield) > 0 && !strings.Contains(did, "again") && !strings.Contains(did, "stale") {
			require.Equal(t, did, outcome(method, got, got.Shield), "the shield does the same")
		}
	}
	r.requireServer(t, fastly)
}

// outcome puts a site's notes into words.
func outcome(method string, answer *Answer, notes []string) string {
	noted := func(note string) bool { return slices.Contains(notes, note) }
	kept := slices.IndexFunc(notes, func(note string) bool { return strings.HasPrefix(note, "keeps ") && note != nothing })
	did := nothing
	switch {
	case answer.Status == http.StatusUnauthorized:
		return "asks for a password"
	case answer.Status == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "":
		return "is under maintenance"
	case len(notes) == 0:
		return "redirects to " + answer.Header.Get("Location")
	case noted("upgrades"):
		did = "upgrades"
	case noted("passes"):
		did = "passes"
	case method == "FASTLYPURGE":
		did = "looks up"
	case noted("hands out what is stale"):
		did = "hands out what is stale"
	case noted("tries again"):
		did = "tries again"
	case kept >= 0 && slices.Contains(cacheable, answer.Status):
		did = fraction.ReplaceAllString(notes[kept], "")
	}
	if noted("in parts") {
		did = "in parts, " + did
	}
	if noted("answers itself") {
		did += ", and answers itself"
	}
	return did
}

// cacheable are the statuses of answers that Fastly keeps.
// Upstream: https://www.fastly.com/documentation/reference/vcl/variables/backend-response/beresp-cacheable/
var cacheable = []int{200, 203, 300, 301, 302, 404, 410}

var fraction = regexp.MustCompile(`\.[0-9]+`)

// requireServer compares what the server got, and how often of two times.
func (r *row) requireServer(t *testing.T, fastly *Fastly) {
	t.Helper()
	expected, name := r.server, "origin"
	if first, _, _ := strings.Cut(expected, " "); fastly.Servers[first] != nil {
		expected, name = strings.TrimPrefix(strings.TrimPrefix(expected, first), " | "), first
	} else if strings.Contains(r.request, "://cdn.") || strings.Contains(strings.ToLower(r.request), " cdn.") {
		name = "media"
	}
	asked := fastly.Servers[name].Asked
	switch {
	case strings.HasPrefix(r.does, "redirects"), strings.HasPrefix(r.does, "asks"), strings.HasPrefix(r.does, "is under"):
		require.Empty(t, asked)
		return
	case strings.Contains(r.does, "keeps ") && !strings.HasSuffix(r.does, nothing):
		require.Len(t, asked, 1, "the second time is answered from the copy")
	case strings.Contains(r.does, "again"), strings.HasSuffix(r.does, "looks up"):
		require.NotEmpty(t, asked) // falco fetches what Fastly throws away, and never gets past the shield
	default:
		require.Len(t, asked, 2)
	}
	if url, rest, _ := strings.Cut(strings.TrimSpace(expected), " | "); strings.HasPrefix(strings.TrimPrefix(url, "url "), "/") {
		require.Equal(t, strings.TrimPrefix(url, "url "), asked[0].URL.RequestURI())
		expected = rest
	}
	header := asked[0].Header.Clone()
	header.Set("Host", header.Get(hostHeader))
	requireHeaders(t, expected, header)
}

// requireHeaders compares headers with a row's.
func requireHeaders(t *testing.T, expected string, found http.Header) {
	t.Helper()
	if expected == "" {
		return
	}
	for line := range strings.SplitSeq(expected, " | ") {
		if name, absent := strings.CutPrefix(line, "-"); absent {
			require.Empty(t, found.Values(name), name)
			continue
		}
		name, value, _ := strings.Cut(line, ": ")
		require.Equal(t, value, strings.Join(found.Values(name), ", "), name)
	}
}

// headers reads those of a row.
func headers(lines string) http.Header {
	header := http.Header{}
	for line := range strings.SplitSeq(lines, " | ") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			header.Add(name, value)
		}
	}
	return header
}
