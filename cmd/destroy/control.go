package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	"lke-platform/internal/cloud"
)

// control is the API of a cluster, of which little is asked: a client of its own would take longer to build than this runs.
type control struct{ api cloud.API }

// answerTime is how long the API of a cluster may take to answer.
const answerTime = 10 * time.Second

// connect reads the kubeconfig of a cluster, and sees that its API answers, to one of three calls.
func (d *destruction) connect(ctx context.Context, cluster int) (*control, error) {
	var answer struct{ Kubeconfig []byte }
	if err := d.linode.Get(ctx, fmt.Sprintf("/lke/clusters/%d/kubeconfig", cluster), &answer); err != nil {
		return nil, err
	}
	api, err := cloud.Kubernetes(string(answer.Kubeconfig))
	if err != nil {
		return nil, err
	}
	api.Client.Timeout = answerTime
	limited, stop := context.WithTimeout(ctx, 3*answerTime)
	defer stop()
	if err := api.Get(limited, "/readyz", nil); err != nil {
		return nil, err
	}
	api.Once = true // what is looked at is looked at again
	return &control{api}, nil
}

// heads are the metadata of a list's objects, without the rest of them.
const heads = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

// persistentVolume is as much of one as is asked for.
type persistentVolume struct {
	Spec struct {
		CSI struct {
			Handle string `json:"volumeHandle"`
		} `json:"csi"`
		Claim struct {
			Namespace, Name string
		} `json:"claimRef"`
	} `json:"spec"`
}

// claims are those of the cluster's volumes, by Linode's numbers of the volumes.
func (c *control) claims(ctx context.Context) (map[int]string, error) {
	var list struct{ Items []persistentVolume }
	if err := c.api.Get(ctx, "/api/v1/persistentvolumes", &list); err != nil {
		return nil, err
	}
	claims := map[int]string{}
	for _, one := range list.Items {
		number, _, _ := strings.Cut(one.Spec.CSI.Handle, "-") // <ID>-<label>
		if id, err := strconv.Atoi(number); err == nil {
			claims[id] = one.Spec.Claim.Namespace + "/" + one.Spec.Claim.Name
		}
	}
	return claims, nil
}

// object is one inside the cluster.
type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name       string   `json:"name"`
		Namespace  string   `json:"namespace"`
		UID        string   `json:"uid"`
		Deleted    string   `json:"deletionTimestamp"` // "" where it is not being deleted
		Finalizers []string `json:"finalizers"`
	} `json:"metadata"`

	path string
}

func (o *object) name() string {
	return strings.TrimSpace(o.Kind + " " + strings.TrimPrefix(o.Metadata.Namespace+"/"+o.Metadata.Name, "/"))
}

// operators are the finalizers that operators set, each with a domain of its own. Those of Kubernetes and of the storage driver,
// without which a volume would be left, are for what LKE itself runs.
func (o *object) operators() sets.Set[string] {
	found := sets.New[string]()
	for _, finalizer := range o.Metadata.Finalizers {
		domain, _, _ := strings.Cut(finalizer, "/")
		if strings.Contains(domain, ".") && !strings.HasSuffix(domain, "kubernetes.io") && !strings.HasSuffix(domain, "k8s.io") {
			found.Insert(finalizer)
		}
	}
	return found
}

// held are the objects of all kinds that are being deleted, and that an operator has not let go of. A kind that cannot be listed
// is passed over: an aggregated API's server may be gone, and the definition of a kind be on its way.
func (c *control) held(ctx context.Context) (held []object, err error) {
	versions, err := c.versions(ctx)
	if err != nil {
		return nil, err
	}
	for _, version := range versions {
		var kinds struct{ Resources []kind }
		if err := c.api.Get(ctx, version, &kinds); err != nil {
			continue
		}
		for _, one := range kinds.Resources {
			held = append(held, c.heldOf(ctx, version, one)...)
		}
	}
	return held, nil
}

// kind is one of the kinds of objects that a cluster knows.
type kind struct {
	Name, Kind string
	Verbs      []string
}

func (c *control) heldOf(ctx context.Context, version string, k kind) (held []object) {
	var list struct{ Items []object }
	api := c.api
	api.Accept = heads
	if !sets.New(k.Verbs...).HasAll("list", "patch") || strings.Contains(k.Name, "/") ||
		api.Get(ctx, version+"/"+k.Name, &list) != nil {
		return nil
	}
	for _, one := range list.Items {
		if one.Metadata.Deleted == "" || one.operators().Len() == 0 {
			continue
		}
		space := ""
		if one.Metadata.Namespace != "" {
			space = "/namespaces/" + one.Metadata.Namespace
		}
		one.Kind, one.path = k.Kind, version+space+"/"+k.Name+"/"+one.Metadata.Name
		held = append(held, one)
	}
	return held
}

// versions are the paths of all groups of the API, of each the version that it prefers.
func (c *control) versions(ctx context.Context) ([]string, error) {
	var groups struct {
		Groups []struct {
			PreferredVersion struct{ GroupVersion string }
		}
	}
	if err := c.api.Get(ctx, "/apis", &groups); err != nil {
		return nil, err
	}
	paths := []string{"/api/v1"}
	for _, group := range groups.Groups {
		paths = append(paths, "/apis/"+group.PreferredVersion.GroupVersion)
	}
	return paths, nil
}

// letGo takes the operators' finalizers from an object, which is deleted then.
func (c *control) letGo(ctx context.Context, o *object) error {
	kept := []string{}
	for _, finalizer := range o.Metadata.Finalizers {
		if !o.operators().Has(finalizer) {
			kept = append(kept, finalizer)
		}
	}
	err := c.api.Patch(ctx, o.path, map[string]any{"metadata": map[string]any{"finalizers": kept}})
	if cloud.IsAbsent(err) {
		return nil
	}
	return err
}

// unblock lets go, until the context ends, of what operators have not let go of in the time that they have: they are gone, and
// what they would still have to do inside the cluster goes with it.
func (d *destruction) unblock(ctx context.Context, c *control) {
	since := map[string]time.Time{}
	ticks := time.NewTicker(max(d.patience/6, time.Second))
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		held, err := c.held(ctx)
		if err != nil {
			continue // the cluster may be on its way
		}
		for _, one := range held {
			if seen, known := since[one.Metadata.UID]; !known {
				since[one.Metadata.UID] = time.Now()
			} else if time.Since(seen) >= d.patience {
				d.letGo(ctx, c, &one)
			}
		}
	}
}

func (d *destruction) letGo(ctx context.Context, c *control, o *object) {
	whom := strings.Join(sets.List(o.operators()), ", ")
	if err := c.letGo(ctx, o); err != nil {
		d.say("%s is being deleted, but nobody lets go of it (%s), nor can this: %v", o.name(), whom, err)
		return
	}
	d.say("%s was being deleted, but nobody let go of it (%s): this has", o.name(), whom)
}
