package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"lke-platform/cmd/internal/command"
)

// What of a stack is looked at by its type.
const (
	clusterType = "linode:index/lkeCluster:LkeCluster"
	bucketType  = "linode:index/objectStorageBucket:ObjectStorageBucket"
	zoneType    = "linode:index/domain:Domain"
	recordType  = "linode:index/domainRecord:DomainRecord"
)

// resource is one of the state.
type resource struct {
	URN            string         `json:"urn"`
	Type           string         `json:"type"`
	ID             string         `json:"id"`
	Custom         bool           `json:"custom"`
	External       bool           `json:"external"`
	RetainOnDelete bool           `json:"retainOnDelete"`
	Inputs         map[string]any `json:"inputs"`
}

// name is what a reader knows the resource by.
func (r *resource) name() string {
	return r.Type[strings.LastIndex(r.Type, ":")+1:] + " " + r.URN[strings.LastIndex(r.URN, "::")+2:]
}

func (r *resource) number() int {
	number, _ := strconv.Atoi(r.ID)
	return number
}

// exists says whether the resource is something outside of the state.
func (r *resource) exists() bool {
	return r.Custom && !r.External && !strings.HasPrefix(r.Type, "pulumi:")
}

// readState has Pulumi tell what it knows of the stack, as far as it exists. Secrets stay encrypted.
func readState(ctx context.Context, stack string) ([]resource, error) {
	text, err := command.Output(ctx, nil, "pulumi", "stack", "export", "--stack", stack)
	if err != nil {
		return nil, err
	}
	var whole struct {
		Deployment struct{ Resources []resource }
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, fmt.Errorf("pulumi stack export: %w", err)
	}
	var found []resource
	for _, one := range whole.Deployment.Resources {
		if one.exists() {
			found = append(found, one)
		}
	}
	return found, nil
}

// of are the resources of a type.
func of(all []resource, kind string) (some []resource) {
	for _, one := range all {
		if one.Type == kind {
			some = append(some, one)
		}
	}
	return some
}

// pulumi runs `pulumi destroy`, which shows what it does. A Ctrl-C reaches it by itself, and it ends in good order then.
func (d *destruction) pulumi(u *used, options ...string) error {
	command := exec.Command("pulumi", append(append([]string{"destroy"}, d.options...), options...)...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, d.out, d.out
	if u.forgets() {
		// Objects inside are dropped from the state at the look that comes first.
		// Upstream: https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/
		command.Env = append(os.Environ(), "PULUMI_K8S_DELETE_UNREACHABLE=true")
	}
	if err := command.Run(); err != nil {
		return fmt.Errorf("pulumi destroy: %w", err)
	}
	return nil
}
