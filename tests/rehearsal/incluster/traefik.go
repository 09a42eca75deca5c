package incluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// traefikChart is the name of Traefik's.
const traefikChart = "traefik"

const (
	// traefikPing is the port of Traefik itself, which answers probes.
	traefikPing = 8080
	// traefikFiles is the folder of what Traefik takes from files.
	traefikFiles = "/etc/traefik/dynamic"
)

// traefikPorts are those of Traefik's container, by the names of its entry points.
var traefikPorts = map[string]int64{"web": 8000, "websecure": 8443, "traefik": traefikPing, "metrics": 9100}

// playsTraefik says whether a release is Traefik's, whose image is at hand.
func (c *cluster) playsTraefik(release Release) bool {
	return release.Chart == traefikChart && c.options.Traefik != ""
}

// runTraefik has Traefik run where its chart is not rendered, as the values of the release say, and waits for it.
func (c *cluster) runTraefik(ctx context.Context, release Release) error {
	objects, err := c.traefikObjects(release)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if _, err := c.at(object).Apply(ctx, object.GetName(), object, apply); err != nil {
			return fmt.Errorf("running Traefik: %w", err)
		}
	}
	return wait.PollUntilContextCancel(ctx, retryDelay, true, func(ctx context.Context) (bool, error) {
		running, err := c.client.AppsV1().DaemonSets(release.Namespace).Get(ctx, release.Name, metav1.GetOptions{})
		return err == nil && rolledOut(running), err
	})
}

func rolledOut(d *appsv1.DaemonSet) bool {
	return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedNumberScheduled == d.Status.DesiredNumberScheduled &&
		d.Status.NumberAvailable == d.Status.DesiredNumberScheduled
}

func (c *cluster) removeTraefik(ctx context.Context, release Release) error {
	objects, err := c.traefikObjects(release)
	if err != nil {
		return err
	}
	for _, object := range objects {
		err := c.at(object).Delete(ctx, object.GetName(), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// at is where objects of the kind of this one are, in its namespace.
func (c *cluster) at(object *unstructured.Unstructured) dynamic.ResourceInterface {
	resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	return c.dynamic.Resource(resource).Namespace(object.GetNamespace())
}

// traefikObjects are what of the chart makes Traefik run, in the order in which it is made. Rights it has of the program.
func (c *cluster) traefikObjects(release Release) ([]*unstructured.Unstructured, error) {
	file, err := yaml.Marshal(value(release.Values, "providers", "file", "content"))
	if err != nil {
		return nil, err
	}
	labels := map[string]any{"app.kubernetes.io/name": release.Chart, "app.kubernetes.io/instance": release.Name}
	var objects []*unstructured.Unstructured
	for _, described := range []struct {
		version, kind string
		content       map[string]any
	}{
		{"v1", "ServiceAccount", map[string]any{}},
		{"v1", "ConfigMap", map[string]any{"data": map[string]any{"config.yml": string(file)}}},
		{"apps/v1", "DaemonSet", map[string]any{"spec": map[string]any{
			"selector":       map[string]any{"matchLabels": labels},
			"updateStrategy": value(release.Values, "updateStrategy"),
			"template":       map[string]any{"metadata": map[string]any{"labels": labels}, "spec": c.traefikPod(release)},
		}}},
	} {
		object := &unstructured.Unstructured{Object: described.content}
		object.SetAPIVersion(described.version)
		object.SetKind(described.kind)
		object.SetNamespace(release.Namespace)
		object.SetName(release.Name)
		object.SetLabels(map[string]string{"app.kubernetes.io/name": release.Chart, "app.kubernetes.io/instance": release.Name})
		objects = append(objects, object)
	}
	return objects, nil
}

func (c *cluster) traefikPod(release Release) map[string]any {
	volumes, mounts := traefikVolumes(release)
	ping := map[string]any{
		"httpGet": map[string]any{"path": "/ping", "port": int64(traefikPing)}, "initialDelaySeconds": int64(2),
		"timeoutSeconds": int64(2),
	}
	ready := maps.Clone(ping)
	ready["failureThreshold"] = int64(1)
	var ports []any
	for _, name := range slices.Sorted(maps.Keys(traefikPorts)) {
		ports = append(ports, map[string]any{"name": name, "containerPort": traefikPorts[name], "protocol": "TCP"})
	}
	pod := map[string]any{
		"serviceAccountName":            release.Name,
		"terminationGracePeriodSeconds": value(release.Values, "deployment", "terminationGracePeriodSeconds"),
		"securityContext": map[string]any{
			"runAsUser": int64(65532), "runAsGroup": int64(65532), "runAsNonRoot": true,
			"seccompProfile": map[string]any{"type": "RuntimeDefault"},
		},
		"containers": []any{map[string]any{
			"name": release.Chart, "image": c.options.Traefik, "args": traefikArguments(release), "ports": ports,
			"resources": value(release.Values, "resources"), "readinessProbe": ready, "livenessProbe": ping,
			"volumeMounts": mounts, "securityContext": map[string]any{
				"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
				"capabilities": map[string]any{"drop": []any{"ALL"}},
			},
		}},
		"volumes": volumes,
	}
	for _, same := range []string{"tolerations", "priorityClassName"} {
		if given := value(release.Values, same); given != nil {
			pod[same] = given
		}
	}
	return pod
}

// traefikVolumes are those of the release beside the chart's own.
func traefikVolumes(release Release) (volumes, mounts []any) {
	volumes = []any{
		map[string]any{"name": "tmp", "emptyDir": map[string]any{}},
		map[string]any{"name": "files", "configMap": map[string]any{"name": release.Name}},
	}
	mounts = []any{
		map[string]any{"name": "tmp", "mountPath": "/tmp"},
		map[string]any{"name": "files", "mountPath": traefikFiles, "readOnly": true},
	}
	more, _ := value(release.Values, "deployment", "additionalVolumes").([]any)
	mounted, _ := value(release.Values, "additionalVolumeMounts").([]any)
	return append(volumes, more...), append(mounts, mounted...)
}

// traefikArguments are those of the chart, as far as the program's values have them: they are the parts of Traefik's
// configuration, by the same names.
// Upstream: https://doc.traefik.io/traefik/reference/install-configuration/configuration-options/
func traefikArguments(release Release) []any {
	entryPoints := map[string]any{}
	for name, port := range traefikPorts {
		entryPoint := map[string]any{"address": fmt.Sprintf(":%d/tcp", port)}
		for _, part := range []string{"proxyProtocol", "forwardedHeaders", "transport", "http"} {
			entryPoint[part] = value(release.Values, "ports", name, part)
		}
		entryPoints[name] = entryPoint
	}
	arguments := flags("entryPoints", entryPoints)
	arguments = append(arguments, flags("global", value(release.Values, "global"))...)
	arguments = append(arguments, flags("accessLog", value(release.Values, "accessLog"))...)
	arguments = append(arguments, flags("metrics.prometheus", map[string]any{
		"entryPoint": "metrics", "buckets": value(release.Values, "metrics", "prometheus", "buckets"),
	})...)
	const provider = "providers.kubernetesIngress"
	arguments = append(arguments, flags(provider, map[string]any{
		"namespaces":                value(release.Values, "providers", "kubernetesIngress", "namespaces"),
		"allowEmptyServices":        true,
		"allowExternalNameServices": value(release.Values, "providers", "kubernetesIngress", "allowExternalNameServices"),
		"ingressEndpoint":           map[string]any{"publishedService": release.Namespace + "/" + release.Name},
	})...)
	arguments = append(arguments,
		"--ping=true", "--log.level=INFO", "--entryPoints.websecure.http.tls=true",
		"--providers.file.directory="+traefikFiles, "--providers.file.watch=true")
	more, _ := value(release.Values, "additionalArguments").([]any)
	return append(arguments, more...)
}

// flags makes arguments of a part of Traefik's configuration. Where the chart's values differ from that, it follows the chart.
func flags(path string, part any) []any {
	switch part := part.(type) {
	case nil:
		return nil
	case map[string]any:
		var list []any
		for _, key := range slices.Sorted(maps.Keys(part)) {
			list = append(list, flags(path+"."+key, part[key])...)
		}
		return list
	case []any:
		var texts []string
		for _, element := range part {
			texts = append(texts, fmt.Sprint(element))
		}
		return []any{"--" + path + "=" + strings.Join(texts, ",")}
	default:
		// The chart leads to the port under which clients know the entry point.
		if strings.HasSuffix(path, ".redirections.entryPoint.to") && part == "websecure" {
			part = ":443"
		}
		return []any{fmt.Sprintf("--%s=%v", strings.TrimSuffix(path, ".enabled"), part)}
	}
}

// value is what values have at a path, nil where there is nothing.
func value(values map[string]any, path ...string) any {
	found, _, _ := unstructured.NestedFieldNoCopy(values, path...)
	return found
}
