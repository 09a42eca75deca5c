package fastly

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
)

// A collection is the content of an ACL or a dictionary. It belongs to the service and has no version: a change is live
// at once.
type collection struct {
	of      string // the path of the kind that contains it, and of the URL
	one     string // an item in URLs
	all     string // all items in URLs and in the body of a batch
	noun    string
	ownerID string // the field of an item that says what it is in
	key     string // the field that names an item in URLs; generated when it is "id"
	fields  fields
}

var collections = []*collection{
	{of: "acl", one: "entry", all: "entries", noun: "ACLEntry", ownerID: "acl_id", key: "id",
		fields: merge(texts("ip"), fields{"comment": text(""), "negated": text("0"), "subnet": anyNumber.upTo(128)})},
	{of: "dictionary", one: "item", all: "items", noun: "DictionaryItem", ownerID: "dictionary_id", key: "item_key",
		fields: merge(texts("item_key"), fields{"item_value": text("")})},
}

func (a *API) collectionRoutes() {
	for _, c := range collections {
		root := "/service/{service}/" + c.of + "/{owner}/"
		a.handle("GET "+root+c.all, c.list)
		a.handle("PATCH "+root+c.all, c.batch)
		a.handle("POST "+root+c.one, c.create)
		a.handle("GET "+root+c.one+"/{key}", c.get)
		a.handle("PUT "+root+c.one+"/{key}", c.upsert)
		a.handle("PATCH "+root+c.one+"/{key}", c.update)
		a.handle("DELETE "+root+c.one+"/{key}", c.delete)
	}
	a.handle("GET "+versionPath+"dictionary/{owner}/info", dictionaryInfo)
	a.handle("GET /service/{service}/snippet/{snippet}", getDynamicSnippet)
	a.handle("PUT /service/{service}/snippet/{snippet}", updateDynamicSnippet)
}

// open returns the service and the ID of the ACL or dictionary that a request names, which any version may have.
func (c *collection) open(s *state, r request) (*service, string, error) {
	svc, err := s.service(r)
	if err != nil {
		return nil, "", err
	}
	owner := r.PathValue("owner")
	for _, v := range svc.Versions {
		if slices.ContainsFunc(v.Objects[c.of], func(o object) bool { return o["id"] == owner }) {
			return svc, owner, nil
		}
	}
	return nil, "", notFound(kindAt(c.of).noun, "deleted", never, "id", owner, "service", svc.ID)
}

func (c *collection) list(s *state, r request) (any, error) {
	svc, owner, err := c.open(s, r)
	if err != nil {
		return nil, err
	}
	return page(append([]object{}, svc.Collections[owner]...), r, "created_at")
}

func (c *collection) get(s *state, r request) (any, error) {
	svc, owner, err := c.open(s, r)
	if err != nil {
		return nil, err
	}
	for _, o := range svc.Collections[owner] {
		if o.text(c.key) == r.PathValue("key") {
			return o, nil
		}
	}
	return nil, c.missing(svc, owner, r.PathValue("key"))
}

func (c *collection) create(s *state, r request) (any, error) { return c.apply(s, r, "create") }
func (c *collection) update(s *state, r request) (any, error) { return c.apply(s, r, "update") }
func (c *collection) upsert(s *state, r request) (any, error) { return c.apply(s, r, "upsert") }
func (c *collection) delete(s *state, r request) (any, error) { return c.apply(s, r, "delete") }

// apply does one operation on the item that the URL names, or that the body names when the URL does not.
func (c *collection) apply(s *state, r request, operation string) (any, error) {
	svc, owner, err := c.open(s, r)
	if err != nil {
		return nil, err
	}
	change := map[string]any{}
	maps.Copy(change, r.fields)
	if key := r.PathValue("key"); key != "" {
		change[c.key] = key
	}
	items, o, err := c.change(svc, owner, svc.Collections[owner], operation, change)
	if err != nil {
		return nil, err
	}
	svc.Collections[owner] = items
	if operation == "delete" {
		return done, nil
	}
	return o, nil
}

// batch does all operations of a request's body, or none when one of them is refused.
func (c *collection) batch(s *state, r request) (any, error) {
	svc, owner, err := c.open(s, r)
	if err != nil {
		return nil, err
	}
	changes, _ := r.fields[c.all].([]any)
	if len(changes) > 1000 {
		return nil, badRequest("a batch takes at most 1000 operations, not %d", len(changes))
	}
	items := svc.Collections[owner]
	for i, change := range changes {
		fields, _ := change.(map[string]any)
		if items, _, err = c.change(svc, owner, items, plain(fields["op"]), fields); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
	}
	svc.Collections[owner] = items
	return done, nil
}

// change returns the items after one operation, and the item that it concerned. The items given stay as they are.
func (c *collection) change(svc *service, owner string, items []object, operation string, change map[string]any,
) ([]object, object, error) {
	key, _ := change[c.key].(string)
	at := slices.IndexFunc(items, func(o object) bool { return o.text(c.key) == key })
	sent, err := c.fields.read(change)
	if err != nil {
		return nil, nil, err
	}
	if ip, given := sent["ip"]; given && net.ParseIP(plain(ip)) == nil {
		return nil, nil, badRequest("'%s' is not an IP address", plain(ip))
	}
	switch {
	case operation == "create" && at >= 0 && key != "":
		return nil, nil, duplicate(strings.ToLower(c.noun), key)
	case operation == "create", operation == "upsert" && at < 0:
		o := c.newItem(svc, owner, sent)
		return append(slices.Clone(items), o), o, nil
	case at < 0:
		return nil, nil, c.missing(svc, owner, key)
	case operation == "delete":
		return slices.Delete(slices.Clone(items), at, at+1), items[at], nil
	case operation == "update", operation == "upsert":
		o := maps.Clone(items[at])
		maps.Copy(o, sent)
		o["updated_at"] = now()
		changed := slices.Clone(items)
		changed[at] = o
		return changed, o, nil
	default:
		return nil, nil, badRequest("'%s' is not an operation", operation)
	}
}

func (c *collection) newItem(svc *service, owner string, sent object) object {
	o := c.fields.initial()
	maps.Copy(o, sent)
	if c.key == "id" {
		o["id"] = newID()
	}
	o[c.ownerID], o["service_id"] = owner, svc.ID
	o["created_at"], o["updated_at"], o["deleted_at"] = now(), now(), nil
	return o
}

func (c *collection) missing(svc *service, owner, key string) error {
	return notFound(c.noun, c.ownerID, owner, c.key, key, "service_id", svc.ID)
}

func dictionaryInfo(s *state, r request) (any, error) {
	svc, _, err := s.version(r)
	if err != nil {
		return nil, err
	}
	items := svc.Collections[r.PathValue("owner")]
	content, err := json.Marshal(items)
	if err != nil {
		return nil, fmt.Errorf("digesting dictionary: %w", err)
	}
	digest := sha256.Sum256(content)
	info := object{"item_count": len(items), "last_updated": nil, "digest": hex.EncodeToString(digest[:])}
	for _, item := range items {
		updated := strings.TrimSuffix(strings.Replace(item.text("updated_at"), "T", " ", 1), "Z")
		info["last_updated"] = max(info.text("last_updated"), updated)
	}
	return info, nil
}

func getDynamicSnippet(s *state, r request) (any, error) {
	o, err := dynamicSnippet(s, r)
	if err != nil {
		return nil, err
	}
	return o, nil
}

func updateDynamicSnippet(s *state, r request) (any, error) {
	o, err := dynamicSnippet(s, r)
	if err != nil {
		return nil, err
	}
	sent, err := texts("content").read(r.fields)
	if err != nil {
		return nil, err
	}
	maps.Copy(o, sent)
	o["updated_at"] = now()
	return o, nil
}

func dynamicSnippet(s *state, r request) (object, error) {
	svc, err := s.service(r)
	if err != nil {
		return nil, err
	}
	o := svc.DynamicSnippets[r.PathValue("snippet")]
	if o == nil {
		return nil, notFound("DynamicSnippet", "service", svc.ID, "snippet_id", r.PathValue("snippet"))
	}
	return o, nil
}
