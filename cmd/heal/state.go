package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"

	"lke-platform/cmd/internal/command"
)

// resource is one of the state, or one that is to be in it.
type resource struct {
	URN          string         `json:"urn"`
	Type         string         `json:"type"`
	ID           string         `json:"id"`
	Custom       bool           `json:"custom"`
	Delete       bool           `json:"delete"`             // once its replacement is there
	IsDeleted    bool           `json:"pendingReplacement"` // before its replacement is made
	Inputs       map[string]any `json:"inputs"`
	Parent       string         `json:"parent"`
	Provider     string         `json:"provider"`
	Dependencies []string       `json:"dependencies"`

	text json.RawMessage // all of it
}

func (r *resource) UnmarshalJSON(text []byte) error {
	type plain resource
	r.text = bytes.Clone(text)
	return json.Unmarshal(text, (*plain)(r))
}

// name is what a reader knows the resource by.
func (r *resource) name() string {
	return r.Type[strings.LastIndex(r.Type, ":")+1:] + " " + r.URN[strings.LastIndex(r.URN, "::")+2:]
}

// input is a text among the inputs; "" is one that is not known.
func (r *resource) input(key string) string {
	text, _ := r.Inputs[key].(string)
	return text
}

// number is a number among the inputs; 0 is one that is not known.
func (r *resource) number(key string) int {
	number, _ := r.Inputs[key].(float64)
	return int(number)
}

// objectID is the ID of an object inside a cluster, whether it is there or not: what is not drops out of the state when the next
// run looks. It takes no objects over that are there already and not in the state. Releases mend themselves.
func (r *resource) objectID() (id string, isObject bool) {
	if !strings.HasPrefix(r.Type, "kubernetes:") || r.Type == "kubernetes:helm.sh/v3:Release" {
		return "", false
	}
	metadata, _ := r.Inputs["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	name, _ := metadata["name"].(string)
	return strings.TrimPrefix(namespace+"/"+name, "/"), name != ""
}

// state is what Pulumi knows of a stack.
type state struct {
	resources []*resource
	// creating are those that were being made when a run was killed.
	creating []*resource

	text              []byte
	whole, deployment map[string]json.RawMessage
}

// readState has Pulumi tell the state. Secrets in it stay encrypted.
func readState(ctx context.Context, stack string) (*state, error) {
	text, err := command.Output(ctx, nil, "pulumi", "stack", "export", "--stack", stack)
	if err != nil {
		return nil, err
	}
	s := &state{text: text}
	var pending []struct {
		Resource *resource `json:"resource"`
		Type     string    `json:"type"`
	}
	err = json.Unmarshal(text, &s.whole)
	for _, part := range []struct {
		text func() json.RawMessage
		into any
	}{
		{func() json.RawMessage { return s.whole["deployment"] }, &s.deployment},
		{func() json.RawMessage { return s.deployment["resources"] }, &s.resources},
		{func() json.RawMessage { return s.deployment["pending_operations"] }, &pending},
	} {
		if content := part.text(); err == nil && content != nil {
			err = json.Unmarshal(content, part.into)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("pulumi stack export: %w", err)
	}
	for _, operation := range pending {
		if operation.Type == "creating" {
			s.creating = append(s.creating, operation.Resource)
		}
	}
	return s, nil
}

// has says whether the state knows a resource by its URN.
func (s *state) has(urn string) bool {
	for _, one := range s.resources {
		if one.URN == urn && !one.Delete {
			return true
		}
	}
	return false
}

// ids are those that resources of a type have in the cloud.
func (s *state) ids(kind string) sets.Set[string] {
	ids := sets.New[string]()
	for _, one := range s.resources {
		if one.Type == kind {
			ids.Insert(one.ID)
		}
	}
	return ids
}

// accepts says whether all that a resource cannot be in the state without is there.
func (s *state) accepts(r *resource) bool {
	at := strings.LastIndex(r.Provider, "::")
	if at < 0 || !s.has(r.Parent) {
		return false
	}
	for _, one := range s.resources {
		if one.URN == r.Provider[:at] && one.ID == r.Provider[at+2:] {
			return true
		}
	}
	return false
}

// write has Pulumi take the resources into the state, and forget what was pending. `pulumi refresh` has an option for that,
// --import-pending-creates, but it only marks them as being imported, and then they are dropped like all that is pending. So each
// comes with its ID and what was declared of it, and the next look at the cloud completes it.
//
// The error is also that somebody has changed the state since it was read.
func (s *state) write(ctx context.Context, stack string, found []*resource) error {
	now, err := command.Output(ctx, nil, "pulumi", "stack", "export", "--stack", stack)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, s.text) {
		return errors.New("another run has changed the state meanwhile, and nothing was done; run this again")
	}
	for _, one := range found {
		if err := s.take(one); err != nil {
			return err
		}
	}
	all := make([]json.RawMessage, len(s.resources))
	for i, one := range s.resources {
		all[i] = one.text
	}
	delete(s.deployment, "pending_operations")
	if s.deployment["resources"], err = json.Marshal(all); err != nil {
		return err
	}
	if s.whole["deployment"], err = json.Marshal(s.deployment); err != nil {
		return err
	}
	text, err := json.Marshal(s.whole)
	if err != nil {
		return err
	}
	_, err = command.Output(ctx, text, "pulumi", "stack", "import", "--stack", stack)
	return err
}

// take puts a resource into the state: to its end, or in the place of the one that it replaces, which others depend on and which
// is then to be deleted.
func (s *state) take(r *resource) error {
	at := slices.IndexFunc(s.resources, func(one *resource) bool { return one.URN == r.URN && !one.Delete })
	if at < 0 {
		at = len(s.resources)
		s.resources = append(s.resources, r)
	}
	old := s.resources[at]
	s.resources[at] = r
	var err error
	r.text, err = r.with(func(all map[string]any) {
		all["id"], all["outputs"] = r.ID, r.Inputs
		// The next run notes anew what it depends on; none may lead to what does not come before it.
		delete(all, "propertyDependencies")
		all["dependencies"] = slices.DeleteFunc(slices.Clone(r.Dependencies), func(urn string) bool {
			return !slices.ContainsFunc(s.resources[:at], func(one *resource) bool { return one.URN == urn })
		})
	})
	if err != nil || old == r || old.IsDeleted {
		return err
	}
	old.Delete = true
	old.text, err = old.with(func(all map[string]any) { all["delete"] = true })
	s.resources = append(s.resources, old)
	return err
}

// with returns the text of the resource with a change.
func (r *resource) with(change func(all map[string]any)) (json.RawMessage, error) {
	var all map[string]any
	if err := json.Unmarshal(r.text, &all); err != nil {
		return nil, err
	}
	change(all)
	return json.Marshal(all)
}

// toCreate are the resources that the program would make now, also in the place of others. Some can be told even where it cannot
// be run to its end.
func toCreate(ctx context.Context, stack string, options []string) ([]*resource, error) {
	arguments := append([]string{"preview", "--stack", stack, "--json", "--non-interactive"}, options...)
	text, failed := command.Output(ctx, nil, "pulumi", arguments...)
	var preview struct {
		Steps []struct {
			Op       string    `json:"op"`
			NewState *resource `json:"newState"`
		} `json:"steps"`
	}
	if err := json.Unmarshal(text, &preview); err != nil {
		return nil, errors.Join(failed, fmt.Errorf("pulumi preview: %w", err))
	}
	var created []*resource
	for _, step := range preview.Steps {
		if strings.HasPrefix(step.Op, "create") && step.NewState != nil && step.NewState.Custom {
			created = append(created, step.NewState)
		}
	}
	return created, failed
}
