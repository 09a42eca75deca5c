package report

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// frames show the page as wide as a phone and as a desktop. The browser prints this page when it has measured them.
const frames = `<!doctype html><title>frames</title><link rel="icon" href="data:,">
<iframe src="/report.html" style="width:390px;height:800px;border:0"></iframe>
<iframe src="/report.html" style="width:1400px;height:900px;border:0"></iframe>
<pre></pre>
<script>
addEventListener("load", () => {
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument
    const measure = () => page.documentElement.clientWidth + " holds " +
      Math.max(page.documentElement.scrollWidth, page.body.scrollWidth) + "; "
    document.querySelector("pre").textContent += measure()
    for (const folded of page.querySelectorAll("details")) folded.open = true
    document.querySelector("pre").textContent += measure()
  }
})
</script>`

// browser is a headless Chromium, whatever it is called.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium is on PATH (Debian's package is chromium): how the page looks in a browser is not tried")
	return ""
}

func TestThePageFitsPhonesAndDesktops(t *testing.T) {
	chromium := browser(t)
	r := shop()
	long := strings.Repeat("a-name-without-a-place-to-break", 6)
	for i := range r.Resources {
		r.Resources[i].Name += long
	}
	r.Nodes[0].Name, r.Cost[0].What, r.Warnings[0], r.Live[0].Name, r.Certificates[0].Domain = long, long, long, long, long
	for name, page := range map[string]string{"whole": write(t, r), "failed": write(t, failed()), "empty": write(t, Rehearsal{Stack: long})} {
		t.Run(name, func(t *testing.T) {
			var asked sync.Map
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Store(r.URL.Path, true)
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				if r.URL.Path == "/report.html" {
					fmt.Fprint(w, page)
				} else {
					fmt.Fprint(w, frames)
				}
			}))
			defer server.Close()
			ctx, end := context.WithTimeout(t.Context(), 2*time.Minute)
			defer end()
			// Its own sandbox needs rights that a container may not have; what it is shown is ours.
			command := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
				"--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--dump-dom", server.URL)
			var errors bytes.Buffer
			command.Stderr = &errors
			dom, err := command.Output()
			require.NoError(t, err, errors.String())
			require.Contains(t, string(dom), "<pre>390 holds 390; 390 holds 390; 1400 holds 1400; 1400 holds 1400; </pre>")
			require.Empty(t, regexp.MustCompile("(?m)^.*:CONSOLE.*$").FindAllString(errors.String(), -1), "it complains of the page")
			asked.Range(func(path, _ any) bool {
				require.Contains(t, []string{"/", "/report.html"}, path, "the page asks for nothing else")
				return true
			})
		})
	}
}
