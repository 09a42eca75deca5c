package delivery

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The routes of Keel's that take calls. Those of JFrog and of registries' own notifications are left out: the first names images
// without their registry, the second asks for no password.
// Upstream: https://keel.sh/docs/#webhooks
const (
	routeDockerHub = "dockerhub"
	routeGitHub    = "github"
	routeQuay      = "quay"
	routeAzure     = "azure"
	routeHarbor    = "harbor"
	routeNative    = "native"
)

var routes = []string{routeDockerHub, routeGitHub, routeQuay, routeAzure, routeHarbor, routeNative}

// registryOf is the registry of an image that is valid.
func registryOf(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	return reference.Domain(named)
}

// route is the one that is open to callers: that of the image's registry, if it calls by itself. A Harbor has a name of its
// owner's, by which nobody knows it.
func (a *Args) route() string {
	registry := registryOf(a.Image)
	switch {
	case a.Webhook.Route != "":
		return a.Webhook.Route
	case registry == "docker.io":
		return routeDockerHub
	case registry == "ghcr.io":
		return routeGitHub
	case registry == "quay.io":
		return routeQuay
	case strings.HasSuffix(registry, ".azurecr.io"):
		return routeAzure
	}
	return routeNative
}

// webhookPath is the one path of Keel's that is reached from outside.
func (a *Args) webhookPath() string { return "/v1/webhooks/" + a.route() }

// ValidateImage returns the fault of the app's image, at its path, with this way of delivery: a pinned image needs a digest, and
// one with a digest is nothing that Keel could follow.
func (a *Args) ValidateImage(path *field.Path, image string) field.ErrorList {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil // the app's to report
	}
	_, pinned := named.(reference.Digested)
	switch {
	case a.Mode == ModePinned && !pinned:
		return field.ErrorList{field.Invalid(path, image,
			"must have a digest (name@sha256:…), since delivery.mode is pinned; with delivery.mode keel a tag is followed")}
	case a.Mode == ModeKeel && pinned:
		return field.ErrorList{field.Invalid(path, image,
			"must not have a digest, since delivery.mode is keel: Keel follows a tag")}
	}
	return nil
}

// Warnings say what hinders the delivery of the image. steady says whether it has a tag that nobody pushes again.
func (a *Args) Warnings(steady bool) (warnings []string) {
	registry := registryOf(a.Image)
	if strings.Contains(registry, ".dkr.ecr.") {
		warnings = append(warnings, fmt.Sprintf("app.registry: passwords of %s are valid for 12 hours, and after that neither a "+
			"new node nor Keel gets the image; copy it to a registry whose passwords last", registry))
	}
	if !a.Keel() {
		return warnings
	}
	if steady {
		warnings = append(warnings, fmt.Sprintf("app.image: Keel follows the tag of %s, which looks like a version that nobody "+
			"pushes again, so that nothing new is ever rolled out; name a tag that moves, such as that of a branch, or set "+
			"delivery.mode to pinned", a.Image))
	}
	if a.Webhook.Route == "" && a.route() == routeNative {
		warnings = append(warnings, fmt.Sprintf("delivery: %s does not tell Keel of pushes, which finds them when it asks next "+
			"(delivery.pollSchedule, %s); have your CI call https://%s%s after each push, and say so by "+
			"delivery.webhook.route: %s (docs/components/delivery.md)",
			registry, a.PollSchedule, a.Host, a.webhookPath(), routeNative))
	}
	return warnings
}
