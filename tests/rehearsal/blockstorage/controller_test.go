package blockstorage

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/linode/linodego"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"lke-platform/tests/rehearsal/linode"
)

// rig is the driver in a simulated account. (What CSI asks of every driver is tested in package live.)
type rig struct {
	*testing.T
	*Controller
}

func newRig(t *testing.T) *rig {
	api, err := linode.New(linode.Options{Dir: t.TempDir(), Token: "token"})
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(func() { server.Close(); api.Close() })
	account := linodego.NewClient(nil)
	account.SetBaseURL(server.URL)
	account.SetToken("token")
	return &rig{t, &Controller{Linode: &account, Region: func(context.Context) (string, error) { return "us-ord", nil }}}
}

func (r *rig) linode() (id string) {
	r.Helper()
	options := linodego.InstanceCreateOptions{Region: "us-ord", Type: "g6-standard-2"}
	instance, err := r.Linode.CreateInstance(r.Context(), options)
	require.NoError(r, err)
	return strconv.Itoa(instance.ID)
}

var writer = &csi.VolumeCapability{
	AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
}

func (r *rig) create(name string, parameters map[string]string) (*csi.Volume, error) {
	made, err := r.CreateVolume(r.Context(), &csi.CreateVolumeRequest{
		Name: name, VolumeCapabilities: []*csi.VolumeCapability{writer}, Parameters: parameters,
		CapacityRange: &csi.CapacityRange{RequiredBytes: 1},
	})
	return made.GetVolume(), err
}

func (r *rig) attach(volume *csi.Volume, node string) error {
	_, err := r.ControllerPublishVolume(r.Context(), &csi.ControllerPublishVolumeRequest{
		VolumeId: volume.GetVolumeId(), NodeId: node, VolumeCapability: writer,
	})
	return err
}

func TestAVolumeIsAsItsClassSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	made, err := r.create("pvc1", map[string]string{
		"linodebs.csi.linode.com/volumeTags": "a,b", "linodebs.csi.linode.com/encrypted": "true",
	})
	require.NoError(t, err)
	require.EqualValues(t, 10<<30, made.CapacityBytes, "no volume is smaller")
	all, err := r.Linode.ListVolumes(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%d-pvc1", all[0].ID), made.VolumeId)
	require.Equal(t, []string{"a", "b"}, all[0].Tags)
	require.Equal(t, "enabled", all[0].Encryption)
	require.Equal(t, map[string]string{"topology.linode.com/region": "us-ord"}, made.AccessibleTopology[0].Segments)
}

func TestAVolumeIsOnOneNodeAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.linode(), r.linode()
	volume, err := r.create("pvc1", nil)
	require.NoError(t, err)
	require.NoError(t, r.attach(volume, one))
	require.NoError(t, r.attach(volume, one), "it is there already")
	require.Equal(t, codes.FailedPrecondition, status.Code(r.attach(volume, two)))
	_, err = r.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: volume.VolumeId})
	require.Equal(t, codes.FailedPrecondition, status.Code(err))

	detach := func(node string) error {
		_, err := r.ControllerUnpublishVolume(t.Context(), &csi.ControllerUnpublishVolumeRequest{
			VolumeId: volume.VolumeId, NodeId: node,
		})
		return err
	}
	require.NoError(t, detach(two), "it is not there")
	require.Equal(t, codes.FailedPrecondition, status.Code(r.attach(volume, two)))
	require.NoError(t, detach(one))
	require.NoError(t, r.attach(volume, two))
	_, err = r.CreateVolume(t.Context(), &csi.CreateVolumeRequest{Name: "pvc2", VolumeCapabilities: []*csi.VolumeCapability{{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER},
	}}})
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}

func TestANodeTakesSoManyVolumes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	node := r.linode()
	for i := range 7 {
		volume, err := r.create(fmt.Sprintf("pvc%d", i), nil)
		require.NoError(t, err)
		want := codes.OK
		if i == 6 { // of eight disks two are the node's own
			want = codes.ResourceExhausted
		}
		require.Equal(t, want, status.Code(r.attach(volume, node)), i)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for asked, want := range map[*csi.CapacityRange]int{
		nil:                                     10,
		{RequiredBytes: 10 << 30}:               10,
		{RequiredBytes: 10<<30 + 1}:             11,
		{RequiredBytes: 1, LimitBytes: 1 << 30}: 0,
		{RequiredBytes: -1}:                     0,
	} {
		size, err := sizeOf(asked)
		require.Equal(t, want, size)
		require.Equal(t, want == 0, status.Code(err) == codes.OutOfRange)
	}
}
