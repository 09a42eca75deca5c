package fastly

import (
	"encoding/json"
	"fmt"
)

func (a *API) versionRoutes() {
	const root = "/service/{service}/version"
	a.handle("GET "+root, listVersions)
	a.handle("POST "+root, createVersion)
	a.handle("GET "+root+"/active", getActiveVersion)
	a.handle("GET "+root+"/{version}", getVersion)
	a.handle("PUT "+root+"/{version}", updateVersion)
	a.handle("PUT "+root+"/{version}/clone", cloneVersion)
	a.handle("PUT "+root+"/{version}/lock", lockVersion)
	a.handle("GET "+root+"/{version}/validate", validateVersion)
	a.handle("PUT "+root+"/{version}/activate", activateVersion)
	a.handle("PUT "+root+"/{version}/deactivate", deactivateVersion)
}

func newVersion(number int, comment string) *version {
	return &version{
		Number: number, Comment: comment, CreatedAt: now(), UpdatedAt: now(),
		Objects: map[string][]object{}, Settings: map[string]object{settingsPath: settingsFields.initial()},
	}
}

// describe is a version as most endpoints answer it.
func (v *version) describe(svc *service) object {
	return object{
		"number": v.Number, "service_id": svc.ID, "comment": v.Comment, "active": v.Active, "locked": v.Locked,
		"created_at": v.CreatedAt, "updated_at": v.UpdatedAt, "deleted_at": nil,
		"deployed": false, "environments": []any{}, "staging": false, "testing": false,
	}
}

func listVersions(s *state, r request) (any, error) {
	svc, err := s.service(r)
	if err != nil {
		return nil, err
	}
	return svc.describe()["versions"], nil
}

func createVersion(s *state, r request) (any, error) {
	svc, err := s.service(r)
	if err != nil {
		return nil, err
	}
	comment, _ := r.fields["comment"].(string)
	v := newVersion(len(svc.Versions)+1, comment)
	svc.Versions = append(svc.Versions, v)
	return object{"number": v.Number, "service_id": svc.ID, "comment": v.Comment}, nil
}

func getActiveVersion(s *state, r request) (any, error) {
	svc, err := s.service(r)
	if err != nil {
		return nil, err
	}
	if v := svc.active(); v != nil {
		return v.describe(svc), nil
	}
	return nil, notFound("Version", "active", 1, "deleted", never, "service", svc.ID)
}

func getVersion(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	return v.describe(svc), nil
}

// updateVersion changes the comment, which a locked version allows too.
func updateVersion(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	if comment, ok := r.fields["comment"].(string); ok {
		v.Comment, v.UpdatedAt = comment, now()
	}
	return v.describe(svc), nil
}

func cloneVersion(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	clone, err := v.clone(len(svc.Versions) + 1)
	if err != nil {
		return nil, err
	}
	svc.Versions = append(svc.Versions, clone)
	return clone.describe(svc), nil
}

// clone returns an editable copy. Objects keep their IDs, except those of the kinds that Fastly numbers per version.
func (v *version) clone(number int) (*version, error) {
	content, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("copying version %d: %w", v.Number, err)
	}
	clone := newVersion(number, v.Comment)
	if err := json.Unmarshal(content, clone); err != nil {
		return nil, fmt.Errorf("copying version %d: %w", v.Number, err)
	}
	clone.Number, clone.Active, clone.Locked, clone.UpdatedAt = number, false, false, now()
	for _, k := range kinds {
		for _, o := range clone.Objects[k.path] {
			o["version"] = k.version(number)
			if k.id == perVersion {
				o["id"] = newID()
			}
		}
	}
	for _, o := range clone.Settings {
		if _, numbered := o["version"]; numbered {
			o["version"] = number
		}
	}
	return clone, nil
}

func lockVersion(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	v.Locked, v.UpdatedAt = true, now()
	return v.describe(svc), nil
}

func validateVersion(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	faults := s.validate(svc, v)
	if len(faults) == 0 {
		return object{"status": "ok", "msg": svc.warning(v), "errors": faults}, nil
	}
	return object{"status": "error", "msg": faults[0], "errors": faults}, nil
}

// activateVersion takes a version that was active before, too: that is how one rolls back.
func activateVersion(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	if faults := s.validate(svc, v); len(faults) > 0 {
		return nil, badRequest("%s", faults[0])
	}
	if active := svc.active(); active != nil {
		active.Active = false
	}
	v.Active, v.Locked, v.UpdatedAt = true, true, now()
	activated := v.describe(svc)
	if warning := svc.warning(v); warning != "" {
		activated["msg"] = warning
	}
	return activated, nil
}

func deactivateVersion(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	if !v.Active {
		return nil, badRequest("Version '%d' for service '%s' is not active", v.Number, svc.ID)
	}
	v.Active, v.UpdatedAt = false, now()
	return v.describe(svc), nil
}
