package check

import (
	"strings"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Schedule refuses what Kubernetes does not take as the schedule of a CronJob.
// Upstream: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
func Schedule(path *field.Path, value string) field.ErrorList {
	if strings.Contains(value, "TZ=") {
		return field.ErrorList{field.Invalid(path, value, "must not name a time zone")}
	}
	if _, err := cron.ParseStandard(value); err != nil {
		return field.ErrorList{field.Invalid(path, value, "must be a schedule, for instance 30 4 * * *: "+err.Error())}
	}
	return nil
}
