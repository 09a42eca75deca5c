package fastly

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
)

// packageSchema is what matters here of a package's schema, https://www.pulumi.com/docs/iac/using-pulumi/pulumi-packages/schema/
type packageSchema struct {
	Types     map[string]objectSchema   `json:"types"`
	Resources map[string]resourceSchema `json:"resources"`
	Functions map[string]functionSchema `json:"functions"`
	Provider  resourceSchema            `json:"provider"`
}

type objectSchema struct {
	Properties map[string]propertySchema `json:"properties"`
	Required   []string                  `json:"required"`
}

type resourceSchema struct {
	objectSchema
	InputProperties map[string]propertySchema `json:"inputProperties"`
	RequiredInputs  []string                  `json:"requiredInputs"`
}

type functionSchema struct {
	Outputs objectSchema `json:"outputs"`
	Inputs  objectSchema `json:"inputs"`
}

type propertySchema struct {
	Type        string          `json:"type"`
	Ref         string          `json:"$ref"`
	Items       *propertySchema `json:"items"`
	Secret      bool            `json:"secret"`
	Replace     bool            `json:"replaceOnChanges"`
	ForceNew    bool            `json:"willReplaceOnChanges"`
	Default     any             `json:"default"`
	Description string          `json:"description"`
}

// All that the stand-in declares is in the schema of the official provider, and the same: run this with FASTLY_SCHEMA set to the
// files that `pulumi package get-schema` writes for fastly@8.14.0 and fastly@12.6.0, with a colon between them. The second one counts
// for what the first one lacks.
func TestSchemaIsThatOfTheOfficialProvider(t *testing.T) {
	t.Parallel()
	files := filepath.SplitList(os.Getenv("FASTLY_SCHEMA"))
	if len(files) == 0 {
		t.Skip("FASTLY_SCHEMA does not name the official provider's schemas")
	}
	official, ours := packageSchema{}, ourSchema(t)
	for _, file := range slices.Backward(files) { // the first one is read last, over the others
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(content, &official))
	}

	requireSubset(t, "provider", ours.Provider.InputProperties, official.Provider.InputProperties)
	for token, resource := range ours.Resources {
		require.Contains(t, official.Resources, token)
		requireSubset(t, token+" inputs", resource.InputProperties, official.Resources[token].InputProperties)
		requireSubset(t, token+" outputs", resource.Properties, official.Resources[token].Properties)
		require.ElementsMatch(t, official.Resources[token].RequiredInputs, resource.RequiredInputs, token)
	}
	for token, object := range ours.Types {
		require.Contains(t, official.Types, token)
		requireSubset(t, token, object.Properties, official.Types[token].Properties)
		require.Len(t, object.Properties, len(official.Types[token].Properties), "%s has all properties", token)
		require.ElementsMatch(t, official.Types[token].Required, object.Required, token)
	}
	for token, function := range ours.Functions {
		require.Contains(t, official.Functions, token)
		requireSubset(t, token+" inputs", function.Inputs.Properties, official.Functions[token].Inputs.Properties)
		requireSubset(t, token+" outputs", function.Outputs.Properties, official.Functions[token].Outputs.Properties)
		function.Outputs.Required = append(function.Outputs.Required, "id") // which cannot be declared, see withID
		require.ElementsMatch(t, official.Functions[token].Outputs.Required, function.Outputs.Required, token)
	}
}

func ourSchema(t *testing.T) packageSchema {
	t.Helper()
	server, err := New(nil)
	require.NoError(t, err)
	answer, err := server.GetSchema(t.Context(), &pulumirpc.GetSchemaRequest{})
	require.NoError(t, err)
	var ours packageSchema
	require.NoError(t, json.Unmarshal([]byte(answer.Schema), &ours))
	return ours
}

// The official schema has its defaults only in words.
var statedDefault = regexp.MustCompile("[Dd]efaults?:?(?: to)? `([^`]+)`")

func requireSubset(t *testing.T, where string, ours, official map[string]propertySchema) {
	t.Helper()
	for name, property := range ours {
		require.Contains(t, official, name, where)
		theirs := official[name]
		require.Equal(t, kindOf(theirs), kindOf(property), "%s: type of %s", where, name)
		require.Equal(t, theirs.Secret, property.Secret, "%s: is %s secret?", where, name)
		require.Equal(t, theirs.Replace || theirs.ForceNew, property.Replace || property.ForceNew, "%s: does %s replace?", where, name)
		if stated := statedDefault.FindStringSubmatch(theirs.Description); stated != nil && !strings.HasSuffix(where, "outputs") {
			if property.Default == nil {
				property.Default = false // as any flag that is not set
			}
			encoded, err := json.Marshal(property.Default)
			require.NoError(t, err)
			require.Equal(t, stated[1], strings.Trim(string(encoded), `"`), "%s: default of %s", where, name)
		}
	}
}

func kindOf(p propertySchema) string {
	if p.Items != nil {
		return "list of " + kindOf(*p.Items)
	}
	return p.Type + p.Ref
}
