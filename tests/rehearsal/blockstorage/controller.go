// Package blockstorage is the part of Linode's storage driver that asks the Linode API: the controller service of CSI. It makes
// volumes, attaches them, has them grow, and deletes them, refuses what the real driver refuses, and cannot clone. The part that
// runs on each node is in live/volumes. https://github.com/linode/linode-blockstorage-csi-driver
package blockstorage

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/linode/linodego"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"lke-platform/tests/rehearsal/linode"
	"lke-platform/tests/rehearsal/live/spec"
)

// What a storage class may say.
const (
	tagsParameter      = spec.StorageDriver + "/volumeTags"
	encryptedParameter = spec.StorageDriver + "/encrypted"
)

// Controller is the controller service. Its callers are in the same process.
type Controller struct {
	csi.UnimplementedControllerServer

	Linode *linodego.Client
	// Region is where volumes are made.
	Region func(context.Context) (string, error)
}

// ControllerGetCapabilities implements csi.ControllerServer.
func (*Controller) ControllerGetCapabilities(
	context.Context, *csi.ControllerGetCapabilitiesRequest,
) (*csi.ControllerGetCapabilitiesResponse, error) {
	out := &csi.ControllerGetCapabilitiesResponse{}
	for _, capability := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_UNPUBLISH_VOLUME,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
		csi.ControllerServiceCapability_RPC_LIST_VOLUMES,
		csi.ControllerServiceCapability_RPC_LIST_VOLUMES_PUBLISHED_NODES,
		csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		out.Capabilities = append(out.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: capability}},
		})
	}
	return out, nil
}

// CreateVolume makes a volume, or finds the one of the same name.
func (c *Controller) CreateVolume(ctx context.Context, in *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if in.GetName() == "" {
		return nil, status.Error(codes.InvalidArgument, "the volume has no name")
	}
	if err := check(in.GetVolumeCapabilities()...); err != nil {
		return nil, err
	}
	if in.GetVolumeContentSource() != nil {
		return nil, status.Error(codes.InvalidArgument, "volumes are made empty")
	}
	size, err := sizeOf(in.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	label := in.GetName()[:min(len(in.GetName()), 32)] // the longest that the API takes
	volume, err := c.find(ctx, label)
	if volume == nil && err == nil {
		volume, err = c.create(ctx, label, size, in.GetParameters())
	}
	if err != nil {
		return nil, status.Errorf(codes.Internal, "making volume %s: %v", label, err)
	}
	if volume.Size != size {
		return nil, status.Errorf(codes.AlreadyExists, "volume %s is there, with %d GiB", label, volume.Size)
	}
	return &csi.CreateVolumeResponse{Volume: describe(volume)}, nil
}

// find finds a volume by its label; nil where there is none.
func (c *Controller) find(ctx context.Context, label string) (*linodego.Volume, error) {
	filter, err := json.Marshal(map[string]string{"label": label})
	if err != nil {
		return nil, err
	}
	found, err := c.Linode.ListVolumes(ctx, linodego.NewListOptions(0, string(filter)))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (c *Controller) create(
	ctx context.Context, label string, size int, parameters map[string]string,
) (*linodego.Volume, error) {
	region, err := c.Region(ctx)
	if err != nil {
		return nil, err
	}
	options := linodego.VolumeCreateOptions{Label: label, Region: region, Size: size, Encryption: "disabled"}
	if tags := parameters[tagsParameter]; tags != "" {
		options.Tags = strings.Split(tags, ",")
	}
	if parameters[encryptedParameter] == "true" {
		options.Encryption = "enabled"
	}
	return c.Linode.CreateVolume(ctx, options)
}

// describe tells of a volume as CSI does.
func describe(volume *linodego.Volume) *csi.Volume {
	where := map[string]string{spec.RegionTopology: volume.Region}
	return &csi.Volume{
		VolumeId: strconv.Itoa(volume.ID) + "-" + volume.Label, CapacityBytes: int64(volume.Size) * gibibyte,
		VolumeContext: where, AccessibleTopology: []*csi.Topology{{Segments: where}},
	}
}

// DeleteVolume deletes a volume, once it is detached.
func (c *Controller) DeleteVolume(ctx context.Context, in *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	volume, err := c.volume(ctx, in)
	switch {
	case status.Code(err) == codes.NotFound:
		return &csi.DeleteVolumeResponse{}, nil
	case err != nil:
		return nil, err
	case volume.LinodeID != nil:
		return nil, status.Errorf(codes.FailedPrecondition, "volume %d is attached to Linode %d", volume.ID, *volume.LinodeID)
	}
	if err := c.Linode.DeleteVolume(ctx, volume.ID); err != nil {
		return nil, status.Errorf(codes.Internal, "deleting volume %d: %v", volume.ID, err)
	}
	return &csi.DeleteVolumeResponse{}, nil
}

// volume is the one that a request is about.
func (c *Controller) volume(ctx context.Context, in interface{ GetVolumeId() string }) (*linodego.Volume, error) {
	handle := in.GetVolumeId()
	if handle == "" {
		return nil, status.Error(codes.InvalidArgument, "the request names no volume")
	}
	volume, err := c.Linode.GetVolume(ctx, spec.VolumeID(handle))
	if linodego.IsNotFound(err) {
		return nil, status.Errorf(codes.NotFound, "there is no volume %s", handle)
	}
	if err != nil {
		return nil, status.Errorf(codes.Internal, "looking for volume %s: %v", handle, err)
	}
	return volume, nil
}

// ControllerPublishVolume attaches a volume to a Linode, which takes no more than it says, where it is attached to no other.
func (c *Controller) ControllerPublishVolume(
	ctx context.Context, in *csi.ControllerPublishVolumeRequest,
) (*csi.ControllerPublishVolumeResponse, error) {
	if in.GetNodeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "the request names no node")
	}
	if err := check(in.GetVolumeCapability()); err != nil {
		return nil, err
	}
	volume, err := c.volume(ctx, in)
	if err != nil {
		return nil, err
	}
	number, _ := strconv.Atoi(in.GetNodeId()) // no Linode has ID 0
	instance, err := c.Linode.GetInstance(ctx, number)
	if linodego.IsNotFound(err) {
		return nil, status.Errorf(codes.NotFound, "there is no Linode %s", in.GetNodeId())
	}
	if err != nil {
		return nil, status.Errorf(codes.Internal, "looking for Linode %s: %v", in.GetNodeId(), err)
	}
	if err := c.attach(ctx, volume, instance); err != nil {
		return nil, err
	}
	return &csi.ControllerPublishVolumeResponse{PublishContext: map[string]string{"devicePath": volume.FilesystemPath}}, nil
}

func (c *Controller) attach(ctx context.Context, volume *linodego.Volume, instance *linodego.Instance) error {
	switch {
	case volume.LinodeID != nil && *volume.LinodeID == instance.ID:
		return nil
	case volume.LinodeID != nil:
		return status.Errorf(codes.FailedPrecondition, "volume %d is attached to Linode %d", volume.ID, *volume.LinodeID)
	}
	attached, err := c.Linode.ListInstanceVolumes(ctx, instance.ID, nil)
	if err != nil {
		return status.Errorf(codes.Internal, "listing the volumes of Linode %d: %v", instance.ID, err)
	}
	if limit := linode.Attachable(instance.Specs.Memory); len(attached) >= limit {
		return status.Errorf(codes.ResourceExhausted, "Linode %d has %d volumes, which is its limit", instance.ID, limit)
	}
	if _, err := c.Linode.AttachVolume(ctx, volume.ID, &linodego.VolumeAttachOptions{LinodeID: instance.ID}); err != nil {
		return status.Errorf(codes.Internal, "attaching volume %d: %v", volume.ID, err)
	}
	return nil
}

// ControllerUnpublishVolume detaches a volume from a Linode, if it is attached to that one.
func (c *Controller) ControllerUnpublishVolume(
	ctx context.Context, in *csi.ControllerUnpublishVolumeRequest,
) (*csi.ControllerUnpublishVolumeResponse, error) {
	volume, err := c.volume(ctx, in)
	if status.Code(err) == codes.NotFound {
		return &csi.ControllerUnpublishVolumeResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	if volume.LinodeID != nil && (in.GetNodeId() == "" || in.GetNodeId() == strconv.Itoa(*volume.LinodeID)) {
		if err := c.Linode.DetachVolume(ctx, volume.ID); err != nil {
			return nil, status.Errorf(codes.Internal, "detaching volume %d: %v", volume.ID, err)
		}
	}
	return &csi.ControllerUnpublishVolumeResponse{}, nil
}

// ValidateVolumeCapabilities confirms what is possible, all of it or nothing.
func (c *Controller) ValidateVolumeCapabilities(
	ctx context.Context, in *csi.ValidateVolumeCapabilitiesRequest,
) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if len(in.GetVolumeCapabilities()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "the request names no capability")
	}
	if _, err := c.volume(ctx, in); err != nil {
		return nil, err
	}
	if err := check(in.GetVolumeCapabilities()...); err != nil {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: err.Error()}, nil
	}
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: in.GetVolumeCapabilities()},
	}, nil
}

// ListVolumes lists the account's volumes. A token is the place in that list at which the next answer begins.
func (c *Controller) ListVolumes(ctx context.Context, in *csi.ListVolumesRequest) (*csi.ListVolumesResponse, error) {
	all, err := c.Linode.ListVolumes(ctx, nil)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "listing volumes: %v", err)
	}
	from := 0
	if token := in.GetStartingToken(); token != "" {
		if from, err = strconv.Atoi(token); err != nil || from < 0 || from > len(all) {
			return nil, status.Errorf(codes.Aborted, "%q is no token of an earlier list", token)
		}
	}
	out, to := &csi.ListVolumesResponse{}, len(all)
	if most := int(in.GetMaxEntries()); most > 0 && from+most < to {
		to = from + most
		out.NextToken = strconv.Itoa(to)
	}
	for _, volume := range all[from:to] {
		entry := &csi.ListVolumesResponse_Entry{Volume: describe(&volume), Status: &csi.ListVolumesResponse_VolumeStatus{}}
		if volume.LinodeID != nil {
			entry.Status.PublishedNodeIds = []string{strconv.Itoa(*volume.LinodeID)}
		}
		out.Entries = append(out.Entries, entry)
	}
	return out, nil
}

// ControllerExpandVolume has a volume grow. Nodes have nothing to do for it: volumes are folders there.
func (c *Controller) ControllerExpandVolume(
	ctx context.Context, in *csi.ControllerExpandVolumeRequest,
) (*csi.ControllerExpandVolumeResponse, error) {
	volume, err := c.volume(ctx, in)
	if err != nil {
		return nil, err
	}
	size, err := sizeOf(in.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	if size > volume.Size {
		if err := c.Linode.ResizeVolume(ctx, volume.ID, size); err != nil {
			return nil, status.Errorf(codes.Internal, "resizing volume %d: %v", volume.ID, err)
		}
	}
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: int64(max(size, volume.Size)) * gibibyte}, nil
}

// possible are the ways to use a volume: on one node at a time.
var possible = []csi.VolumeCapability_AccessMode_Mode{
	csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER,
	csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER,
	csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER,
}

func check(capabilities ...*csi.VolumeCapability) error {
	if len(capabilities) == 0 {
		return status.Error(codes.InvalidArgument, "the request names no capability")
	}
	for _, capability := range capabilities {
		if mode := capability.GetAccessMode().GetMode(); !slices.Contains(possible, mode) {
			return status.Errorf(codes.InvalidArgument, "a volume is for one node at a time, and not %s", mode)
		}
	}
	return nil
}
