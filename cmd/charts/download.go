package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"gopkg.in/yaml.v3"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// chartLayer is the media type of a chart's archive in an OCI registry.
const chartLayer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

// download returns the archive of a chart, and where it came from.
func (f *fetcher) download(ctx context.Context, p *pin) (origin string, archive []byte, err error) {
	if reference, is := strings.CutPrefix(p.name, "oci://"); is {
		archive, err = f.pull(ctx, reference, p.version)
		return p.name, archive, err
	}
	if origin, err = f.look(ctx, p); err != nil {
		return "", nil, err
	}
	archive, err = f.get(ctx, origin)
	return origin, archive, err
}

// look finds a chart's archive in the index of its repository.
func (f *fetcher) look(ctx context.Context, p *pin) (archive string, err error) {
	at := strings.TrimSuffix(p.repository, "/") + "/index.yaml"
	text, err := f.get(ctx, at)
	if err != nil {
		return "", err
	}
	var index struct {
		Entries map[string][]struct {
			Version string
			URLs    []string
		}
	}
	if err := yaml.Unmarshal(text, &index); err != nil {
		return "", fmt.Errorf("reading %s: %w", at, err)
	}
	for _, entry := range index.Entries[p.name] {
		// As Helm does: some repositories put a v before a version, and some do not.
		if strings.TrimPrefix(entry.Version, "v") != strings.TrimPrefix(p.version, "v") || len(entry.URLs) == 0 {
			continue
		}
		base, err := url.Parse(at)
		if err != nil {
			return "", err
		}
		found, err := base.Parse(entry.URLs[0])
		if err != nil {
			return "", err
		}
		return found.String(), nil
	}
	return "", fmt.Errorf("%s has no such chart", at)
}

func (f *fetcher) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := f.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}

// pull gets a chart's archive out of an OCI registry.
func (f *fetcher) pull(ctx context.Context, reference, version string) ([]byte, error) {
	repository, err := remote.NewRepository(reference)
	if err != nil {
		return nil, err
	}
	repository.Client = &auth.Client{Client: f.client, Cache: auth.NewCache()}
	// A tag has no plus sign, so Helm writes it as an underscore.
	tag := strings.ReplaceAll(version, "+", "_")
	_, text, err := oras.FetchBytes(ctx, repository, tag, oras.DefaultFetchBytesOptions)
	if err != nil {
		return nil, err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		return nil, fmt.Errorf("reading the manifest of %s:%s: %w", reference, tag, err)
	}
	for _, layer := range manifest.Layers {
		if layer.MediaType == chartLayer {
			return content.FetchAll(ctx, repository, layer)
		}
	}
	return nil, fmt.Errorf("%s:%s holds no chart", reference, tag)
}
