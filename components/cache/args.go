package cache

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Args describes a cache.
type Args struct {
	// Name of the cache, unique in the stack.
	Name string `json:"name"`
	// Memory is reserved for each of three servers and limits it, in bytes; entries fill seven tenths of it. At least 64Mi.
	// Default 128Mi.
	Memory string `json:"memory"`
	// Eviction says what goes when the memory is full: noeviction refuses writes, which is right for queues, allkeys-lru drops
	// what was not used for longest, which is right for caches. Default noeviction.
	// Upstream: https://valkey.io/topics/lru-cache/
	Eviction string `json:"eviction"`
	// Persistent keeps the entries on a disk for each server, so that they outlive the loss of all of them at once.
	Persistent bool `json:"persistent"`
	// Values are laid over those of the chart, last and whatever they say.
	Values map[string]any `json:"values"`

	// Namespace is where the cache runs, and where the application has to run that uses it.
	Namespace pulumi.StringInput `json:"-"`
	// StorageClass is the class of the disks.
	StorageClass pulumi.StringInput `json:"-"`
}

const (
	// leastMemory is what a server takes that holds next to nothing, with room for its replicas and for the copy that it writes.
	leastMemory = "64Mi"
	// diskSize is Linode's smallest. It is more than memory that anybody reserves for a cache here.
	diskSize = "10Gi"
	// longestName leaves room for what the chart appends to the names of its objects.
	longestName = 30
)

var evictions = []string{
	"noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random",
	"volatile-ttl",
}

// Default fills in what holds where nothing else is said.
func (a *Args) Default() { a.Memory, a.Eviction = "128Mi", "noeviction" }

// Validate returns every fault of what configuration can set, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Name(path.Child("name"), a.Name)
	if len(a.Name) > longestName {
		faults = append(faults, field.TooLong(path.Child("name"), a.Name, longestName))
	}
	faults = append(faults, check.OneOf(path.Child("eviction"), a.Eviction, evictions...)...)
	return append(faults, memory(path.Child("memory"), a.Memory)...)
}

func memory(path *field.Path, value string) field.ErrorList {
	if faults := check.Quantity(path, value); len(faults) > 0 {
		return faults
	}
	size, least, most := resource.MustParse(value), resource.MustParse(leastMemory), resource.MustParse(diskSize)
	if size.Cmp(least) < 0 || size.Cmp(most) > 0 {
		return field.ErrorList{field.Invalid(path, value, fmt.Sprintf(
			"must be from %s, which a server takes that holds next to nothing, to %s", leastMemory, diskSize))}
	}
	return nil
}

// ValidateAll checks all caches of a stack, which have different names.
func ValidateAll(path *field.Path, caches []Args) field.ErrorList {
	var faults field.ErrorList
	seen := sets.New[string]()
	for i := range caches {
		faults = append(faults, caches[i].Validate(path.Index(i))...)
		faults = append(faults, check.Unique(seen, path.Index(i).Child("name"), caches[i].Name)...)
	}
	return faults
}
