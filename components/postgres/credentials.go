package postgres

import (
	"context"
	"fmt"
	"maps"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"lke-platform/components/internal/kube"
	"lke-platform/components/internal/live"
	"lke-platform/components/namespace"
)

// port is where servers and poolers listen.
const port = 5432

// Opening lets other namespaces connect to the servers and to the poolers. The cluster's own namespace has to have it.
func Opening(namespaces []string) namespace.Opening {
	return namespace.Opening{Name: "database", Namespaces: namespaces, Ports: []any{port}}
}

// NewCredentials declares Secrets, in another namespace, with what the operator's Secrets for the roles of databases hold, and
// with the ca.crt of the authority. Pods read Secrets of their own namespace only, and the operator writes beside the cluster. It
// returns their names, by database. They are immutable and named by the engine: a password that has changed is a new object,
// which rolls who reads it, with the next run.
func (c *Cluster) NewCredentials(
	ctx *pulumi.Context, name string, databases []string, space, kubeconfig pulumi.StringInput,
) (pulumi.StringMap, error) {
	names, ofRole := pulumi.StringMap{}, pulumi.StringMap{}
	for _, database := range databases {
		role := c.args.roleOf(database)
		if _, declared := ofRole[role]; !declared {
			made, err := c.newCredentials(ctx, name+"-"+role, database, space, kubeconfig)
			if err != nil {
				return nil, fmt.Errorf("postgres: declaring the credentials of %s: %w", role, err)
			}
			ofRole[role] = made
		}
		names[database] = ofRole[role]
	}
	return names, nil
}

func (c *Cluster) newCredentials(
	ctx *pulumi.Context, name, database string, space, kubeconfig pulumi.StringInput,
) (pulumi.StringOutput, error) {
	where := pulumi.All(c.made, kubeconfig, c.args.Namespace, c.SecretNames[database], c.AuthorityName)
	held := where.ApplyTWithContext(ctx.Context(),
		func(context context.Context, known []any) (map[string]string, error) {
			at := func(i int) string { return known[i].(string) }
			held, err := readCredentials(context, at(1), at(2), at(3), at(4))
			if apierrors.IsNotFound(err) && ctx.DryRun() {
				return map[string]string{}, nil // the operator makes a role that is new when the cluster gets it
			}
			if err != nil {
				return nil, fmt.Errorf("postgres: reading the credentials of %s: %w", database, err)
			}
			return held, nil
		}).(pulumi.StringMapOutput)
	secret, err := corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata:   metav1.ObjectMetaArgs{Namespace: space, Labels: kube.Labels(c.args.Name, "database")},
		Immutable:  pulumi.Bool(true),
		StringData: pulumi.ToSecret(held).(pulumi.StringMapOutput),
	}, pulumi.Parent(c))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return secret.Metadata.Name().Elem(), nil
}

func readCredentials(ctx context.Context, kubeconfig, space, user, authority string) (map[string]string, error) {
	held, err := live.Secret(ctx, kubeconfig, space, user)
	if err != nil {
		return nil, err
	}
	signer, err := live.Secret(ctx, kubeconfig, space, authority)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(held, func(key, _ string) bool { return key == "verifier" }) // PostgreSQL's
	held["ca.crt"] = signer["ca.crt"]
	return held, nil
}
