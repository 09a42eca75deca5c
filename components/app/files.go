package app

import (
	"fmt"
	"path"
	"slices"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// File is a file in every container of the application. A change of it is a new version.
type File struct {
	// Path of the file in the container, for instance /etc/app/config.yml.
	Path string `json:"path"`
	// Content is what is in it.
	Content string `json:"content"`
	// Secret is the name of the stack's secret that is in it, in place of Content.
	Secret string `json:"secret"`
}

// mostFiles is what an object of Kubernetes can hold, in bytes.
const mostFiles = 1 << 20

// fileKey names a file in the object that holds it. Paths have characters that keys cannot have.
func fileKey(index int) string { return fmt.Sprintf("file-%d", index) }

// plainFiles and secretFiles are the contents of the files, by key.
func (a *Args) plainFiles() pulumi.StringMap {
	files := pulumi.StringMap{}
	for i, file := range a.Files {
		if file.Secret == "" {
			files[fileKey(i)] = pulumi.String(file.Content)
		}
	}
	return files
}

func (a *Args) secretFiles() pulumi.StringMap {
	files := pulumi.StringMap{}
	for i, file := range a.Files {
		if file.Secret != "" {
			files[fileKey(i)] = a.FileSecrets[file.Secret]
		}
	}
	return files
}

// newFiles declares what holds the files. Like the Secrets they are immutable and named by the engine.
func (a *App) newFiles(ctx *pulumi.Context, name string, args *Args, shared *shared) (err error) {
	metadata := args.metadata()
	metadata.Name = nil
	if plain := args.plainFiles(); len(plain) > 0 {
		shared.files, err = corev1.NewConfigMap(ctx, name+"-files", &corev1.ConfigMapArgs{
			Metadata: metadata, Immutable: pulumi.Bool(true), Data: plain,
		}, pulumi.Parent(a))
		if err != nil {
			return err
		}
	}
	if secret := args.secretFiles(); len(secret) > 0 {
		shared.secretFiles, err = a.newSecret(ctx, name+"-files", args, "Opaque", secret)
	}
	return err
}

// mountFiles puts each file at its path, and leaves what is beside it in the image.
func (a *Args) mountFiles(shared *shared, pod *corev1.PodSpecArgs, container *corev1.ContainerArgs) {
	const plainVolume, secretVolume = "files", "secret-files"
	var volumes corev1.VolumeArray
	if shared.files != nil {
		volumes = append(volumes, corev1.VolumeArgs{
			Name: pulumi.String(plainVolume), ConfigMap: corev1.ConfigMapVolumeSourceArgs{Name: shared.files.Metadata.Name()},
		})
	}
	if shared.secretFiles != nil {
		volumes = append(volumes, corev1.VolumeArgs{
			Name: pulumi.String(secretVolume), Secret: corev1.SecretVolumeSourceArgs{
				SecretName: shared.secretFiles.Metadata.Name(), DefaultMode: pulumi.Int(0o440), // for the container's group
			},
		})
	}
	var mounts corev1.VolumeMountArray
	for i, file := range a.Files {
		volume := plainVolume
		if file.Secret != "" {
			volume = secretVolume
		}
		mounts = append(mounts, corev1.VolumeMountArgs{
			Name: pulumi.String(volume), MountPath: pulumi.String(file.Path), SubPath: pulumi.String(fileKey(i)),
			ReadOnly: pulumi.Bool(true),
		})
	}
	mount(pod, container, volumes, mounts)
}

// mount adds volumes to a pod, and to its container.
func mount(pod *corev1.PodSpecArgs, container *corev1.ContainerArgs, volumes corev1.VolumeArray, mounts corev1.VolumeMountArray) {
	if len(mounts) == 0 {
		return
	}
	hadVolumes, _ := pod.Volumes.(corev1.VolumeArray)
	hadMounts, _ := container.VolumeMounts.(corev1.VolumeMountArray)
	pod.Volumes, container.VolumeMounts = slices.Concat(hadVolumes, volumes), slices.Concat(hadMounts, mounts)
}

func (a *Args) validateFiles(at *field.Path) field.ErrorList {
	var faults field.ErrorList
	seen, size := sets.New(authorityFolder+"/"+authorityKey), 0
	for i, file := range a.Files {
		one := at.Index(i)
		faults = append(faults, absolute(one.Child("path"), file.Path)...)
		faults = append(faults, check.Unique(seen, one.Child("path"), file.Path)...)
		switch {
		case file.Secret != "" && file.Content != "":
			faults = append(faults, field.Forbidden(one.Child("secret"), "stands beside content; one of them is in the file"))
		case file.Secret != "":
			faults = append(faults, check.SecretName(one.Child("secret"), file.Secret)...)
		}
		size += len(file.Content)
	}
	if size > mostFiles {
		faults = append(faults, field.TooLong(at, field.OmitValueType{}, mostFiles))
	}
	return faults
}

// absolute refuses what is not the path of a file or folder that something can be put at.
func absolute(at *field.Path, value string) field.ErrorList {
	if !path.IsAbs(value) || path.Clean(value) != value || value == "/" || slices.Contains([]rune(value), ':') {
		return field.ErrorList{field.Invalid(at, value,
			"must be an absolute path below /, in its shortest form and without colons")}
	}
	return nil
}
