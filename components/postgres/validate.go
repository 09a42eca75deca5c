package postgres

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

const (
	// The versions that the operator has images of, and metrics.
	oldestVersion, newestVersion = 15, 17
	// superuser is the role that owns the databases of PostgreSQL's own.
	superuser = "postgres"
	// longestName leaves room for what the operator appends: 46 characters with the name of the instance set.
	longestName = 46 - len(instanceSet)
)

// Validate returns every fault of what configuration can set, with its path.
func (a *Args) Validate(path *field.Path) field.ErrorList {
	faults := check.Between(path.Child("version"), a.Version, oldestVersion, newestVersion)
	if a.Image != "" {
		faults = append(faults, check.Image(path.Child("image"), a.Image)...)
	}
	faults = append(faults, a.validateDatabases(path)...)
	faults = append(faults, check.Between(path.Child("instances"), a.Instances, 1, 10)...)
	faults = append(faults, check.Volume(path.Child("storage"), a.Storage)...)
	faults = append(faults, check.Volume(path.Child("walStorage"), a.WALStorage)...)
	faults = append(faults, check.Quantity(path.Child("cpu"), a.CPU)...)
	faults = append(faults, check.Quantity(path.Child("memory"), a.Memory)...)
	faults = append(faults, parameters(path.Child("parameters"), a.Parameters)...)
	faults = append(faults, a.Pooler.validate(path.Child("pooler"))...)
	faults = append(faults, a.validateConnections(path.Child("parameters").Key("max_connections"))...)
	faults = append(faults, a.Backups.validate(path.Child("backups"))...)
	if a.Backups.Test != "" && a.Backups.Test != off && a.restoreImage() == "" {
		faults = append(faults, field.Forbidden(path.Child("backups", "test"),
			"the operator alone knows its image with PostGIS; say one in image, or leave this out"))
	}
	faults = append(faults, a.validateOrigin(path)...)
	if timeout, err := time.ParseDuration(a.Timeout); err != nil || timeout < time.Minute {
		faults = append(faults, field.Invalid(path.Child("timeout"), a.Timeout,
			"must be a duration of a minute or more, for instance 30m"))
	}
	return faults
}

// identifiers are the names that need no care.
var identifiers = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$`)

// ValidateName refuses what cannot be the name of a cluster.
func ValidateName(path *field.Path, name string) field.ErrorList {
	faults := check.Name(path, name)
	if len(name) > longestName {
		faults = append(faults, field.TooLong(path, name, longestName))
	}
	return faults
}

func (p *Pooler) validate(path *field.Path) field.ErrorList {
	faults := check.Between(path.Child("replicas"), p.Replicas, 1, 10)
	faults = append(faults, check.OneOf(path.Child("mode"), p.Mode, "transaction", "session")...)
	return append(faults, check.Between(path.Child("size"), p.Size, 1, 500)...)
}

// validateConnections refuses a limit of one's own that the pooler alone could use up.
func (a *Args) validateConnections(path *field.Path) field.ErrorList {
	value, given := a.Parameters["max_connections"]
	if !given {
		return nil
	}
	least := fewestUnpooled + a.pooled()
	if limit, err := strconv.Atoi(value); err != nil || limit < least {
		return field.ErrorList{field.Invalid(path, value, fmt.Sprintf(
			"must be a number from %d: pooler.size for each of pooler.replicas and each database, and %d for others",
			least, fewestUnpooled))}
	}
	return nil
}

func (b *Backups) validate(path *field.Path) field.ErrorList {
	faults := schedule(path.Child("full"), b.Full)
	faults = append(faults, schedule(path.Child("differential"), b.Differential)...)
	if b.Test != "" && b.Test != off {
		faults = append(faults, schedule(path.Child("test"), b.Test)...)
	}
	faults = append(faults, check.Between(path.Child("retentionDays"), b.RetentionDays, 1, 3650)...)
	faults = append(faults, check.SecretName(path.Child("encryption"), b.Encryption)...)
	if b.Path != "" {
		faults = append(faults, check.URLPath(path.Child("path"), b.Path)...)
	}
	return faults
}

// validateOrigin checks where the data comes from, which can only be one place.
func (a *Args) validateOrigin(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if a.Restore != nil {
		faults = append(faults, moment(path.Child("restore", "time"), a.Restore.Time)...)
	}
	if a.StartFrom != nil {
		faults = append(faults, a.StartFrom.validate(path.Child("startFrom"))...)
		if a.Restore != nil {
			faults = append(faults, field.Forbidden(path.Child("startFrom"),
				"is for a cluster that does not exist yet, and restore for one that does; leave one of them out"))
		}
	}
	if a.Load != nil {
		faults = append(faults, check.SecretName(path.Child("load", "url"), a.Load.URL)...)
		if a.StartFrom != nil {
			faults = append(faults, field.Forbidden(path.Child("load"), "a cluster that starts from a backup is not empty"))
		}
	}
	return faults
}

func (s *StartFrom) validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if s.Time != "" {
		faults = moment(path.Child("time"), s.Time)
	}
	if s.Bucket == nil {
		return faults
	}
	bucket := path.Child("bucket")
	faults = append(faults, check.Required(bucket.Child("name"), s.Bucket.Name)...)
	faults = append(faults, check.Domain(bucket.Child("endpoint"), s.Bucket.Endpoint)...)
	faults = append(faults, check.URLPath(bucket.Child("path"), s.Bucket.Path)...)
	faults = append(faults, check.SecretName(bucket.Child("accessKey"), s.Bucket.AccessKey)...)
	faults = append(faults, check.SecretName(bucket.Child("secretKey"), s.Bucket.SecretKey)...)
	if s.Bucket.Encryption != "" {
		faults = append(faults, check.SecretName(bucket.Child("encryption"), s.Bucket.Encryption)...)
	}
	return faults
}

// schedule refuses what is not a schedule, and schedules that never come.
func schedule(path *field.Path, value string) field.ErrorList {
	if faults := check.Schedule(path, value); len(faults) > 0 {
		return faults
	}
	if times, err := cron.ParseStandard(value); err == nil && times.Next(time.Now()).IsZero() {
		return field.ErrorList{field.Invalid(path, value, "never comes")}
	}
	return nil
}

// moment refuses what is not a time in RFC 3339, to the second and in the past.
func moment(path *field.Path, value string) field.ErrorList {
	instant, err := time.Parse(time.RFC3339, value)
	switch {
	case err != nil:
		// YAML turns a time without quotes into another form.
		return field.ErrorList{field.Invalid(path, value, `must be a time in RFC 3339, in quotes: "2026-11-20T10:00:00Z"`)}
	case instant.Nanosecond() != 0:
		return field.ErrorList{field.Invalid(path, value, "must not have fractions of a second")}
	case instant.After(time.Now()):
		return field.ErrorList{field.Invalid(path, value, "must not be in the future")}
	}
	return nil
}

// mostParameters is what the operator's custom resource takes, less those that the component sets.
const mostParameters = 50 - 4

// operatorOwned are the parameters that the operator sets itself; its custom resource refuses them.
var operatorOwned = []string{
	"archive_command", "archive_mode", "cluster_name", "config_file", "data_directory", "external_pid_file", "hba_file",
	"hot_standby", "ident_file", "listen_addresses", "log_directory", "log_file_mode", "logging_collector", "port",
	"primary_conninfo", "primary_slot_name", "recovery_min_apply_delay", "recovery_target*", "restore_command", "ssl", "ssl_*",
	"synchronous_standby_names", "unix_socket_*", "wal_level", "wal_log_hints",
}

func parameters(path *field.Path, values map[string]string) field.ErrorList {
	var faults field.ErrorList
	if len(values) > mostParameters {
		faults = append(faults, field.TooMany(path, len(values), mostParameters))
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		owned := slices.ContainsFunc(operatorOwned, func(pattern string) bool {
			prefix, isPrefix := strings.CutSuffix(pattern, "*")
			return name == pattern || isPrefix && strings.HasPrefix(name, prefix)
		})
		// These it takes: the one because no other would work, the other because it weakens nothing.
		taken := name == "wal_level" && values[name] == "logical" || name == "ssl_ecdh_curve"
		if owned && !taken {
			faults = append(faults, field.Forbidden(path.Key(name), "is the operator's to set"))
		}
	}
	return faults
}
