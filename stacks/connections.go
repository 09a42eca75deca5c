package stacks

import (
	"cmp"
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
	if c.off.Has("postgres") || pooler.Mode != "session" {
		return nil
	}
	var faults field.ErrorList
	held, holders := map[string]int{}, map[string][]string{} // by database, for each of which the pooler has as many
	for i, args := range c.apps() {
		if args.Pooled() && args.DatabaseConnections == 0 {
			faults = append(faults, field.Required(appPath(i).Child("databaseConnections"),
				"must say how many connections each replica holds, since postgres.pooler.mode is session"))
		}
		for _, pool := range args.Pools() {
			database := cmp.Or(pool, c.Postgres.Database)
			held[database] += args.MostConnections()
			holders[database] = append(holders[database], fmt.Sprintf("%s %d", appPath(i), args.MostConnections()))
		}
	}
	for _, database := range slices.Sorted(maps.Keys(held)) {
		if most := held[database]; most > pooler.Size {
			faults = append(faults, field.Invalid(field.NewPath("postgres", "pooler", "size"), pooler.Size, fmt.Sprintf(
				"must be %d or more in session mode: so many connections to %s are held while new versions roll out (%s); "+
					"otherwise lower databaseConnections or autoscale.max",
				most, database, strings.Join(holders[database], ", "))))
		}
	}
	return faults
}

// validateDatabases refuses an app that is told of a database that is none, or of a URI that would lead to another one.
func (c *Config) validateDatabases() field.ErrorList {
	var faults field.ErrorList
	for i, args := range c.apps() {
		at := appPath(i).Child("database")
		if c.off.Has("postgres") && len(args.Database) > 0 {
			faults = append(faults, field.Forbidden(at,
				"describes the platform's database, and postgres is off; a database elsewhere is for env and secrets"))
			continue
		}
		used, names := args.Databases(), c.Postgres.DatabaseNames()
		faults = append(faults, known(at, used, names)...)
		for _, variable := range slices.Sorted(maps.Keys(used)) {
			entry, database := args.Database[variable], used[variable]
			if strings.HasSuffix(entry, "uri") && slices.Contains(names, database) && !c.Postgres.Leads(database) {
				faults = append(faults, field.Invalid(at.Key(variable), entry, "leads to the first database of that user, which "+
					"owns several; leave out the user of this one, so that it has its own, or name host, port, dbname, user and "+
					"password"))
			}
		}
	}
	return faults
}

// validateCaches refuses an app that is told of a cache that is none.
func (c *Config) validateCaches() field.ErrorList {
	var faults field.ErrorList
	var names []string
	for _, one := range c.Caches {
		names = append(names, one.Name)
	}
	for i, args := range c.apps() {
		faults = append(faults, known(appPath(i).Child("caches"), args.CacheNames(), names)...)
	}
	return faults
}

// known refuses variables that describe something of another name than there is.
func known(path *field.Path, used map[string]string, names []string) field.ErrorList {
	var faults field.ErrorList
	for _, variable := range slices.Sorted(maps.Keys(used)) {
		if !slices.Contains(names, used[variable]) {
			faults = append(faults, field.NotSupported(path.Key(variable), used[variable], names))
		}
	}
	return faults
}
