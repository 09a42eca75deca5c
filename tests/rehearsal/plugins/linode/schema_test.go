package linode_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
)

// schema is as much of a provider's schema as is compared.
type schema struct {
	Types     map[string]objectSpec `json:"types"`
	Resources map[string]struct {
		objectSpec
		InputProperties map[string]propertySpec `json:"inputProperties"`
		RequiredInputs  []string                `json:"requiredInputs"`
	} `json:"resources"`
	Functions map[string]struct {
		Inputs  objectSpec `json:"inputs"`
		Outputs objectSpec `json:"outputs"`
	} `json:"functions"`
	Config struct {
		Variables map[string]propertySpec `json:"variables"`
	} `json:"config"`
}

type objectSpec struct {
	Properties map[string]propertySpec `json:"properties"`
	Required   []string                `json:"required"`
}

type propertySpec struct {
	Type                 string        `json:"type"`
	Ref                  string        `json:"$ref"`
	Items                *propertySpec `json:"items"`
	AdditionalProperties *propertySpec `json:"additionalProperties"`
	Secret               bool          `json:"secret"`
	WillReplaceOnChanges bool          `json:"willReplaceOnChanges"`
	ReplaceOnChanges     bool          `json:"replaceOnChanges"`
}

// TestAgainstTheOfficialSchema holds all that the stand-in declares against the official provider's schema, which the
// environment variable LINODE_SCHEMA names (schema.json of pulumi-linode 4.39.0).
func TestAgainstTheOfficialSchema(t *testing.T) {
	path := os.Getenv("LINODE_SCHEMA")
	if path == "" {
		t.Skip("LINODE_SCHEMA does not name the official schema")
	}
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	response, err := newServer(t).GetSchema(t.Context(), &pulumirpc.GetSchemaRequest{})
	require.NoError(t, err)
	var ours, official schema
	require.NoError(t, json.Unmarshal(content, &official))
	require.NoError(t, json.Unmarshal([]byte(response.GetSchema()), &ours))
	require.Len(t, ours.Resources, 8)
	require.Len(t, ours.Functions, 5)

	c := comparison{t, ours, official}
	c.properties("config", ours.Config.Variables, official.Config.Variables)
	for token, resource := range ours.Resources {
		require.Contains(t, official.Resources, token)
		original := official.Resources[token]
		c.properties(token, resource.InputProperties, original.InputProperties)
		c.properties(token, resource.Properties, original.Properties)
		require.ElementsMatch(t, original.RequiredInputs, resource.RequiredInputs, token)
		for _, name := range original.Required {
			require.Contains(t, resource.Properties, name, "%s: an output that is always there", token)
		}
	}
	for token, function := range ours.Functions {
		require.Contains(t, official.Functions, token)
		original := official.Functions[token]
		c.properties(token, function.Inputs.Properties, original.Inputs.Properties)
		c.properties(token, function.Outputs.Properties, original.Outputs.Properties)
		require.ElementsMatch(t, original.Inputs.Required, function.Inputs.Required, token)
	}
}

type comparison struct {
	t              *testing.T
	ours, official schema
}

func (c comparison) properties(path string, ours, official map[string]propertySpec) {
	for name, property := range ours {
		require.Contains(c.t, official, name, path)
		c.property(path+"."+name, property, official[name])
	}
}

func (c comparison) property(path string, ours, official propertySpec) {
	if official.Secret {
		require.True(c.t, ours.Secret, "%s is secret", path)
	}
	if official.WillReplaceOnChanges {
		require.True(c.t, ours.ReplaceOnChanges || ours.WillReplaceOnChanges, "%s replaces on changes", path)
	}
	require.Equal(c.t, official.Type, ours.Type, path)
	switch {
	case official.Items != nil:
		c.property(path+"[]", *ours.Items, *official.Items)
	case official.AdditionalProperties != nil:
		c.property(path+"{}", *ours.AdditionalProperties, *official.AdditionalProperties)
	case official.Ref != "":
		own, original := c.ours.Types[typeOf(ours.Ref)], c.official.Types[typeOf(official.Ref)]
		require.NotEmpty(c.t, own.Properties, path)
		c.properties(path, own.Properties, original.Properties)
	}
}

func typeOf(ref string) string { return strings.TrimPrefix(ref, "#/types/") }
