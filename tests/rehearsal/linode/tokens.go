package linode

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// token is a personal access token: https://techdocs.akamai.com/linode-api/reference/get-personal-access-token
type token struct {
	ID      int    `json:"id"`
	Label   string `json:"label"`
	Scopes  string `json:"scopes"` // * or a list of scopes such as domains:read_write, in order
	Token   string `json:"token"`  // shown in full only when the token is created
	Created string `json:"created"`
	Expiry  string `json:"expiry"`
}

func (a *API) tokenRoutes() routes {
	return collection[*token]{
		path:   "/profile/tokens",
		items:  func(c *call) ([]*token, error) { return c.state.Tokens, nil },
		id:     func(t *token) string { return strconv.Itoa(t.ID) },
		create: createToken,
		show: func(_ *call, t *token) any {
			shown := *t
			shown.Token = t.Token[:16]
			return shown
		},
		update: func(c *call, t *token) error {
			var in struct {
				Label *string `json:"label"`
			}
			if err := c.decode(&in); err != nil {
				return err
			}
			set(&t.Label, in.Label)
			return nil
		},
		delete: func(c *call, t *token) error {
			c.state.Tokens = without(c.state.Tokens, t)
			return nil
		},
	}.routes()
}

// timeFormat is how the API writes times, in UTC.
const timeFormat = "2006-01-02T15:04:05"

func createToken(c *call) (any, error) {
	const never = "2999-12-12T05:00:00"
	var in struct {
		Label  string `json:"label"`
		Scopes string `json:"scopes"`
		Expiry string `json:"expiry"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	t := &token{Label: in.Label, Created: now(), Expiry: cmp.Or(in.Expiry, never), Token: randomHex(32)}
	scopes := scopesOf(in.Scopes)
	t.Scopes = strings.Join(scopes, " ")
	var check checks
	check.that(len(in.Label) <= 100, "label", "Length must be 1-100 characters")
	check.that(len(scopes) > 0, "scopes", "scopes is required")
	for _, scope := range scopes {
		check.that(scopePattern.MatchString(scope), "scopes", "Invalid OAuth scope: %s", scope)
	}
	expiry, err := time.Parse(timeFormat, t.Expiry)
	check.that(err == nil && expiry.After(time.Now()), "expiry", "Must be a time in the future, such as %s", never)
	if err := check.err(); err != nil {
		return nil, err
	}
	t.ID = c.state.newID()
	c.state.Tokens = append(c.state.Tokens, t)
	return t, nil
}

var scopePattern = regexp.MustCompile(`^(\*|(account|databases|domains|events|firewall|images|ips|linodes|lke|longview|` +
	`nodebalancers|object_storage|stackscripts|volumes|vpc):(read_only|read_write))$`)

// scopesOf splits a list of scopes, which spaces or commas may separate.
func scopesOf(list string) []string {
	scopes := strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ',' })
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// authorize checks the bearer token of a request.
func (a *API) authorize(r *http.Request) error {
	bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if found && bearer == a.options.Token {
		return nil
	}
	err := errInvalidToken
	a.store.View(func(s *state) {
		t := find(s.Tokens, func(t *token) bool { return t.Token == bearer && t.Expiry > now() })
		switch {
		case t == nil:
		case !t.allows(r.Method, r.URL.Path):
			err = refuse(http.StatusUnauthorized, "", "Your OAuth token is not authorized to use this endpoint.")
		default:
			err = nil
		}
	})
	return err
}

// neededScopes are what paths call for; those that are not here are public.
var neededScopes = []struct{ path, scope string }{
	{"/account/events", "events"}, {"/account", "account"}, {"/profile", "account"}, {"/domains", "domains"},
	{"/linode/instances", "linodes"}, {"/lke/clusters", "lke"}, {"/networking/firewalls", "firewall"},
	{"/nodebalancers/types", ""}, {"/nodebalancers", "nodebalancers"}, {"/volumes/types", ""}, {"/volumes", "volumes"},
	{"/object-storage/types", ""}, {"/object-storage", "object_storage"},
}

// allows tells whether a token is good for a request.
func (t *token) allows(method, path string) bool {
	for _, needed := range neededScopes {
		if !strings.HasPrefix(path, needed.path) {
			continue
		}
		own := strings.Fields(t.Scopes)
		reads := method == http.MethodGet && slices.Contains(own, needed.scope+":read_only")
		return needed.scope == "" || reads || slices.Contains(own, needed.scope+":read_write") || slices.Contains(own, "*")
	}
	return true
}
