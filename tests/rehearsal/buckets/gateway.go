package buckets

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"lke-platform/tests/rehearsal/linode"
)

// Folders of a gateway: what is in its buckets now, older versions of that, and who may sign.
const (
	contents = "contents"
	versions = "versions"
	users    = "users"
)

// patience is how long a gateway may take to start.
const patience = 20 * time.Second

// gateway is a versitygw that serves the buckets of one endpoint, to who comes through its socket.
type gateway struct {
	dir    string
	owner  *minio.Client
	proxy  *httputil.ReverseProxy
	guard  *exec.Cmd
	leash  io.Closer // it dies when this closes
	socket string

	mu      sync.Mutex
	secrets map[string]string // by access key, of who may sign
	made    map[string]bool   // buckets
}

// startGateway starts a gateway, and waits until it answers.
func startGateway(program, dir, endpoint string) (*gateway, error) {
	for _, folder := range []string{contents, versions, users} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return nil, err
		}
	}
	g := &gateway{dir: dir, socket: "@lke-platform-" + rand.Text(), secrets: map[string]string{}, made: map[string]bool{}}
	transport := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", g.socket)
	}}
	g.proxy = &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", endpoint // the host that the request was signed for stays
	}}
	region, _, _ := strings.Cut(endpoint, ".")
	access, secret := rand.Text(), rand.Text()
	var err error
	g.owner, err = minio.New(endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(access, secret, ""), Region: region, Transport: transport,
		BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		return nil, err
	}
	if err := g.writeUsers(); err != nil {
		return nil, err
	}
	if err := g.run(program, endpoint, region, access, secret); err != nil {
		return nil, err
	}
	return g, g.await()
}

// run starts the program under a shell that kills it when a pipe closes, which the kernel does however this process ends.
func (g *gateway) run(program, endpoint, region, access, secret string) error {
	output, err := os.OpenFile(filepath.Join(g.dir, "gateway.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	g.guard = exec.Command("/bin/sh", "-c", `trap '' HUP INT TERM; "$@" </dev/null & read _; kill -KILL $!`, "sh",
		program, "--port", g.socket, "--region", region, "--virtual-domain", endpoint, "--quiet", "--keep-alive",
		"--iam-dir", filepath.Join(g.dir, users), "--iam-cache-disable",
		"posix", "--versioning-dir", filepath.Join(g.dir, versions), filepath.Join(g.dir, contents))
	g.guard.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+access, "ROOT_SECRET_KEY="+secret)
	g.guard.Stdout, g.guard.Stderr = output, output
	g.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C in the terminal is not for it
	if g.leash, err = g.guard.StdinPipe(); err != nil {
		return err
	}
	return g.guard.Start()
}

// await waits until the gateway answers.
func (g *gateway) await() error {
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(20 * time.Millisecond) {
		if connection, err := net.Dial("unix", g.socket); err == nil {
			return connection.Close()
		}
	}
	return fmt.Errorf("it does not answer, log: %s (%w)", filepath.Join(g.dir, "gateway.log"), g.close())
}

func (g *gateway) close() error {
	err := g.leash.Close()
	_ = g.guard.Wait()
	return err
}

// admit has the gateway know a key: who signs with it may do everything there, as what that is was looked at before.
func (g *gateway) admit(key *linode.StorageKey) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.secrets[key.Access] == key.Secret {
		return nil
	}
	g.secrets[key.Access] = key.Secret
	return g.writeUsers()
}

func (g *gateway) writeUsers() error {
	type account struct {
		Access string `json:"access"`
		Secret string `json:"secret"`
		Role   string `json:"role"`
	}
	accounts := map[string]account{}
	for access, secret := range g.secrets {
		accounts[access] = account{access, secret, "admin"}
	}
	content, err := json.Marshal(map[string]any{"accessAccounts": accounts})
	if err != nil {
		return err
	}
	path := filepath.Join(g.dir, users, "users.json")
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// open lets everybody in: whom, the server in front says.
const open = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*",
  "Resource": ["arn:aws:s3:::%[1]s", "arn:aws:s3:::%[1]s/*"]}]}`

// make makes a bucket that the account has, where it is not there yet.
func (g *gateway) make(ctx context.Context, label string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.made[label] {
		return nil
	}
	exists, err := g.owner.BucketExists(ctx, label)
	if err != nil {
		return fmt.Errorf("looking for bucket %s: %w", label, err)
	}
	if !exists {
		if err := g.owner.MakeBucket(ctx, label, minio.MakeBucketOptions{}); err != nil {
			return fmt.Errorf("making bucket %s: %w", label, err)
		}
	}
	if err := g.owner.SetBucketPolicy(ctx, label, fmt.Sprintf(open, label)); err != nil {
		return fmt.Errorf("opening bucket %s: %w", label, err)
	}
	g.made[label] = true
	return nil
}
