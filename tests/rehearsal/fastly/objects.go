package fastly

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

const versionPath = "/service/{service}/version/{version}/"

// objectRoutes gives every kind the same five endpoints, and some kinds a few of their own.
func (a *API) objectRoutes() {
	for _, k := range kinds {
		a.handle("GET "+versionPath+k.path, k.list)
		a.handle("POST "+versionPath+k.path, k.onlyClassic(k.create))
		one := versionPath + k.path + "/{name}"
		if k.id == perVersion {
			one = "/" + k.path + "/{name}"
		}
		a.handle("GET "+one, k.get)
		a.handle("PUT "+one, k.onlyClassic(k.update))
		a.handle("DELETE "+one, k.onlyClassic(k.delete))
	}
	a.handle("GET "+versionPath+"domain/{name}/check", checkDomain)
	a.handle("GET "+versionPath+"domain/check_all", checkDomains)
	a.handle("PUT "+versionPath+"vcl/{name}/main", makeMain)
	const member = versionPath + "director/{director}/backend/{backend}"
	a.handle("GET "+member, getDirectorBackend)
	a.handle("POST "+member, addDirectorBackend)
	a.handle("DELETE "+member, removeDirectorBackend)
	a.handle("GET "+versionPath+"package", getPackage)
}

func (k *kind) list(s *state, r request) (any, error) {
	if s.deleted(r) != nil {
		return []object{}, nil
	}
	_, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	return append([]object{}, v.Objects[k.path]...), nil
}

func (k *kind) create(s *state, r request) (any, error) {
	svc, v, err := s.draft(r)
	if err != nil {
		return nil, err
	}
	sent, err := k.read(r)
	if err != nil {
		return nil, err
	}
	o := k.allFields().initial()
	maps.Copy(o, sent)
	o["service_id"], o["version"] = svc.ID, k.version(v.Number)
	o["created_at"], o["updated_at"], o["deleted_at"] = now(), now(), nil
	if k.id != noID {
		o["id"] = newID()
	}
	if err := k.check(o); err != nil {
		return nil, err
	}
	if k.named(v, o.text("name")) != nil {
		return nil, k.duplicate(o)
	}
	if err := k.finish(svc, o); err != nil {
		return nil, err
	}
	v.Objects[k.path] = append(v.Objects[k.path], o)
	return o, nil
}

func (k *kind) get(s *state, r request) (any, error) {
	_, _, o, err := k.find(s, r)
	if err != nil {
		return nil, err
	}
	return o, nil
}

func (k *kind) update(s *state, r request) (any, error) {
	svc, v, o, err := k.findEditable(s, r)
	if err != nil {
		return nil, err
	}
	sent, err := k.read(r)
	if err != nil {
		return nil, err
	}
	delete(sent, k.frozen)
	changed := maps.Clone(o)
	maps.Copy(changed, sent)
	replaced := k.replaceCompression(changed, sent)
	if err := k.check(changed); err != nil {
		return nil, err
	}
	if other := k.named(v, changed.text("name")); other != nil && other.text("name") != o.text("name") {
		return nil, k.duplicate(changed)
	}
	changed["updated_at"] = now()
	if err := k.finish(svc, changed); err != nil {
		return nil, err
	}
	maps.Copy(o, changed)
	maps.Copy(changed, replaced)
	return changed, nil
}

// read returns the fields of a request.
func (k *kind) read(r request) (object, error) {
	sent, err := k.allFields().read(r.fields)
	if err != nil {
		return nil, err
	}
	return sent, contradiction(sent)
}

// replaceCompression drops the one of two ways to compress that a change replaces by the other. The answer to the change
// shows a level that is dropped as zero, and as null where none was set.
func (k *kind) replaceCompression(changed, sent object) object {
	switch {
	case sent.text("compression_codec") != "" && k.fields["gzip_level"].initial != nil:
		var shown any
		if plain(changed["gzip_level"]) != "0" {
			shown = 0
		}
		changed["gzip_level"] = k.fields["gzip_level"].initial
		return object{"gzip_level": shown}
	case sent["gzip_level"] != nil && plain(sent["gzip_level"]) != "0":
		changed["compression_codec"] = nil
	}
	return nil
}

func (k *kind) delete(s *state, r request) (any, error) {
	_, v, o, err := k.findEditable(s, r)
	if err != nil {
		return nil, err
	}
	name := o.text("name")
	v.Objects[k.path] = slices.DeleteFunc(v.Objects[k.path], func(o object) bool { return o.text("name") == name })
	return done, nil
}

func (k *kind) allFields() fields { return merge(k.fields, texts("name")) }

// finish refuses what is wrong with an object of this kind, and completes it.
func (k *kind) finish(svc *service, o object) error {
	if k.refuse != nil {
		if err := k.refuse(o); err != nil {
			return err
		}
	}
	if k.settle != nil {
		k.settle(svc, o)
	}
	return nil
}

func (k *kind) duplicate(o object) error {
	table := k.table
	if table == "" {
		table = strings.ToLower(k.noun)
	}
	return duplicate(table, o.text("name"))
}

// named returns the object of a version that has a name, nil when there is none.
func (k *kind) named(v *version, name string) object {
	at := slices.IndexFunc(v.Objects[k.path], func(o object) bool { return o.text("name") == name })
	if at < 0 {
		return nil
	}
	return v.Objects[k.path][at]
}

// find returns the object that a request names, with its version and service.
func (k *kind) find(s *state, r request) (*service, *version, object, error) {
	if k.id == perVersion {
		return k.findByID(s, r.PathValue("name"))
	}
	svc, v, err := s.version(r)
	if err != nil {
		return nil, nil, nil, err
	}
	o := k.named(v, r.PathValue("name"))
	if o == nil {
		return nil, nil, nil, missing(k.noun, r.PathValue("name"), svc, v)
	}
	return svc, v, o, nil
}

func (k *kind) findByID(s *state, id string) (*service, *version, object, error) {
	for _, svc := range s.Services {
		if svc.DeletedAt != nil {
			continue
		}
		for _, v := range svc.Versions {
			for _, o := range v.Objects[k.path] {
				if o["id"] == id {
					return svc, v, o, nil
				}
			}
		}
	}
	return nil, nil, nil, &refusal{http.StatusNotFound, failure{Msg: "Record not found", Detail: "Cannot find vclmodule ''"}}
}

// findEditable is find for a request that edits: in an active or locked version it is refused.
func (k *kind) findEditable(s *state, r request) (*service, *version, object, error) {
	svc, v, o, err := k.find(s, r)
	if v != nil && v.Locked {
		return nil, nil, nil, locked(svc.ID, v.Number)
	}
	return svc, v, o, err
}

// kindAt returns the kind with a path, which must be in the table.
func kindAt(path string) *kind {
	return kinds[slices.IndexFunc(kinds, func(k *kind) bool { return k.path == path })]
}

func checkDomain(s *state, r request) (any, error) {
	_, _, o, err := kindAt("domain").find(s, r)
	if err != nil {
		return nil, err
	}
	return domainCheck(o), nil
}

func checkDomains(s *state, r request) (any, error) {
	_, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	checks := []any{}
	for _, o := range v.Objects["domain"] {
		checks = append(checks, domainCheck(o))
	}
	return checks, nil
}

// domainCheck says whether a domain's DNS points at Fastly; nothing does in a simulation.
func domainCheck(o object) []any { return []any{o, nil, false} }

// makeMain makes one VCL file the main one, so that no other is.
func makeMain(s *state, r request) (any, error) {
	_, v, o, err := kindAt("vcl").findEditable(s, r)
	if err != nil {
		return nil, err
	}
	for _, other := range v.Objects["vcl"] {
		other["main"] = false
	}
	o["main"], o["updated_at"] = true, now()
	return o, nil
}

// getPackage answers for a Compute service without a package; a VCL service never has one.
func getPackage(s *state, r request) (any, error) {
	svc, v, err := s.version(r)
	if err != nil {
		return nil, err
	}
	return nil, notFound("Package", "deleted", never, "service", svc.ID, "version", v.Number)
}
