package blockstorage

import (
	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// Smallest is the size of the smallest volume, in GiB.
	Smallest = 10
	gibibyte = 1 << 30
)

// sizeOf is what a volume has that is asked for, in GiB: Linode's sizes are whole ones.
func sizeOf(asked *csi.CapacityRange) (int, error) {
	required, limit := asked.GetRequiredBytes(), asked.GetLimitBytes()
	size := max((required+gibibyte-1)/gibibyte, Smallest)
	if required < 0 || limit < 0 || limit > 0 && size*gibibyte > limit {
		return 0, status.Errorf(codes.OutOfRange, "a volume has whole GiB, %d or more: not from %d to %d bytes",
			Smallest, required, limit)
	}
	return int(size), nil
}
