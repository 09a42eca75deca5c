package main

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// lookAtVersions tells what runs. Nothing of it is wrong by itself.
func (s *survey) lookAtVersions(ctx context.Context) (*finding, error) {
	var kubernetes struct{ GitVersion string }
	var images []string
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) { images, err = s.images(ctx); return err })
	both.Go(func() error {
		if s.kubernetes == nil {
			return nil // which the other says
		}
		return s.kubernetes.Get(ctx, "/version", &kubernetes)
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	says := slices.Concat(images, []string{"Kubernetes " + kubernetes.GitVersion}, s.told.charts())
	return &finding{says: strings.Join(says, ", ")}, nil
}

// images are those that the apps run: what their Deployments name, and where that is a tag the digests that nodes found there.
func (s *survey) images(ctx context.Context) ([]string, error) {
	const ours = "?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dpulumi"
	deployments, err := objects[struct {
		Metadata meta
		Spec     struct {
			Template struct {
				Spec struct{ Containers []struct{ Image string } }
			}
		}
	}](ctx, s, "/apis/apps/v1/deployments"+ours)
	if err != nil {
		return nil, err
	}
	pods, err := objects[pod](ctx, s, "/api/v1/pods"+ours)
	if err != nil {
		return nil, err
	}
	var images []string
	for _, d := range deployments {
		if len(d.Spec.Template.Spec.Containers) == 0 {
			continue
		}
		image := d.Spec.Template.Spec.Containers[0].Image
		images = append(images, shortened(image))
		if strings.Contains(image, "@") {
			continue
		}
		for _, p := range pods {
			runs := p.Metadata.Namespace == d.Metadata.Namespace && p.Metadata.Labels[appName] == d.Metadata.Labels[appName]
			if runs && len(p.Status.ContainerStatuses) > 0 && strings.Contains(p.Status.ContainerStatuses[0].ImageID, "@") {
				images = append(images, shortened(p.Status.ContainerStatuses[0].ImageID))
			}
		}
	}
	slices.Sort(images)
	return slices.Compact(images), nil
}

const appName = "app.kubernetes.io/name"

// charts are the releases that Pulumi installed, with their versions.
func (t *told) charts() (charts []string) {
	for _, r := range t.state.Deployment.Resources {
		if r.Type == "kubernetes:helm.sh/v3:Release" {
			charts = append(charts, r.input("name")+" "+r.input("version"))
		}
	}
	slices.Sort(charts)
	return charts
}
