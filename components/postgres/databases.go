package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Database is a database of the cluster, and what it is made with.
type Database struct {
	// Name of the database.
	Name string `json:"name"`
	// User is the name of the ordinary role that owns it; one role may own several. It is part of names in Kubernetes: lower-case
	// letters, digits and dashes. Default: the name of the database, with dashes for what a role cannot have.
	User string `json:"user"`
	// Extensions are created together with it, by the superuser: those that an ordinary role may not create, such as vector.
	Extensions []string `json:"extensions"`
}

// role is the name of the role that owns the database.
func (d Database) role() string {
	if d.User != "" {
		return d.User
	}
	return strings.Trim(strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(d.Name)), "-")
}

// databases are all of them, that of the arguments' own keys first.
func (a *Args) databases() []Database {
	return append([]Database{{Name: a.Database, User: a.User, Extensions: a.Extensions}}, a.Databases...)
}

// roleOf is the role that owns a database.
func (a *Args) roleOf(name string) string {
	for _, database := range a.databases() {
		if database.Name == name {
			return database.role()
		}
	}
	return ""
}

// DatabaseNames are the names of all databases, that of the arguments' own keys first.
func (a *Args) DatabaseNames() (names []string) {
	for _, database := range a.databases() {
		names = append(names, database.Name)
	}
	return names
}

// Leads says whether a database is the first of those that its role owns: the operator writes the URIs of that one alone into the
// role's Secret.
func (a *Args) Leads(name string) bool {
	led := sets.New[string]()
	for _, database := range a.databases() {
		if database.Name == name {
			return !led.Has(database.role())
		}
		led.Insert(database.role())
	}
	return false
}

// users are the roles with the databases that each owns, and those that read. The operator makes the databases, and Secrets to
// connect with.
func (a *Args) users() (users pulumi.Array) {
	var roles []string
	owned := map[string][]string{}
	for _, database := range a.databases() {
		role := database.role()
		if owned[role] == nil {
			roles = append(roles, role)
		}
		owned[role] = append(owned[role], database.Name)
	}
	// Passwords stand in URLs, where other characters would have to be escaped.
	password := pulumi.Map{"type": pulumi.String("AlphaNumeric")}
	for _, role := range roles {
		users = append(users, pulumi.Map{
			"name": pulumi.String(role), "databases": pulumi.ToStringArray(owned[role]), "password": password,
		})
	}
	for _, reader := range a.Readers { // whom a database is given to may write to it
		users = append(users, pulumi.Map{"name": pulumi.String(reader), "password": password})
	}
	return users
}

const (
	postgis = "postgis"
	// postgisVersion is one that the operator has an image of for each version of PostgreSQL.
	postgisVersion = "3.4"
)

// carried are the extensions in the operator's images: PostgreSQL's own, and others.
// Upstream: https://www.postgresql.org/docs/current/contrib.html and
// https://access.crunchydata.com/documentation/postgres-operator/latest/releases
var carried = sets.New(
	"amcheck", "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink", "dict_int", "dict_xsyn",
	"earthdistance", "file_fdw", "fuzzystrmatch", "hstore", "insert_username", "intagg", "intarray", "isn", "lo",
	"ltree", "moddatetime", "pageinspect", "pg_buffercache", "pg_freespacemap", "pg_prewarm", "pg_stat_statements",
	"pg_surgery", "pg_trgm", "pg_visibility", "pg_walinspect", "pgcrypto", "pgrowlocks", "pgstattuple", "plpgsql",
	"postgres_fdw", "refint", "seg", "sslinfo", "tablefunc", "tcn", "tsm_system_rows", "tsm_system_time", "unaccent",
	"uuid-ossp", "xml2", "orafce", pgCron, "pg_partman", "pgaudit", "pgnodemx", "set_user", "timescaledb", "vector",
	"postgis_raster", "postgis_tiger_geocoder", "postgis_topology", "pgrouting", postgis,
)

const (
	pgCron = "pg_cron"
	// preloadParameter lists the libraries that PostgreSQL loads at its start, beside those that the operator has it load:
	// pgaudit and, for the metrics, pg_stat_statements and pgnodemx.
	preloadParameter = "shared_preload_libraries"
	// cronParameter is the one database that has pg_cron.
	cronParameter = "cron.database_name"
)

// preloaded are the extensions that cannot be created before PostgreSQL has loaded them at its start.
var preloaded = sets.New(pgCron, "timescaledb")

// spatial tells whether one of the extensions is of PostGIS, which has images of its own.
func (a *Args) spatial() bool {
	return slices.ContainsFunc(a.databases(), func(database Database) bool {
		return slices.ContainsFunc(database.Extensions, func(extension string) bool {
			return strings.HasPrefix(extension, postgis) || extension == "pgrouting"
		})
	})
}

// validateDatabases checks the databases, their roles and their extensions.
func (a *Args) validateDatabases(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	names, roles := sets.New[string](), sets.New[string]()
	for i, database := range a.databases() {
		at, name := path, path.Child("database")
		if i > 0 {
			at = path.Child("databases").Index(i - 1)
			name = at.Child("name")
		}
		faults = append(faults, database.validate(at, name)...)
		faults = append(faults, check.Unique(names, name, database.Name)...)
		roles.Insert(database.role())
		faults = append(faults, a.validateExtensions(at.Child("extensions"), database)...)
	}
	for i, reader := range a.Readers {
		at := path.Child("readers").Index(i)
		faults = append(faults, role(at, reader)...)
		faults = append(faults, check.Unique(roles, at, reader)...)
	}
	return faults
}

// validateExtensions refuses those that could not be created, so that the cluster would never be ready.
func (a *Args) validateExtensions(path *field.Path, database Database) field.ErrorList {
	var faults field.ErrorList
	for i, extension := range database.Extensions {
		if a.Image == "" && !carried.Has(extension) {
			faults = append(faults, field.NotFound(path.Index(i),
				extension+" (the operator's image lacks it; name one that has it as postgres.image)"))
		}
		if preloaded.Has(extension) && !a.preloads(extension) {
			faults = append(faults, field.Invalid(path.Index(i), extension, fmt.Sprintf("is created only where PostgreSQL loads "+
				"it at its start; set parameters to {%s: %s}", preloadParameter, extension)))
		}
		if extension == pgCron && a.Parameters[cronParameter] != database.Name {
			faults = append(faults, field.Invalid(path.Index(i), extension, fmt.Sprintf("is created only in the one database "+
				"that it is told of; set parameters to {%s: %s}", cronParameter, database.Name)))
		}
	}
	return faults
}

// preloads says whether PostgreSQL loads a library at its start because the parameters say so.
func (a *Args) preloads(library string) bool {
	return slices.ContainsFunc(strings.Split(a.Parameters[preloadParameter], ","), func(listed string) bool {
		return strings.Trim(listed, ` '"`) == library
	})
}

func (d Database) validate(path, name *field.Path) field.ErrorList {
	faults := identifier(name, d.Name)
	if slices.Contains([]string{superuser, "template0", "template1"}, d.Name) {
		faults = append(faults, field.Forbidden(name, "is PostgreSQL's own"))
	}
	if len(faults) == 0 || d.User != "" { // else the role is named after what is wrong already
		faults = append(faults, role(path.Child("user"), d.role())...)
	}
	seen := sets.New[string]()
	for i, extension := range d.Extensions {
		at := path.Child("extensions").Index(i)
		faults = append(faults, identifier(at, extension)...)
		faults = append(faults, check.Unique(seen, at, extension)...)
	}
	return faults
}

// role refuses what cannot be an ordinary role of the operator's.
func role(path *field.Path, name string) field.ErrorList {
	faults := check.Name(path, name)
	if name == superuser {
		faults = append(faults, field.Forbidden(path, "is the superuser"))
	}
	return faults
}

// identifier refuses names that need care in SQL, URLs and shells. The operator takes others, but none of PostgreSQL's own.
func identifier(path *field.Path, name string) field.ErrorList {
	if !identifiers.MatchString(name) {
		return field.ErrorList{field.Invalid(path, name,
			"must be 63 letters, digits, underscores, dashes and periods at most, and not begin with one of the latter two")}
	}
	return nil
}

// Statement is SQL that the superuser runs in a database.
type Statement struct{ Database, SQL string }

// setup is what the superuser does in a new cluster. It makes each role the owner of its databases, since as an ordinary role it
// could not even create a table from PostgreSQL 15 on, creates the extensions and what they need, and lets the readers read.
func (a *Args) setup() (statements []Statement) {
	for _, database := range a.databases() {
		statements = append(statements, Statement{superuser,
			fmt.Sprintf("ALTER DATABASE %s OWNER TO %s;", quote(database.Name), quote(database.role()))})
		for _, extension := range database.Extensions {
			statements = append(statements, Statement{database.Name,
				fmt.Sprintf("CREATE EXTENSION IF NOT EXISTS %s CASCADE;", quote(extension))})
		}
	}
	for _, reader := range a.Readers {
		statements = append(statements, Statement{superuser, fmt.Sprintf("GRANT pg_read_all_data TO %s;", quote(reader))})
	}
	return statements
}

// quote makes an identifier of a name that has no quotes.
func quote(name string) string { return `"` + name + `"` }
