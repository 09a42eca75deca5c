//go:build linux

// Package volumes is the part of Linode's storage driver that runs on each node of a live rehearsal: the node service of CSI, for
// which a volume is a folder. What asks the Linode API is in package blockstorage.
package volumes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"lke-platform/tests/rehearsal/live/spec"
)

// Driver serves the volumes of one node.
type Driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer

	InstanceID int // of the Linode
	Region     string
	Attachable int64 // how many volumes it takes
	// Devices is a folder with a link for each volume that is attached, by its ID, to the volume's folder.
	Devices string
}

// GetPluginInfo implements csi.IdentityServer.
func (*Driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: spec.StorageDriver, VendorVersion: "rehearsal"}, nil
}

// GetPluginCapabilities implements csi.IdentityServer. Volumes may grow only while they are attached nowhere, says the real
// driver, and does not mind.
func (*Driver) GetPluginCapabilities(
	context.Context, *csi.GetPluginCapabilitiesRequest,
) (*csi.GetPluginCapabilitiesResponse, error) {
	out := &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{{
		Type: &csi.PluginCapability_VolumeExpansion_{
			VolumeExpansion: &csi.PluginCapability_VolumeExpansion{Type: csi.PluginCapability_VolumeExpansion_OFFLINE},
		},
	}}}
	for _, service := range []csi.PluginCapability_Service_Type{
		csi.PluginCapability_Service_CONTROLLER_SERVICE, csi.PluginCapability_Service_VOLUME_ACCESSIBILITY_CONSTRAINTS,
	} {
		out.Capabilities = append(out.Capabilities, &csi.PluginCapability{
			Type: &csi.PluginCapability_Service_{Service: &csi.PluginCapability_Service{Type: service}},
		})
	}
	return out, nil
}

// Probe implements csi.IdentityServer.
func (*Driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

// NodeGetCapabilities implements csi.NodeServer.
func (*Driver) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	out := &csi.NodeGetCapabilitiesResponse{}
	for _, capability := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME, csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
		csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		out.Capabilities = append(out.Capabilities, &csi.NodeServiceCapability{
			Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: capability}},
		})
	}
	return out, nil
}

// NodeGetInfo implements csi.NodeServer.
func (d *Driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{
		NodeId: strconv.Itoa(d.InstanceID), MaxVolumesPerNode: d.Attachable,
		AccessibleTopology: &csi.Topology{Segments: map[string]string{spec.RegionTopology: d.Region}},
	}, nil
}

// refuse says all that is wrong with a request; nil where nothing is.
func refuse(faults ...error) error {
	if err := errors.Join(faults...); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return nil
}

func given(name, value string) error {
	if value == "" {
		return errors.New("the request has no " + name)
	}
	return nil
}

// usable is an error for what a folder cannot be.
func usable(capability *csi.VolumeCapability) error {
	if capability.GetMount() == nil {
		return errors.New("volumes are folders here: the request has to be for a file system")
	}
	return nil
}

// NodeStageVolume mounts the folder of a volume that is attached where pods get it from.
func (d *Driver) NodeStageVolume(_ context.Context, in *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	id, staging := in.GetVolumeId(), in.GetStagingTargetPath()
	err := refuse(given("volume", id), given("staging path", staging), usable(in.GetVolumeCapability()))
	if err != nil {
		return nil, err
	}
	folder, err := filepath.EvalSymlinks(filepath.Join(d.Devices, strconv.Itoa(spec.VolumeID(id))))
	if err != nil {
		return nil, status.Errorf(codes.Internal, "volume %s is not attached: %v", id, err)
	}
	if err := mount(folder, staging, false); err != nil {
		return nil, status.Errorf(codes.Internal, "mounting volume %s: %v", id, err)
	}
	return &csi.NodeStageVolumeResponse{}, nil
}

// NodeUnstageVolume takes the mount away. The folder that it was on is the caller's.
func (*Driver) NodeUnstageVolume(_ context.Context, in *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	if err := refuse(given("volume", in.GetVolumeId()), given("staging path", in.GetStagingTargetPath())); err != nil {
		return nil, err
	}
	if err := unmount(in.GetStagingTargetPath()); err != nil {
		return nil, status.Errorf(codes.Internal, "unmounting volume %s: %v", in.GetVolumeId(), err)
	}
	return &csi.NodeUnstageVolumeResponse{}, nil
}

// NodePublishVolume mounts a staged volume where a pod wants it.
func (*Driver) NodePublishVolume(_ context.Context, in *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	id, staging, target := in.GetVolumeId(), in.GetStagingTargetPath(), in.GetTargetPath()
	err := refuse(given("volume", id), given("staging path", staging), given("target path", target),
		usable(in.GetVolumeCapability()))
	if err != nil {
		return nil, err
	}
	if in.GetVolumeCapability().GetAccessMode().GetMode() == csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER {
		if err := alone(staging, target); err != nil {
			return nil, err
		}
	}
	if err := mount(staging, target, in.GetReadonly()); err != nil {
		return nil, status.Errorf(codes.Internal, "mounting volume %s: %v", id, err)
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// alone refuses a volume for one pod that another has.
func alone(staging, target string) error {
	all, err := mountinfo.GetMounts(nil)
	if err != nil {
		return status.Errorf(codes.Internal, "listing mounts: %v", err)
	}
	staged := slices.IndexFunc(all, func(m *mountinfo.Info) bool { return m.Mountpoint == staging })
	if staged < 0 {
		return nil
	}
	for _, m := range all {
		same := m.Root == all[staged].Root && m.Major == all[staged].Major && m.Minor == all[staged].Minor
		if same && m.Mountpoint != staging && m.Mountpoint != target {
			return status.Errorf(codes.FailedPrecondition, "the volume is for one pod, and is mounted on %s", m.Mountpoint)
		}
	}
	return nil
}

// NodeUnpublishVolume takes the mount away, and what it was on.
func (*Driver) NodeUnpublishVolume(
	_ context.Context, in *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	if err := refuse(given("volume", in.GetVolumeId()), given("target path", in.GetTargetPath())); err != nil {
		return nil, err
	}
	err := unmount(in.GetTargetPath())
	if err == nil {
		err = os.Remove(in.GetTargetPath()) // never with what is in it: that may be the volume
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, status.Errorf(codes.Internal, "unmounting volume %s: %v", in.GetVolumeId(), err)
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// NodeGetVolumeStats tells how full the file system of this computer is, which volumes share.
func (*Driver) NodeGetVolumeStats(
	_ context.Context, in *csi.NodeGetVolumeStatsRequest,
) (*csi.NodeGetVolumeStatsResponse, error) {
	if err := refuse(given("volume", in.GetVolumeId()), given("volume path", in.GetVolumePath())); err != nil {
		return nil, err
	}
	var of unix.Statfs_t
	if err := unix.Statfs(in.GetVolumePath(), &of); err != nil {
		return nil, status.Errorf(codes.NotFound, "looking at volume %s: %v", in.GetVolumeId(), err)
	}
	block, used := of.Bsize, int64(of.Blocks-of.Bfree)
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{
		{
			Unit:  csi.VolumeUsage_BYTES,
			Total: int64(of.Blocks) * block, Used: used * block, Available: int64(of.Bavail) * block,
		},
		{
			Unit:  csi.VolumeUsage_INODES,
			Total: int64(of.Files), Used: int64(of.Files - of.Ffree), Available: int64(of.Ffree),
		},
	}}, nil
}

// same tells whether two paths lead to one folder.
func same(path, other string) bool {
	one, err := os.Stat(path)
	two, fault := os.Stat(other)
	return err == nil && fault == nil && os.SameFile(one, two)
}

// mount mounts a folder on a target, which it makes, unless it is there already.
func mount(folder, target string, readOnly bool) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if same(folder, target) {
		return nil
	}
	if err := unix.Mount(folder, target, "", unix.MS_BIND, ""); err != nil || !readOnly {
		return err
	}
	if err := unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return errors.Join(err, unmount(target)) // the next attempt would take it for done
	}
	return nil
}

// unmount takes away all that is mounted on a target.
func unmount(target string) error {
	for {
		switch err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW); {
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT): // nothing is
			return nil
		case err != nil:
			return err
		}
	}
}
