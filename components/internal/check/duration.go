package check

import (
	"regexp"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// duration is what Prometheus, Alertmanager and Loki take, in the one unit that people write.
var duration = regexp.MustCompile(`^([1-9][0-9]{0,4})([mhdwy])$`)

var units = map[string]time.Duration{
	"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
}

// Duration refuses what is not a length of time.
func Duration(path *field.Path, value string) field.ErrorList {
	if !duration.MatchString(value) {
		return field.ErrorList{field.Invalid(path, value, "must be a number of m, h, d, w or y, for instance 26h or 30d")}
	}
	return nil
}

// Seconds of a valid duration.
func Seconds(value string) int {
	parts := duration.FindStringSubmatch(value)
	count, _ := strconv.Atoi(parts[1])
	return count * int(units[parts[2]]/time.Second)
}
