package app

import (
	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateImage(path *field.Path, image string) field.ErrorList {
	if image == "" {
		return field.ErrorList{field.Required(path, "must name a container image")}
	}
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		return field.ErrorList{field.Invalid(path, image, err.Error())}
	}
	return nil
}

// MutableImage says whether the image can change under the same name: it has neither a digest nor a tag other than
// latest.
func (a *Args) MutableImage() bool {
	named, err := reference.ParseNormalizedNamed(a.Image)
	if err != nil {
		return false // Validate's to report
	}
	if _, pinned := named.(reference.Digested); pinned {
		return false
	}
	tagged, ok := reference.TagNameOnly(named).(reference.Tagged)
	return ok && tagged.Tag() == "latest"
}

// named is the image of arguments that are valid.
func (a *Args) named() reference.Named {
	named, _ := reference.ParseNormalizedNamed(a.Image)
	return named
}

// imageName is the image in the short form, tag included: Keel and the kubelet write it so, and another spelling of the same
// image would look like a change.
func (a *Args) imageName() string {
	return reference.FamiliarString(reference.TagNameOnly(a.named()))
}

// pullPolicy has nodes ask the registry unless the image is pinned: behind a tag there may be another image by now, and all
// replicas shall run the same one.
func (a *Args) pullPolicy() string {
	if _, pinned := a.named().(reference.Digested); pinned {
		return "IfNotPresent"
	}
	return "Always"
}

// registryKey is what the image's registry is called in a file of credentials.
func (a *Args) registryKey() string {
	if domain := reference.Domain(a.named()); domain != "docker.io" {
		return domain
	}
	return "https://index.docker.io/v1/"
}
