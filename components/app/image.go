package app

import (
	"regexp"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// validateOwnImage refuses an image of a single process without a digest: nobody watches over its tag. None is the application's.
func validateOwnImage(path *field.Path, image string) field.ErrorList {
	if image == "" {
		return nil
	}
	faults := check.Image(path, image)
	if len(faults) == 0 && !pinned(image) {
		faults = append(faults, field.Invalid(path, image, "must have a digest (name@sha256:…): only app.image is delivered"))
	}
	return faults
}

// steady are the tags that nobody moves: versions of two parts or more (v1.2, 2022-03-17), commits, whole or not (860c190,
// sha-860c190), and days (20220317).
var steady = regexp.MustCompile(`^(v?\d+([._-]\w+)+|(sha-)?[0-9a-f]{7,40})$`)

// Tagged says whether the image is named by a tag, and not by a digest.
func (a *Args) Tagged() bool { return a.tag() != "" }

// MutableImage says whether the image can change under the same name: it has no digest, and its tag is none of a version, such as
// latest or the name of a branch.
func (a *Args) MutableImage() bool { return a.tag() != "" && !steady.MatchString(a.tag()) }

// SteadyImage says whether nobody changes what is behind the image's tag.
func (a *Args) SteadyImage() bool { return steady.MatchString(a.tag()) }

// tag is the image's, latest where it has none; "" where it has a digest, or cannot be read.
func (a *Args) tag() string {
	named, err := reference.ParseNormalizedNamed(a.Image)
	if err != nil {
		return "" // Validate's to report
	}
	if pinned(a.Image) {
		return ""
	}
	tagged, _ := reference.TagNameOnly(named).(reference.Tagged)
	return tagged.Tag()
}

// parsed is an image of arguments that are valid.
func parsed(image string) reference.Named {
	named, _ := reference.ParseNormalizedNamed(image)
	return named
}

func pinned(image string) bool {
	_, pinned := parsed(image).(reference.Digested)
	return pinned
}

// imageName is an image in the short form, tag included: Keel and the kubelet write it so, and another spelling of the same
// image would look like a change.
func imageName(image string) string {
	return reference.FamiliarString(reference.TagNameOnly(parsed(image)))
}

// pullPolicy has nodes ask the registry unless the image is pinned: behind a tag there may be another image by now, and all
// replicas shall run the same one.
func pullPolicy(image string) string {
	if pinned(image) {
		return "IfNotPresent"
	}
	return "Always"
}

// registryKey is what the image's registry is called in a file of credentials.
func (a *Args) registryKey() string {
	if domain := reference.Domain(parsed(a.Image)); domain != "docker.io" {
		return domain
	}
	return "https://index.docker.io/v1/"
}
