package app

import (
	"encoding/json"
	"maps"
	"slices"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// shared is what all processes and jobs of the application read. The objects are immutable and named by the engine, so that a
// changed value is a new object, which rolls the Deployments.
type shared struct {
	environment *corev1.Secret
	// registry is nil for a public image, and the others are where there are no such files.
	registry, secretFiles *corev1.Secret
	files                 *corev1.ConfigMap
}

func (a *App) newShared(ctx *pulumi.Context, name string, args *Args) (*shared, error) {
	s := &shared{}
	var err error
	if s.environment, err = a.newSecret(ctx, name, args, "Opaque", args.secretEnvironment()); err != nil {
		return nil, err
	}
	if err := a.newFiles(ctx, name, args, s); err != nil || args.Registry == nil {
		return s, err
	}
	s.registry, err = a.newSecret(ctx, name+"-registry", args, "kubernetes.io/dockerconfigjson", pulumi.StringMap{
		".dockerconfigjson": args.registryCredentials(),
	})
	if err != nil {
		return nil, err
	}
	a.PullSecret = s.registry.Metadata.Name().Elem()
	return s, nil
}

func (a *App) newSecret(
	ctx *pulumi.Context, name string, args *Args, kind string, data pulumi.StringMap,
) (*corev1.Secret, error) {
	metadata := args.metadata()
	metadata.Name = nil
	return corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata: metadata, Immutable: pulumi.Bool(true), Type: pulumi.String(kind), StringData: data,
	}, pulumi.Parent(a))
}

func (a *Args) secretEnvironment() pulumi.StringMap {
	values := maps.Clone(a.SecretValues)
	if values == nil {
		values = pulumi.StringMap{}
	}
	for name, property := range a.Media {
		switch property {
		case bucketAccessKey:
			values[name] = a.Bucket.AccessKey
		case bucketSecretKey:
			values[name] = a.Bucket.SecretKey
		}
	}
	return values
}

// registryCredentials is a file of credentials in Docker's form.
func (a *Args) registryCredentials() pulumi.StringOutput {
	registry, username := a.registryKey(), a.Registry.Username
	return pulumi.ToSecret(a.RegistryPassword.ToStringOutput().ApplyT(func(password string) (string, error) {
		text, err := json.Marshal(map[string]any{"auths": map[string]any{
			registry: map[string]string{"username": username, "password": password},
		}})
		return string(text), err
	})).(pulumi.StringOutput)
}

// environment is all of the environment that is no secret of the stack, with that of one process laid over.
func (a *Args) environment(own map[string]string) corev1.EnvVarArray {
	variables := map[string]corev1.EnvVarArgs{}
	for name, property := range a.Media {
		switch property {
		case bucketName:
			variables[name] = corev1.EnvVarArgs{Value: a.Bucket.Name.ToStringOutput()}
		case bucketRegion:
			variables[name] = corev1.EnvVarArgs{Value: a.Bucket.Region.ToStringOutput()}
		case bucketEndpoint:
			variables[name] = corev1.EnvVarArgs{Value: a.Bucket.Endpoint.ToStringOutput()}
		}
	}
	for name, entry := range a.Caches {
		variables[name] = corev1.EnvVarArgs{Value: a.cacheVariable(entry)}
	}
	if a.DatabaseSecret != nil {
		for name, key := range a.Database {
			variables[name] = a.databaseVariable(key)
		}
	}
	for _, plain := range []map[string]string{a.Env, own} {
		for name, value := range plain {
			variables[name] = corev1.EnvVarArgs{Value: pulumi.String(value)}
		}
	}
	var list corev1.EnvVarArray
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		variable := variables[name]
		variable.Name = pulumi.String(name)
		list = append(list, variable)
	}
	return list
}
