package fastly

import (
	"maps"
	"net/http"
	"strings"
)

// The paths of what a version has once, below the version.
const (
	settingsPath       = "settings"
	http3Path          = "http3"
	imageOptimizerPath = "image_optimizer_default_settings"
)

func (a *API) settingsRoutes() {
	a.handle("GET "+versionPath+settingsPath, getSettings)
	a.handle("PUT "+versionPath+settingsPath, updateSettings)
	a.handle("GET "+versionPath+http3Path, getHTTP3)
	a.handle("POST "+versionPath+http3Path, enableHTTP3)
	a.handle("DELETE "+versionPath+http3Path, disableHTTP3)
	a.handle("GET "+versionPath+imageOptimizerPath, getImageOptimizerDefaults)
	a.handle("PATCH "+versionPath+imageOptimizerPath, updateImageOptimizerDefaults)
}

var settingsFields = fields{
	"general.default_host": text(""), "general.default_pci": number(0), "general.default_ttl": number(3600),
	"general.stale_if_error": flag(false), "general.stale_if_error_ttl": number(43200),
}

func getSettings(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	return describeSettings(svc, v), nil
}

func describeSettings(svc *service, v *version) object {
	settings := maps.Clone(v.Settings[settingsPath])
	settings["service_id"], settings["version"] = svc.ID, v.Number
	return settings
}

func updateSettings(s *state, r request) (any, error) {
	svc, v, err := s.draft(r)
	if err != nil {
		return nil, err
	}
	sent, err := settingsFields.read(r.fields)
	if err != nil {
		return nil, err
	}
	maps.Copy(v.Settings[settingsPath], sent)
	return describeSettings(svc, v), nil
}

func getHTTP3(s *state, r request) (any, error) {
	_, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	if v.Settings[http3Path] == nil {
		return nil, &refusal{http.StatusNotFound, failure{Msg: "Not found"}}
	}
	return v.Settings[http3Path], nil
}

var http3Fields = fields{"feature_revision": number(1), "feature_update_available": flag(false)}

func enableHTTP3(s *state, r request) (any, error) {
	svc, v, err := s.draft(r)
	if err != nil {
		return nil, err
	}
	if v.Settings[http3Path] != nil {
		return nil, badRequest("HTTP/3 is already enabled for version '%d'", v.Number)
	}
	o, err := http3Fields.create(r.fields)
	if err != nil {
		return nil, err
	}
	o["id"], o["service_id"], o["version"] = newID(), svc.ID, v.Number
	o["created_at"], o["updated_at"] = now(), now()
	v.Settings[http3Path] = o
	return o, nil
}

// disableHTTP3 succeeds where it was not enabled, too; the Terraform provider counts on that.
func disableHTTP3(s *state, r request) (any, error) {
	_, v, err := s.draft(r)
	if err != nil {
		return nil, err
	}
	delete(v.Settings, http3Path)
	return done, nil
}

var imageOptimizerFields = fields{
	"allow_video": flag(false), "jpeg_quality": number(85),
	"jpeg_type":     oneOf("auto baseline progressive").initially("auto"),
	"resize_filter": oneOf("lanczos3 lanczos2 bicubic bilinear nearest").initially("lanczos3"),
	"upscale":       flag(false), "webp": flag(false), "webp_quality": number(85),
}

func getImageOptimizerDefaults(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	if svc.Products["image_optimizer"] == nil {
		return nil, &refusal{http.StatusNotFound, problem{Title: "Not found", Status: http.StatusNotFound,
			Detail: "Image Optimizer is not enabled on this service"}}
	}
	return imageOptimizerDefaults(v), nil
}

func imageOptimizerDefaults(v *version) object {
	defaults := imageOptimizerFields.initial()
	maps.Copy(defaults, v.Settings[imageOptimizerPath])
	return defaults
}

func updateImageOptimizerDefaults(s *state, r request) (any, error) {
	svc, v, err := s.draft(r)
	if err != nil {
		return nil, err
	}
	if svc.Products["image_optimizer"] == nil {
		return nil, badProblem("Bad request", "Image Optimizer is not enabled on this service")
	}
	sent, err := imageOptimizerFields.read(r.fields)
	if err != nil {
		return nil, err
	}
	for _, noun := range []string{"JPEG", "WebP"} {
		if quality, _ := sent[strings.ToLower(noun)+"_quality"].(int); quality > 100 {
			return nil, badProblem("Bad request", noun+" quality must be less than or equal to 100.")
		}
	}
	defaults := imageOptimizerDefaults(v)
	maps.Copy(defaults, sent)
	v.Settings[imageOptimizerPath] = defaults
	return defaults, nil
}
