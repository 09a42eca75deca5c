// Package fastly holds the typed Fastly resources that the platform uses. It has the import path, the names, the type
// tokens and the property names of Pulumi's own Fastly SDK, v8.14.0, and stands in for it where a module proxy does not
// serve that module: go.mod replaces the module by this folder, and without that line the official one is used.
package fastly

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// pluginVersion is the provider plugin that these types were written for; pulumi-plugin.json says it to the CLI.
const pluginVersion = "8.14.0"

// withVersion asks the engine for the plugin of pluginVersion; options that the caller gave win.
func withVersion(opts []pulumi.ResourceOption) []pulumi.ResourceOption {
	return append([]pulumi.ResourceOption{pulumi.Version(pluginVersion)}, opts...)
}
