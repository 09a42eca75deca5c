package incluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// environment resolves the variables of a container.
func (k *kubelet) environment(ctx context.Context, namespace string, variables []corev1.EnvVar) (map[string]string, error) {
	env := map[string]string{}
	for _, variable := range variables {
		var value []byte
		var err error
		switch from := cmp.Or(variable.ValueFrom, &corev1.EnvVarSource{}); {
		case from.SecretKeyRef != nil:
			value, err = k.value(ctx, readSecret, namespace, from.SecretKeyRef.Name, from.SecretKeyRef.Key)
		case from.ConfigMapKeyRef != nil:
			value, err = k.value(ctx, readConfigMap, namespace, from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key)
		case variable.ValueFrom != nil:
			err = fmt.Errorf("the rehearsal does not know where the variable %s comes from", variable.Name)
		default:
			value = []byte(variable.Value)
		}
		if err != nil {
			return nil, err
		}
		env[variable.Name] = string(value)
	}
	return env, nil
}

// reader reads what a Secret or a ConfigMap holds.
type reader func(ctx context.Context, k *kubelet, namespace, name string) (map[string][]byte, error)

func readSecret(ctx context.Context, k *kubelet, namespace, name string) (map[string][]byte, error) {
	found, err := k.client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return found.Data, nil
}

func readConfigMap(ctx context.Context, k *kubelet, namespace, name string) (map[string][]byte, error) {
	found, err := k.client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{}
	for key, text := range found.Data {
		data[key] = []byte(text)
	}
	return data, nil
}

// value reads what one key holds.
func (k *kubelet) value(ctx context.Context, read reader, namespace, name, key string) ([]byte, error) {
	data, err := read(ctx, k, namespace, name)
	if err != nil {
		return nil, err
	}
	value, found := data[key]
	if !found {
		return nil, fmt.Errorf("%s/%s has no key %s", namespace, name, key)
	}
	return value, nil
}

// mount writes the volumes of a container into its root.
func (k *kubelet) mount(ctx context.Context, pod *corev1.Pod, c *container) error {
	for _, mount := range c.spec.VolumeMounts {
		folder := filepath.Join(c.root, mount.MountPath)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		i := slices.IndexFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool { return volume.Name == mount.Name })
		if err := k.fill(ctx, pod.Namespace, pod.Spec.Volumes[i], folder); err != nil {
			return err
		}
	}
	return nil
}

// fill writes what a volume holds into a folder.
func (k *kubelet) fill(ctx context.Context, namespace string, volume corev1.Volume, folder string) error {
	switch source := volume.VolumeSource; {
	case source.EmptyDir != nil:
		return nil
	case source.Secret != nil:
		return k.project(ctx, namespace, folder, corev1.VolumeProjection{Secret: &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: source.Secret.SecretName},
			Items:                source.Secret.Items, Optional: source.Secret.Optional,
		}})
	case source.ConfigMap != nil:
		return k.project(ctx, namespace, folder, corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
			LocalObjectReference: source.ConfigMap.LocalObjectReference,
			Items:                source.ConfigMap.Items, Optional: source.ConfigMap.Optional,
		}})
	case source.Projected != nil:
		for _, projection := range source.Projected.Sources {
			if err := k.project(ctx, namespace, folder, projection); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("the rehearsal has no volumes of the kind of %s", volume.Name)
}

func (k *kubelet) project(ctx context.Context, namespace, folder string, from corev1.VolumeProjection) error {
	switch {
	case from.Secret != nil:
		return k.write(ctx, readSecret, namespace, from.Secret.Name, from.Secret.Optional, from.Secret.Items, folder)
	case from.ConfigMap != nil:
		return k.write(ctx, readConfigMap, namespace, from.ConfigMap.Name, from.ConfigMap.Optional, from.ConfigMap.Items, folder)
	}
	return errors.New("the rehearsal projects Secrets and ConfigMaps, no tokens: automountServiceAccountToken has to be false")
}

// write writes what a Secret or ConfigMap holds as files, all of it unless items names some.
func (k *kubelet) write(
	ctx context.Context, read reader, namespace, name string, optional *bool, items []corev1.KeyToPath, folder string,
) error {
	data, err := read(ctx, k, namespace, name)
	if apierrors.IsNotFound(err) && optional != nil && *optional {
		return nil
	}
	if err != nil {
		return err
	}
	if items == nil {
		for key := range data {
			items = append(items, corev1.KeyToPath{Key: key, Path: key})
		}
	}
	for _, item := range items {
		value, found := data[item.Key]
		if !found {
			return fmt.Errorf("%s/%s has no key %s", namespace, name, item.Key)
		}
		path := filepath.Join(folder, item.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, value, 0o400); err != nil {
			return err
		}
	}
	return nil
}
