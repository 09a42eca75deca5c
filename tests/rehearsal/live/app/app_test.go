package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// asApp tells a process that it is the app, which a test ends.
const asApp = "REHEARSAL_TEST_APP"

func TestMain(m *testing.M) {
	if os.Getenv(asApp) != "" {
		main()
	}
	os.Exit(m.Run())
}

func serveApp(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(newApp())
	t.Cleanup(server.Close)
	return server.URL
}

// do requests a page, and returns the status and the body of the answer.
func do(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.NotEmpty(t, response.Header.Get(podHeader))
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(content)
}

func TestTheCallerSeesItself(t *testing.T) {
	t.Parallel()
	url := serveApp(t)
	for _, path := range []string{"/", "/any/page?x=1", "/slow?for=1ms"} {
		status, page := do(t, http.MethodGet, url+path, "", "X-Forwarded-For", "203.0.113.7, 10.2.1.1", requestID, "abc")
		require.Equal(t, http.StatusOK, status)
		var seen reflection
		require.NoError(t, json.Unmarshal([]byte(page), &seen))
		require.Equal(t, "203.0.113.7", seen.Client)
		require.Equal(t, "abc", seen.Headers[requestID])
		require.Equal(t, path, seen.URL)
	}
	_, page := do(t, http.MethodGet, url, "")
	require.Contains(t, page, `"client": "127.0.0.1"`)
}

func TestAnswersMayComeLineByLine(t *testing.T) {
	t.Parallel()
	_, page := do(t, http.MethodGet, serveApp(t)+"/stream?lines=3&every=1ms", "")
	require.Equal(t, "line 1 of 3\nline 2 of 3\nline 3 of 3\n", page)
}

func TestAWebSocketSaysWhatItHears(t *testing.T) {
	t.Parallel()
	connection, response, err := websocket.Dial(t.Context(), serveApp(t)+"/websocket", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	defer func() { _ = connection.CloseNow() }()
	require.NoError(t, connection.Write(t.Context(), websocket.MessageText, []byte("hear, hear")))
	_, heard, err := connection.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hear, hear", string(heard))
}

func TestHealthBreaksOnDemand(t *testing.T) {
	t.Parallel()
	url := serveApp(t)
	status := func(path string) int {
		status, _ := do(t, http.MethodGet, url+path, "")
		return status
	}
	do(t, http.MethodPost, url+"/break?path=/health", "")
	require.Equal(t, http.StatusServiceUnavailable, status("/health"))
	require.Equal(t, http.StatusOK, status("/"))
	do(t, http.MethodPost, url+"/break", "")
	require.Equal(t, http.StatusServiceUnavailable, status("/"))
	do(t, http.MethodPost, url+"/mend", "")
	require.Equal(t, http.StatusOK, status("/health"))
	do(t, http.MethodPost, url+"/break?for=1ns", "")
	require.Equal(t, http.StatusOK, status("/"), "for a while")

	_, metrics := do(t, http.MethodGet, url+"/metrics", "")
	require.Contains(t, metrics, `http_requests_total{code="503",method="get"} 2`)
	refused, _ := do(t, http.MethodPost, url+"/sigterm?how=gladly", "")
	require.Equal(t, http.StatusBadRequest, refused)
}

func TestWithoutBackingServicesTheirPagesSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	url := serveApp(t)
	status, page := do(t, http.MethodGet, url+"/db", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, page, "neither DATABASE_URL nor DB_HOST is set")
	status, page = do(t, http.MethodPut, url+"/upload/a.png", "content")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, page, "AWS_ASSETS_BUCKET")
}

func TestTheDatabaseIsFoundByItsParts(t *testing.T) {
	for name, value := range map[string]string{"DB_HOST": "db", "DB_NAME": "shop", "DB_USER": "app", "DB_PASS": "p@ss"} {
		t.Setenv(name, value)
	}
	require.Equal(t, "postgres://app:p%40ss@db/shop?sslmode=disable", databaseURL())
	t.Setenv("DATABASE_URL", "postgres://whole")
	require.Equal(t, "postgres://whole", databaseURL())
}

// bucket is an S3 server of few words.
type bucket map[string]string

func (b bucket) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	content, _ := io.ReadAll(r.Body)
	b[r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type")] = string(content)
	b["signed"], _, _ = strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
}

func TestUploadsGoToTheBucket(t *testing.T) {
	kept := bucket{}
	server := httptest.NewServer(kept)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ASSETS_BUCKET": "media", "AWS_S3_HOST": server.URL, "AWS_REGION": "us-east",
		"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
	} {
		t.Setenv(name, value)
	}
	status, page := do(t, http.MethodPut, serveApp(t)+"/upload/a.png", "content", "Content-Type", "image/png")
	require.Equal(t, http.StatusCreated, status, page)
	require.Equal(t, bucket{"PUT /media/uploads/a.png image/png": "content", "signed": "key"}, kept)
}

// start runs the app as a process, and returns its URL.
func start(t *testing.T, arguments ...string) (process *exec.Cmd, url string) {
	t.Helper()
	process = exec.Command(os.Args[0], arguments...)
	process.Env = append(os.Environ(), asApp+"=yes")
	output, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	t.Cleanup(func() { _ = process.Process.Kill() })
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	_, port, _ := strings.Cut(strings.TrimSpace(line), "]:")
	return process, "http://127.0.0.1:" + port
}

func TestSIGTERMIsTakenWellOrBadly(t *testing.T) {
	t.Parallel()
	for how, finishes := range map[string]bool{"": true, well: true, badly: false} {
		process, url := start(t, "serve", "0")
		if how != "" {
			do(t, http.MethodPost, url+"/sigterm?how="+how, "")
		}
		response, err := http.Get(url + "/stream?lines=20&every=10ms") // its first line is there, so the app is at it
		require.NoError(t, err)
		require.NoError(t, process.Process.Signal(syscall.SIGTERM))
		page, err := io.ReadAll(response.Body)
		require.NoError(t, response.Body.Close())
		require.Equal(t, finishes, err == nil && strings.HasSuffix(string(page), "line 20 of 20\n"), how)
		require.Equal(t, finishes, process.Wait() == nil)
	}
	process, url := start(t, "serve", "0")
	do(t, http.MethodPost, url+"/sigterm?how=never", "")
	require.NoError(t, process.Process.Signal(syscall.SIGTERM))
	status, _ := do(t, http.MethodGet, url, "")
	require.Equal(t, http.StatusOK, status)
}

func TestJobsEndAtOnce(t *testing.T) {
	t.Parallel()
	for argument, want := range map[string]int{"0": 0, "1": 1, "soon": 2} {
		process := exec.Command(os.Args[0], "exit", argument)
		process.Env = append(os.Environ(), asApp+"=yes")
		_ = process.Run()
		require.Equal(t, want, process.ProcessState.ExitCode())
	}
}
