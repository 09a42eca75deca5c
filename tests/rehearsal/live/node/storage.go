//go:build linux

package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"

	"lke-platform/tests/rehearsal/live/spec"
)

// storage is the part of Linode's storage driver that runs on each node. A volume is a folder, which all machines see: whether it
// is attached to this one is known to who attaches it.
type storage struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
	registration.UnimplementedRegistrationServer
	*machine
}

// serveStorage serves volumes, and tells the kubelet where.
func (m *machine) serveStorage() error {
	s := &storage{machine: m}
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, s)
	csi.RegisterNodeServer(server, s)
	registration.RegisterRegistrationServer(server, s)
	for _, path := range []string{storageSocket, kubeletRoot + "/plugins_registry/" + spec.StorageDriver + "-reg.sock"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // from before a reboot
			return err
		}
		listener, err := net.Listen("unix", path)
		if err != nil {
			return err
		}
		go func() { m.ended <- server.Serve(listener) }()
	}
	return nil
}

func (s *storage) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: spec.StorageDriver, Endpoint: storageSocket, SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (s *storage) NotifyRegistrationStatus(
	_ context.Context, in *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if !in.GetPluginRegistered() {
		s.ended <- errors.New("the kubelet takes no volumes: " + in.GetError())
	}
	return &registration.RegistrationStatusResponse{}, nil
}

func (s *storage) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: spec.StorageDriver, VendorVersion: "rehearsal"}, nil
}

func (s *storage) GetPluginCapabilities(
	context.Context, *csi.GetPluginCapabilitiesRequest,
) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{}, nil
}

func (s *storage) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func (s *storage) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (s *storage) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{
		NodeId: strconv.Itoa(s.InstanceID), MaxVolumesPerNode: s.Attachable,
		AccessibleTopology: &csi.Topology{Segments: map[string]string{"topology.linode.com/region": s.Region}},
	}, nil
}

// NodePublishVolume mounts a volume's folder where a pod wants it.
func (s *storage) NodePublishVolume(
	_ context.Context, in *csi.NodePublishVolumeRequest,
) (*csi.NodePublishVolumeResponse, error) {
	folder := filepath.Join(s.Volumes, filepath.Base(in.GetVolumeId()))
	for _, path := range []string{folder, in.GetTargetPath()} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	if mounted(in.GetTargetPath(), folder) {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	if err := unix.Mount(folder, in.GetTargetPath(), "", unix.MS_BIND, ""); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// mounted tells whether a folder is mounted on a target.
func mounted(target, folder string) bool {
	one, err := os.Stat(target)
	other, fault := os.Stat(folder)
	return err == nil && fault == nil && os.SameFile(one, other)
}

// NodeUnpublishVolume takes it away. It may be asked again.
func (s *storage) NodeUnpublishVolume(
	_ context.Context, in *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	err := unix.Unmount(in.GetTargetPath(), 0)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	// Never with what is in it: that may be the volume.
	if err := os.Remove(in.GetTargetPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}
