//go:build linux

package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"

	"lke-platform/tests/rehearsal/live/spec"
	"lke-platform/tests/rehearsal/live/volumes"
)

// registrar tells the kubelet of the storage driver.
type registrar struct {
	registration.UnimplementedRegistrationServer
	*machine
}

// serveStorage serves volumes, and tells the kubelet where.
func (m *machine) serveStorage() error {
	driver := &volumes.Driver{InstanceID: m.InstanceID, Region: m.Region, Attachable: m.Attachable, Devices: m.Devices}
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, driver)
	csi.RegisterNodeServer(server, driver)
	registration.RegisterRegistrationServer(server, &registrar{machine: m})
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

func (*registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: spec.StorageDriver, Endpoint: storageSocket, SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (r *registrar) NotifyRegistrationStatus(
	_ context.Context, in *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if !in.GetPluginRegistered() {
		r.ended <- errors.New("the kubelet takes no volumes: " + in.GetError())
	}
	return &registration.RegistrationStatusResponse{}, nil
}
