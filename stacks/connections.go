package stacks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateConnections refuses an app that holds more connections than the pooler has for it. In session mode those beyond the
// last wait until another client hangs up. A rollout would wait forever: its new replica is ready before an old one goes.
func (c *Config) validateConnections() field.ErrorList {
	pooler := c.Postgres.Pooler
	if c.off.Has("postgres") || pooler.Mode != "session" || !c.App.Pooled() {
		return nil
	}
	if c.App.DatabaseConnections == 0 {
		return field.ErrorList{field.Required(field.NewPath("app", "databaseConnections"),
			"must say how many connections each replica holds, since postgres.pooler.mode is session")}
	}
	if most := c.App.MostConnections(); most > pooler.Size {
		return field.ErrorList{field.Invalid(field.NewPath("postgres", "pooler", "size"), pooler.Size, fmt.Sprintf(
			"must be %d or more in session mode: the app holds that many during a rollout, %d for each replica and job; "+
				"otherwise lower app.databaseConnections or app.autoscale.max", most, c.App.DatabaseConnections))}
	}
	return nil
}

// validateDatabases refuses an app that is told of a database that is none, or of a URI that would lead to another one.
func (c *Config) validateDatabases() field.ErrorList {
	if c.off.Has("postgres") && len(c.App.Database) > 0 {
		return field.ErrorList{field.Forbidden(field.NewPath("app", "database"),
			"describes the platform's database, and postgres is off; a database elsewhere is for app.env and app.secrets")}
	}
	var faults field.ErrorList
	known, used := c.Postgres.DatabaseNames(), c.App.Databases()
	for _, variable := range slices.Sorted(maps.Keys(used)) {
		path, entry := field.NewPath("app", "database").Key(variable), c.App.Database[variable]
		switch {
		case !slices.Contains(known, used[variable]):
			faults = append(faults, field.NotSupported(path, used[variable], known))
		case strings.HasSuffix(entry, "uri") && !c.Postgres.Leads(used[variable]):
			faults = append(faults, field.Invalid(path, entry, "leads to the first database of that user, which owns several; "+
				"leave out the user of this one, so that it has its own, or name host, port, dbname, user and password"))
		}
	}
	return faults
}

// validateCaches refuses an app that is told of a cache that is none.
func (c *Config) validateCaches() field.ErrorList {
	var faults field.ErrorList
	var known []string
	for _, one := range c.Caches {
		known = append(known, one.Name)
	}
	used := c.App.CacheNames()
	for _, variable := range slices.Sorted(maps.Keys(used)) {
		if !slices.Contains(known, used[variable]) {
			faults = append(faults, field.NotSupported(field.NewPath("app", "caches").Key(variable), used[variable], known))
		}
	}
	return faults
}
