package linode

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
)

// volume is a disk of the Block Storage service: https://techdocs.akamai.com/linode-api/reference/get-volume
type volume struct {
	ID             int      `json:"id"`
	Label          string   `json:"label"`
	Status         string   `json:"status"`
	Region         string   `json:"region"`
	Size           int      `json:"size"` // GB
	LinodeID       *int     `json:"linode_id"`
	LinodeLabel    *string  `json:"linode_label"`
	IOReady        bool     `json:"io_ready"`
	FilesystemPath string   `json:"filesystem_path"`
	HardwareType   string   `json:"hardware_type"`
	Encryption     string   `json:"encryption"`
	Tags           []string `json:"tags"`
	Created        string   `json:"created"`
	Updated        string   `json:"updated"`
	Locks          []string `json:"locks"`
}

const (
	minVolumeSize     = 10    // GB
	maxVolumeSize     = 16384 // GB
	defaultVolumeSize = 20    // GB
)

func (a *API) volumeRoutes() routes {
	volumes := collection[*volume]{
		path:   "/volumes",
		items:  func(c *call) ([]*volume, error) { return c.state.Volumes, nil },
		id:     func(v *volume) string { return strconv.Itoa(v.ID) },
		create: a.createVolume,
		update: updateVolume,
		delete: a.deleteVolume,
	}
	attached := collection[*volume]{items: func(c *call) ([]*volume, error) {
		i, err := through(c, "linode", c.state.Instances, func(i *instance) int { return i.ID })
		return c.state.volumesOf(i), err
	}}
	r := volumes.routes()
	r["POST /volumes/{id}/attach"] = volumes.on(a.attachVolume)
	r["POST /volumes/{id}/detach"] = volumes.action(a.detachVolume)
	r["POST /volumes/{id}/resize"] = volumes.on(resizeVolume)
	r["GET /linode/instances/{linode}/volumes"] = attached.list
	return r
}

func (a *API) createVolume(c *call) (any, error) {
	var in struct {
		Label      string   `json:"label"`
		Region     string   `json:"region"`
		LinodeID   int      `json:"linode_id"`
		Size       int      `json:"size"`
		Encryption string   `json:"encryption"`
		Tags       []string `json:"tags"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	i := c.state.instance(in.LinodeID)
	if i != nil {
		in.Region = cmp.Or(in.Region, i.Region)
	}
	encrypted := a.catalog.offers(in.Region, "Block Storage Encryption")
	v := &volume{
		Label: in.Label, Status: "active", Region: in.Region, Size: cmp.Or(in.Size, defaultVolumeSize), HardwareType: "nvme",
		FilesystemPath: filesystemPath(in.Label), Tags: append([]string{}, in.Tags...), Locks: []string{},
		Encryption: cmp.Or(in.Encryption, pick(encrypted, enabled, disabled)), Created: now(), Updated: now(),
	}
	var check checks
	check.that(a.catalog.offers(in.Region, "Block Storage"), "region", "region is not valid")
	check.that(v.Encryption == disabled || v.Encryption == enabled && encrypted, "encryption",
		"Must be disabled or, where the region supports it, enabled")
	v.check(&check, c.state)
	if in.LinodeID != 0 {
		v.checkAttachment(&check, c.state, i)
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	v.ID = c.state.newID()
	if i != nil {
		if err := a.attach(v, i); err != nil {
			return nil, err
		}
	}
	c.state.Volumes = append(c.state.Volumes, v)
	return v.still("creating"), nil
}

// filesystemPath is where a Linode finds the volume. It follows the label.
func filesystemPath(label string) string { return "/dev/disk/by-id/scsi-0Linode_Volume_" + label }

// still is how a volume looks right after a change that takes Linode a few seconds.
func (v *volume) still(status string) volume {
	shown := *v
	shown.Status, shown.IOReady = status, false
	return shown
}

func updateVolume(c *call, v *volume) error {
	var in struct {
		Label *string   `json:"label"`
		Tags  *[]string `json:"tags"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	changed := *v
	set(&changed.Label, in.Label)
	set(&changed.Tags, in.Tags)
	changed.FilesystemPath = filesystemPath(changed.Label)
	var check checks
	changed.check(&check, c.state)
	if err := check.err(); err != nil {
		return err
	}
	*v = changed
	return nil
}

// deleteVolume takes a volume from a Linode only if that was never switched on.
func (a *API) deleteVolume(c *call, v *volume) error {
	var check checks
	used := v.LinodeID != nil && c.state.instance(*v.LinodeID).EverBooted
	check.that(!used, "", "The volume must be detached before it can be deleted")
	if err := check.err(); err != nil {
		return err
	}
	if err := a.options.Disks.Destroy(v.ID); err != nil {
		return err
	}
	c.state.Volumes = without(c.state.Volumes, v)
	return nil
}

func (a *API) attachVolume(c *call, v *volume) (any, error) {
	var in struct {
		LinodeID int `json:"linode_id"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	i := c.state.instance(in.LinodeID)
	var check checks
	v.checkAttachment(&check, c.state, i)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := a.attach(v, i); err != nil {
		return nil, err
	}
	return v.still(v.Status), nil
}

func (a *API) detachVolume(_ *call, v *volume) error {
	if v.LinodeID != nil {
		if err := a.options.Disks.Unplug(*v.LinodeID, v.ID); err != nil {
			return err
		}
	}
	v.detach()
	return nil
}

func resizeVolume(c *call, v *volume) (any, error) {
	var in struct {
		Size int `json:"size"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var check checks
	check.that(in.Size > v.Size, "size", "Volumes can only be resized up")
	changed := *v
	changed.Size, changed.Updated = in.Size, now()
	changed.check(&check, c.state)
	if err := check.err(); err != nil {
		return nil, err
	}
	*v = changed
	return v.still("resizing"), nil
}

var volumeLabelPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,31}$`)

func (v *volume) check(check *checks, s *state) {
	check.that(volumeLabelPattern.MatchString(v.Label), "label", "Must be 1-32 letters, digits, dashes and underscores")
	namesake := find(s.Volumes, func(other *volume) bool { return other.ID != v.ID && other.Label == v.Label })
	check.that(namesake == nil, "label", "Label must be unique among your volumes")
	check.that(v.Size >= minVolumeSize && v.Size <= maxVolumeSize, "size", "Must be %d-%d", minVolumeSize, maxVolumeSize)
}

func (v *volume) checkAttachment(check *checks, s *state, i *instance) {
	if i == nil {
		check.that(false, "linode_id", "linode_id is not valid")
		return
	}
	check.that(v.LinodeID == nil, "", "Volume %d is already attached", v.ID)
	check.that(i.Region == v.Region, "linode_id", "The Linode is in %s, the volume in %s", i.Region, v.Region)
	limit := i.maxVolumes()
	check.that(len(s.volumesOf(i)) < limit, "linode_id", "The Linode has %d volumes, which is its limit", limit)
}

// maxVolumes is how many volumes can be attached to a Linode: one for each GiB of its memory, but at least 8 and at most
// 64, less its own disk: https://techdocs.akamai.com/cloud-computing/docs/block-storage
func (i *instance) maxVolumes() int {
	const ownDisks = 1
	return min(max(i.Specs.Memory/1024, 8), 64) - ownDisks
}

func (a *API) attach(v *volume, i *instance) error {
	if err := a.options.Disks.Plug(i.ID, v.ID); err != nil {
		return err
	}
	v.LinodeID, v.LinodeLabel, v.IOReady, v.Updated = &i.ID, &i.Label, true, now()
	return nil
}

func (v *volume) detach() {
	v.LinodeID, v.LinodeLabel, v.IOReady, v.Updated = nil, nil, false, now()
}

// volumesOf are the volumes that are attached to a Linode.
func (s *state) volumesOf(i *instance) []*volume {
	elsewhere := func(v *volume) bool { return v.LinodeID == nil || *v.LinodeID != i.ID }
	return slices.DeleteFunc(slices.Clone(s.Volumes), elsewhere)
}
