package fastly

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/fastly/go-fastly/v12/fastly"
)

// settings are those properties of a service that are settings of a version.
type settings struct {
	defaultHost     string
	defaultTTL      int
	staleIfError    bool
	staleIfErrorTTL int
	http3           bool
}

func settingsOf(args *ServiceVclArgs) settings {
	return settings{
		defaultHost: value(args.DefaultHost), defaultTTL: value(args.DefaultTTL), staleIfError: value(args.StaleIfError),
		staleIfErrorTTL: value(args.StaleIfErrorTTL), http3: value(args.HTTP3),
	}
}

// settings returns those of the version.
func (v version) settings(ctx context.Context) (settings, error) {
	current, err := v.client.GetSettings(ctx, &fastly.GetSettingsInput{ServiceID: v.service, ServiceVersion: v.number})
	if err != nil {
		return settings{}, fmt.Errorf("reading settings: %w", err)
	}
	found := settings{
		defaultHost: value(current.DefaultHost), defaultTTL: int(value(current.DefaultTTL)),
		staleIfError: value(current.StaleIfError), staleIfErrorTTL: int(value(current.StaleIfErrorTTL)),
	}
	_, err = v.client.GetHTTP3(ctx, &fastly.GetHTTP3Input{ServiceID: v.service, ServiceVersion: v.number})
	var failed *fastly.HTTPError
	if errors.As(err, &failed) && failed.StatusCode == http.StatusNotFound {
		return found, nil
	}
	if err != nil {
		return settings{}, fmt.Errorf("reading HTTP/3: %w", err)
	}
	found.http3 = true
	return found, nil
}

func (v version) applySettings(ctx context.Context, args *ServiceVclArgs) error {
	current, err := v.settings(ctx)
	if err != nil {
		return err
	}
	wanted := settingsOf(args)
	if wanted == current {
		return nil
	}
	_, err = v.client.UpdateSettings(ctx, &fastly.UpdateSettingsInput{
		ServiceID: v.service, ServiceVersion: v.number,
		DefaultHost: &wanted.defaultHost, DefaultTTL: fastly.ToPointer(uint(wanted.defaultTTL)),
		StaleIfError: &wanted.staleIfError, StaleIfErrorTTL: fastly.ToPointer(uint(wanted.staleIfErrorTTL)),
	})
	if err != nil {
		return fmt.Errorf("changing settings: %w", err)
	}
	switch {
	case wanted.http3 && !current.http3:
		_, err = v.client.EnableHTTP3(ctx, &fastly.EnableHTTP3Input{
			ServiceID: v.service, ServiceVersion: v.number, FeatureRevision: fastly.ToPointer(1),
		})
	case !wanted.http3 && current.http3:
		err = v.client.DisableHTTP3(ctx, &fastly.DisableHTTP3Input{ServiceID: v.service, ServiceVersion: v.number})
	}
	if err != nil {
		return fmt.Errorf("switching HTTP/3: %w", err)
	}
	return nil
}

func (v version) readSettings(ctx context.Context, args *ServiceVclArgs) error {
	found, err := v.settings(ctx)
	if err != nil {
		return err
	}
	args.DefaultHost = keepOpen(args.DefaultHost, found.defaultHost)
	args.DefaultTTL, args.StaleIfErrorTTL = &found.defaultTTL, &found.staleIfErrorTTL
	args.StaleIfError, args.HTTP3 = &found.staleIfError, &found.http3
	return nil
}
