package kubernetes

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// steering are all annotations that the official provider reads; any other with its prefix does nothing, in silence.
var steering = sets.New(annotationAutonamed, annotationSkipAwait, annotationWaitFor, annotationTimeout, annotationReplaceUnready,
	annotationPatchForce, "pulumi.com/patchFieldManager", annotationPropagation)

// declared is what a golden graph holds of a resource, as far as plugins and the engine read it in a language of their own.
type declared struct {
	IgnoreChanges    []string          `yaml:"ignoreChanges"`
	ReplaceOnChanges []string          `yaml:"replaceOnChanges"`
	Timeouts         map[string]string `yaml:"timeouts"`
	Inputs           map[string]any    `yaml:"inputs"`
}

// The golden graphs hold all that the program says. What plugins and the engine read in a language of their own (annotations,
// paths, durations) is read here as they do: nobody else would, before a real cluster is half made.
func TestTheProgramSpeaksThePluginsLanguages(t *testing.T) {
	t.Parallel()
	steered := 0
	for _, stack := range []string{"staging", "prod"} {
		for name, r := range goldenGraph(t, stack) {
			for _, path := range append(r.IgnoreChanges, r.ReplaceOnChanges...) {
				_, err := resource.ParsePropertyPath(path)
				require.NoError(t, err, "%s: %s", stack, name)
			}
			for operation, duration := range r.Timeouts {
				_, err := time.ParseDuration(duration)
				require.NoError(t, err, "%s: %s: %s", stack, name, operation)
			}
			if !strings.HasPrefix(name, "kubernetes:") {
				continue
			}
			annotations := map[string]string{}
			for path, value := range steeringIn(r.Inputs, "") {
				key, top := strings.CutPrefix(path, ".metadata.annotations.")
				require.True(t, top && steering.Has(key), "%s: %s: nobody reads %s", stack, name, path)
				annotations[key], steered = value, steered+1
			}
			require.Empty(t, steeringFaults(annotations, field.NewPath(name)), stack)
		}
	}
	require.Positive(t, steered)
}

// goldenGraph reads what a stack declares, by type and name.
func goldenGraph(t *testing.T, stack string) map[string]declared {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", stack+".golden.yaml"))
	require.NoError(t, err)
	graph := map[string]declared{}
	require.NoError(t, yaml.Unmarshal(text, &graph))
	return graph
}

// steeringIn finds the keys with the provider's prefix, wherever they are.
func steeringIn(value any, path string) map[string]string {
	found := map[string]string{}
	switch value := value.(type) {
	case map[string]any:
		for key, element := range value {
			if text, isText := element.(string); isText && strings.HasPrefix(key, "pulumi.com/") {
				found[path+"."+key] = text
			}
			maps.Copy(found, steeringIn(element, path+"."+key))
		}
	case []any:
		for _, element := range value {
			maps.Copy(found, steeringIn(element, path+"[]"))
		}
	}
	return found
}

// Expressions, and what the official provider (4.30) makes of them.
func TestWaitForIsReadAsTheOfficialProviderDoes(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"condition=Ready", "condition=Ready=False", "jsonpath={.status.phase}", "jsonpath={ .status.phase }=Fine",
		"jsonpath={$.status.phase}", "jsonpath={.status['firewall-id']}", "jsonpath={.status.instances[0].readyReplicas}=2",
		`jsonpath={.status.conditions[?(@.type=="Ready")].status}=True`, `["condition=Ready", "jsonpath={.status.phase}=Fine"]`,
	} {
		_, err := parseWaitFor(good)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{
		"", "[]", "Ready", "jsonpath=", "jsonpath=.status.phase", "jsonpath={.status.phase}=", "jsonpath={.status.phase}=a=b",
		"jsonpath='{.status.phase}'", "jsonpath={.status.firewall-id}", "jsonpath={.status.instances[0}", `["condition=Ready", "Ready"]`,
		`["jsonpath={.status.firewall-id}=1"]`,
	} {
		_, err := parseWaitFor(bad)
		require.Error(t, err, bad)
	}
}
