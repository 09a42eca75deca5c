//go:build linux

package live

import (
	"context"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"github.com/linode/linodego"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"lke-platform/tests/rehearsal/blockstorage"
	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/live/volumes"
)

// apartVariable tells a process that its mounts are its own.
const apartVariable = "LIVE_SANITY_APART"

// The sanity tests of those who make CSI find nothing wrong with the storage driver, on a Linode whose disks are folders.
func TestStorageDriverIsSane(t *testing.T) {
	if os.Getenv(apartVariable) != "" {
		sane(t)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("mounting volumes takes root")
	}
	suite := exec.Command(os.Args[0], "-test.run=^TestStorageDriverIsSane$", "-test.v")
	suite.Env = append(os.Environ(), apartVariable+"=1")
	suite.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // no mount of it outlives it
	output, err := suite.CombinedOutput()
	require.NoError(t, err, string(output))
	require.Regexp(t, `Ran [1-9]\d+ of \d+ Specs`, string(output))
}

func sane(t *testing.T) {
	dir := t.TempDir()
	machines := &Machines{options: Options{Dir: dir}}
	api, err := linode.New(linode.Options{Dir: dir, Token: "token", Disks: machines})
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(func() { server.Close(); api.Close() })
	account := linodego.NewClient(nil)
	account.SetBaseURL(server.URL)
	account.SetToken("token")
	instance, err := account.CreateInstance(t.Context(), linodego.InstanceCreateOptions{Region: "us-ord", Type: "g6-standard-2"})
	require.NoError(t, err)

	suite := sanity.NewTestConfig()
	suite.Address = serveDriver(t, &account, &volumes.Driver{
		InstanceID: instance.ID, Region: instance.Region, Attachable: int64(linode.Attachable(instance.Specs.Memory)),
		Devices: machines.devices(instance.ID),
	})
	suite.TargetPath, suite.StagingPath = filepath.Join(dir, "target"), filepath.Join(dir, "staging")
	sanity.Test(t, suite)
}

// serveDriver serves both parts of the driver, and returns where.
func serveDriver(t *testing.T, account *linodego.Client, node *volumes.Driver) (address string) {
	driver := grpc.NewServer()
	csi.RegisterIdentityServer(driver, node)
	csi.RegisterNodeServer(driver, node)
	csi.RegisterControllerServer(driver, &blockstorage.Controller{
		Linode: account, Region: func(context.Context) (string, error) { return node.Region, nil },
	})
	socket := filepath.Join(t.TempDir(), "csi.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	go func() { _ = driver.Serve(listener) }()
	t.Cleanup(driver.Stop)
	return "unix://" + socket
}
