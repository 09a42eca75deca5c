package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// settings is the configuration of the provider, by its official names. What the official provider knows and a rehearsal has no
// use for (rendering to YAML files, client-side apply, Helm plugins) is refused.
type settings struct {
	// Kubeconfig is the contents of a kubeconfig file, or the path of one. The official provider falls back on the user's own
	// kubeconfig; a rehearsal must not.
	Kubeconfig string
	Context    string
	Cluster    string
	// Namespace is where objects go that name none; by default that of the kubeconfig's context, or "default".
	Namespace         string
	ClusterIdentifier string

	EnableServerSideApply       bool
	EnableConfigMapMutable      bool
	EnableSecretMutable         bool
	EnablePatchForce            bool
	UpsertExistingObjects       bool
	DeleteUnreachable           bool
	SkipUpdateUnreachable       bool
	SuppressDeprecationWarnings bool
	SuppressHelmHookWarnings    bool // there are none

	KubeClientSettings  clientSettings
	HelmReleaseSettings helmSettings
}

// clientSettings limits the requests to the API server.
type clientSettings struct {
	Burst   int     `json:"burst"`   // requests in one go, by default 120
	QPS     float64 `json:"qps"`     // requests per second in the long run, by default 50
	Timeout int     `json:"timeout"` // of one request, in seconds, by default none
}

// helmSettings is what the official provider lets one say about Helm, as far as a rehearsal can follow.
type helmSettings struct {
	Driver              string `json:"driver"` // where Helm keeps its releases: "secret" (default) or "configmap"
	SuppressBetaWarning bool   `json:"suppressBetaWarning"`
}

// parseSettings reads configuration as the engine hands it out: strings as they are, everything else as JSON in a string. The
// official provider's environment variables fill in for switches that are not configured.
func parseSettings(values map[string]string) (settings, map[string]error) {
	parsed := settings{EnableServerSideApply: true, KubeClientSettings: clientSettings{Burst: 120, QPS: 50}}
	faults := map[string]error{}
	fields := parsed.fields()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		field, known := fields[key]
		if !known {
			faults[key] = fmt.Errorf("the rehearsal's Kubernetes provider has no setting %q; it has %s",
				key, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
			continue
		}
		if err := assign(field, values[key]); err != nil {
			faults[key] = fmt.Errorf("%s: %w", key, err)
		}
	}
	for key, variable := range switchVariables {
		if text := os.Getenv(variable); text != "" && values[key] == "" {
			if err := assign(fields[key], text); err != nil {
				faults[key] = fmt.Errorf("%s: %w", variable, err)
			}
		}
	}
	if !parsed.EnableServerSideApply {
		faults["enableServerSideApply"] = fmt.Errorf("enableServerSideApply: a rehearsal knows server-side apply only")
	}
	return parsed, faults
}

var switchVariables = map[string]string{
	"deleteUnreachable":           "PULUMI_K8S_DELETE_UNREACHABLE",
	"enableConfigMapMutable":      "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
	"enablePatchForce":            "PULUMI_K8S_ENABLE_PATCH_FORCE",
	"enableSecretMutable":         "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
	"enableServerSideApply":       "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY",
	"skipUpdateUnreachable":       "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
	"suppressDeprecationWarnings": "PULUMI_K8S_SUPPRESS_DEPRECATION_WARNINGS",
	"upsertExistingObjects":       "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
}

// fields lists the settings by their official names.
func (s *settings) fields() map[string]any {
	fields := map[string]any{}
	value := reflect.ValueOf(s).Elem()
	for i := range value.NumField() {
		name := value.Type().Field(i).Name
		fields[strings.ToLower(name[:1])+name[1:]] = value.Field(i).Addr().Interface()
	}
	return fields
}

func assign(field any, text string) error {
	switch field := field.(type) {
	case *string:
		*field = text
		return nil
	case *bool:
		value, err := strconv.ParseBool(text)
		*field = value
		return err
	default:
		decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
		decoder.DisallowUnknownFields()
		return decoder.Decode(field)
	}
}

// load reads the kubeconfig.
func (s *settings) load() (*clientcmdapi.Config, error) {
	content := []byte(s.Kubeconfig)
	path := s.Kubeconfig
	if rest, inHome := strings.CutPrefix(path, "~/"); inHome {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(home, rest)
	}
	if read, err := os.ReadFile(path); err == nil {
		content = read
	}
	return clientcmd.Load(content)
}

// active returns the entry of the kubeconfig for the API server that the settings lead to, nil where there is none.
func (s *settings) active() (*clientcmdapi.Cluster, error) {
	config, err := s.load()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	if s.Cluster != "" {
		return config.Clusters[s.Cluster], nil
	}
	name := config.CurrentContext
	if s.Context != "" {
		name = s.Context
	}
	if context := config.Contexts[name]; context != nil {
		return config.Clusters[context.Cluster], nil
	}
	return nil, nil
}

// configuration turns properties of a provider resource into what parseSettings reads; what is not known yet is left out.
func configuration(properties resource.PropertyMap) (map[string]string, error) {
	values := map[string]string{}
	for key, value := range plain(properties) {
		if key == "version" || properties[key].ContainsUnknowns() {
			continue
		}
		if value.IsString() {
			values[string(key)] = value.StringValue()
			continue
		}
		text, err := json.Marshal(value.Mappable())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		values[string(key)] = string(text)
	}
	return values, nil
}

// CheckConfig refuses settings that do not exist and values that cannot be read.
func (s *server) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	var d decoder
	values, err := configuration(d.properties(r.GetNews()))
	if err := errors.Join(d.err, err); err != nil {
		return nil, fmt.Errorf("reading the configuration of the Kubernetes provider: %w", err)
	}
	_, faults := parseSettings(values)
	return &pulumirpc.CheckResponse{Inputs: r.GetNews(), Failures: failures(faults)}, nil
}

func failures(faults map[string]error) []*pulumirpc.CheckFailure {
	var failures []*pulumirpc.CheckFailure
	for _, property := range slices.Sorted(maps.Keys(faults)) {
		failures = append(failures, &pulumirpc.CheckFailure{Property: property, Reason: faults[property].Error()})
	}
	return failures
}

// DiffConfig tells whether the provider leads to another cluster now, so that everything in it has to be replaced. With a
// clusterIdentifier that is so when the identifier changes, and only then; otherwise when the API server in the kubeconfig
// does, or is not known yet.
func (s *server) DiffConfig(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	var d decoder
	olds, news := plain(d.properties(r.GetOldInputs())), plain(d.properties(r.GetNews()))
	if r.GetOldInputs() == nil {
		olds = plain(d.properties(r.GetOlds()))
	}
	if d.err != nil {
		return nil, d.err
	}
	diff := olds.Diff(news)
	if diff == nil {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
	}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME}
	for _, key := range diff.ChangedKeys() {
		response.Diffs = append(response.Diffs, string(key))
	}
	slices.Sort(response.Diffs)
	const identifier = "clusterIdentifier"
	switch {
	case diff.Same(identifier) && news.HasValue(identifier):
		return response, nil
	case diff.Updated(identifier):
		response.Replaces = []string{identifier}
	}
	elsewhere, err := leadElsewhere(olds, news)
	if elsewhere {
		for _, key := range direction {
			if diff.Changed(key) {
				response.Replaces = append(response.Replaces, string(key))
			}
		}
	}
	return response, err
}

// direction lists the settings that say which API server it is.
var direction = []resource.PropertyKey{"kubeconfig", "context", "cluster"}

func leadElsewhere(olds, news resource.PropertyMap) (bool, error) {
	for _, key := range direction {
		if news[key].ContainsUnknowns() {
			return true, nil
		}
	}
	var found [2]any
	for i, properties := range []resource.PropertyMap{olds, news} {
		values, err := configuration(properties)
		if err != nil {
			return false, err
		}
		parsed, _ := parseSettings(values)
		active, err := parsed.active()
		if err != nil || active == nil {
			return false, err
		}
		found[i] = active
	}
	return !reflect.DeepEqual(found[0], found[1]), nil
}

// Configure takes the settings. The cluster is not asked until a resource needs it.
func (s *server) Configure(_ context.Context, r *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	var d decoder
	values, err := configuration(d.properties(r.GetArgs()))
	if err := errors.Join(d.err, err); err != nil {
		return nil, fmt.Errorf("configuring the Kubernetes provider: %w", err)
	}
	parsed, faults := parseSettings(values)
	for _, failure := range failures(faults) {
		return nil, fmt.Errorf("configuring the Kubernetes provider: %s", failure.GetReason())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cluster = newCluster(parsed, s.journal)
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, SupportsPreview: true, SupportsAutonamingConfiguration: true,
	}, nil
}
