package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"lke-platform/internal/cloud"
)

// postgresCluster is what counts in one of the operator's.
// Upstream: https://access.crunchydata.com/documentation/postgres-operator/latest/references/crd/6.0.x/postgrescluster
type postgresCluster struct {
	Metadata meta
	Spec     struct {
		Backups struct {
			PgBackRest struct {
				Repos []struct{ Schedules map[string]string }
			}
		}
	}
	Status struct {
		Instances  []struct{ Replicas, ReadyReplicas int }
		PgBackRest struct {
			Repos            []struct{ ReplicaCreateBackupComplete bool }
			ScheduledBackups []struct{ CompletionTime time.Time }
		}
	}
}

func (s *survey) lookAtDatabases(ctx context.Context) (*finding, error) {
	clusters, err := objects[postgresCluster](ctx, s, "/apis/postgres-operator.crunchydata.com/v1/postgresclusters")
	if cloud.IsAbsent(err) || err == nil && len(clusters) == 0 {
		return &finding{says: "the stack has none of its own", absent: true}, nil
	}
	if err != nil {
		return nil, err
	}
	f := &finding{more: "kubectl get postgresclusters,jobs --all-namespaces"}
	var says []string
	for _, c := range clusters {
		wanted, ready := 0, 0
		for _, set := range c.Status.Instances {
			wanted, ready = wanted+set.Replicas, ready+set.ReadyReplicas
		}
		if ready < wanted || wanted == 0 {
			f.fault("%s has %d of %s", c.Metadata.Name, ready, count(wanted, "instance"))
		}
		backup, err := c.backup(s.now)
		if err != nil {
			f.fault("%s %v", c.Metadata.Name, err)
		}
		says = append(says, fmt.Sprintf("%s has %s and %s", c.Metadata.Name, count(ready, "instance"), backup))
	}
	f.says = strings.Join(says, "; ")
	return f, nil
}

// late is how long after its time a backup may be complete.
const late = 3 * time.Hour

// backup tells how old the last one is. The error is that a later one is overdue by its schedule, or that there is none at all.
func (c *postgresCluster) backup(now time.Time) (says string, err error) {
	repos := c.Status.PgBackRest.Repos
	if len(repos) == 0 || !repos[0].ReplicaCreateBackupComplete {
		return "", errors.New("has no backup")
	}
	last, says := c.Metadata.CreationTimestamp, "no backup but its first yet"
	for _, b := range c.Status.PgBackRest.ScheduledBackups {
		if b.CompletionTime.After(last) {
			last = b.CompletionTime
			says = "a backup " + age(now.Sub(last)) + " ago"
		}
	}
	for _, repo := range c.Spec.Backups.PgBackRest.Repos {
		for kind, text := range repo.Schedules {
			schedule, err := cron.ParseStandard(text)
			if err != nil {
				return says, fmt.Errorf("has a schedule that nobody can read: %w", err)
			}
			if due := schedule.Next(last); now.Sub(due) > late {
				return says, fmt.Errorf("has %s; a %s one was due %s ago", says, kind, age(now.Sub(due)))
			}
		}
	}
	return says, nil
}
