package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"lke-platform/cmd/internal/command"
	"lke-platform/internal/cloud"
)

// told is what Pulumi tells of a stack: its outputs, and what is in its state.
type told struct {
	URL        string            `json:"url"`
	ClusterID  string            `json:"clusterId"`
	Kubeconfig string            `json:"kubeconfig"`
	ServiceID  string            `json:"fastlyServiceId"`
	ServiceIDs map[string]string `json:"fastlyServiceIds"` // of further apps
	Records    []record          `json:"dnsRecords"`       // in zones at other providers

	state state
}

// record is that of a name of which it is known where it has to lead.
type record struct {
	Zone   string   `json:"zone"`
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Values []string `json:"values"`
}

// state is what counts in a stack's state.
type state struct {
	Deployment struct {
		Manifest struct {
			Time time.Time `json:"time"`
		} `json:"manifest"`
		Resources []resource        `json:"resources"`
		Pending   []json.RawMessage `json:"pending_operations"`
	} `json:"deployment"`
}

type resource struct {
	URN    string         `json:"urn"`
	Type   string         `json:"type"`
	ID     string         `json:"id"`
	Inputs map[string]any `json:"inputs"`
	Delete bool           `json:"delete"` // what has been replaced, and is still there
}

func (r *resource) input(key string) string {
	if value, given := r.Inputs[key]; given {
		return fmt.Sprint(value)
	}
	return ""
}

// ask has Pulumi tell what there is.
func (s *survey) ask(ctx context.Context) error {
	if s.stack == "" {
		return errors.New("which stack? make status STACK=…")
	}
	limited, stop := context.WithTimeout(ctx, s.pulumiTime)
	defer stop()
	s.told = &told{}
	both, limited := errgroup.WithContext(limited)
	both.Go(func() error {
		return tell(limited, s.told, "stack", "output", "--stack", s.stack, "--json", "--show-secrets")
	})
	both.Go(func() error { return tell(limited, &s.told.state, "stack", "export", "--stack", s.stack) })
	if err := both.Wait(); err != nil {
		return err
	}
	deployment := &s.told.state.Deployment
	deployment.Resources = slices.DeleteFunc(deployment.Resources, func(r resource) bool { return r.Delete })
	if s.told.Kubeconfig == "" {
		return nil
	}
	kubernetes, err := cloud.Kubernetes(s.told.Kubeconfig)
	kubernetes.Once, s.kubernetes = true, &kubernetes
	return err
}

func tell(ctx context.Context, answer any, arguments ...string) error {
	text, err := command.Output(ctx, nil, "pulumi", arguments...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("pulumi %s: %w", strings.Join(arguments[:2], " "), err)
	}
	return nil
}

// lookAtState tells what a run has left undone.
func (s *survey) lookAtState(context.Context) (*finding, error) {
	deployment := s.told.state.Deployment
	f := &finding{
		says: count(len(deployment.Resources), "resource") + ", written " + age(s.now.Sub(deployment.Manifest.Time)) + " ago",
		more: "make up STACK=" + s.stack,
	}
	if n := len(deployment.Pending); n > 0 {
		f.fault("a run was killed while it made %s", count(n, "resource"))
		f.more = "make heal STACK=" + s.stack
	}
	if s.told.ClusterID == "" || s.kubernetes == nil {
		f.fault("there is no cluster yet, or no more")
	}
	return f, nil
}

// services are the IDs of the stack's Fastly services, by the names of their apps; the first has none.
func (t *told) services() map[string]string {
	services := maps.Clone(t.ServiceIDs)
	if services == nil {
		services = map[string]string{}
	}
	if t.ServiceID != "" {
		services[""] = t.ServiceID
	}
	return services
}

const hostsType = "::lke-platform:dns:Hosts$linode:index/domainRecord:DomainRecord::"

// hosts are the records of names that lead to the platform, each with all its addresses; those of the origin are apart.
func (t *told) hosts() (public, origin []record) {
	zones, found := map[string]string{}, map[[2]string]*record{}
	for _, r := range t.state.Deployment.Resources {
		if r.Type == "linode:index/domain:Domain" {
			zones[r.ID] = r.input("domain")
		}
	}
	for _, r := range t.state.Deployment.Resources {
		if !strings.Contains(r.URN, hostsType) {
			continue
		}
		zone := zones[r.input("domainId")]
		key := [2]string{strings.TrimPrefix(r.input("name")+"."+zone, "."), r.input("recordType")}
		if found[key] == nil {
			found[key] = &record{Zone: zone, Name: key[0], Type: key[1]}
		}
		found[key].Values = append(found[key].Values, r.input("target"))
	}
	for _, r := range found {
		if r.Name == "origin."+r.Zone {
			origin = append(origin, *r)
		} else {
			public = append(public, *r)
		}
	}
	return public, origin
}

// isBypassed says whether visitors are led past Fastly: their names lead where the origin does.
func (t *told) isBypassed() bool {
	public, origin := t.hosts()
	return slices.ContainsFunc(public, func(r record) bool {
		return slices.ContainsFunc(origin, func(o record) bool { return o.Type == r.Type && slices.Equal(o.Values, r.Values) })
	})
}
