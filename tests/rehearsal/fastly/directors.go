package fastly

import "slices"

// A director's backends are a list of names in the director; the API shows each as an object of its own.

func getDirectorBackend(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	director, members, err := directorOf(svc, v, r)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(members, any(r.PathValue("backend"))) {
		return nil, noMember(svc, v, r)
	}
	return memberOf(director, r), nil
}

func addDirectorBackend(s *state, r request) (any, error) {
	svc, v, err := s.draft(r)
	if err != nil {
		return nil, err
	}
	director, members, err := directorOf(svc, v, r)
	if err != nil {
		return nil, err
	}
	backend := r.PathValue("backend")
	if kindAt("backend").named(v, backend) == nil {
		return nil, missing("Backend", backend, svc, v)
	}
	if slices.Contains(members, any(backend)) {
		return nil, duplicate("director_backend", backend)
	}
	director["backends"], director["updated_at"] = append(members, backend), now()
	return memberOf(director, r), nil
}

func removeDirectorBackend(s *state, r request) (any, error) {
	svc, v, err := s.draft(r)
	if err != nil {
		return nil, err
	}
	director, members, err := directorOf(svc, v, r)
	if err != nil {
		return nil, err
	}
	at := slices.Index(members, any(r.PathValue("backend")))
	if at < 0 {
		return nil, noMember(svc, v, r)
	}
	director["backends"], director["updated_at"] = slices.Delete(members, at, at+1), now()
	return done, nil
}

func directorOf(svc *service, v *version, r request) (object, []any, error) {
	name := r.PathValue("director")
	director := kindAt("director").named(v, name)
	if director == nil {
		return nil, nil, missing("Director", name, svc, v)
	}
	members, _ := director["backends"].([]any)
	return director, members, nil
}

func noMember(svc *service, v *version, r request) error {
	return notFound("DirectorBackend", "backend", r.PathValue("backend"), "deleted", never,
		"director", r.PathValue("director"), "service", svc.ID, "version", v.Number)
}

func memberOf(director object, r request) object {
	return object{
		"service_id": director["service_id"], "version": director["version"], "director_name": director["name"],
		"backend_name": r.PathValue("backend"), "created_at": director["created_at"], "updated_at": director["updated_at"],
		"deleted_at": nil,
	}
}
