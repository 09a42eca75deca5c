package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"lke-platform/cmd/internal/cluster"
	"lke-platform/internal/cloud"
)

// errorPercent is how many of a hundred requests the origin answers with an error, of more than one a second.
const errorPercent = `100 * (sum(rate(traefik_entrypoint_requests_total{code=~"5.."}[1m]))
  or sum(rate(nginx_ingress_controller_requests{status=~"5.."}[1m])) or vector(0))
/ ((sum(rate(traefik_entrypoint_requests_total[1m])) or sum(rate(nginx_ingress_controller_requests[1m]))) > 1)`

// patience is how many looks in a row have to be bad: one may be of the rollout itself.
const patience = 3

// watch looks at the errors of the origin in the first minutes of a version. Where it cannot look it says so, and takes nothing
// back: the alerts look on.
func (r *release) watch(ctx context.Context, limit float64) error {
	bad := 0
	for end := time.Now().Add(r.watched); time.Now().Before(end); {
		if rest(ctx, r.every); ctx.Err() != nil {
			return ctx.Err()
		}
		percent, err := r.errors(ctx)
		switch {
		case err != nil:
			r.say("the origin's errors are not watched: %v", err)
			return nil
		case percent <= limit:
			bad = 0
		default:
			bad++
			r.say("the origin answers %.1f %% of all requests with an error", percent)
		}
		if bad == patience {
			return fmt.Errorf("the origin answers %.1f %% of all requests with an error, and %.1f %% is the most that it may",
				percent, limit)
		}
	}
	r.say("the origin's errors did not stay above %.1f %% of all requests in the first %s", limit, r.watched)
	return nil
}

// stuckError is a rollout that Kubernetes has given up.
type stuckError struct{ deployment, message, since string }

func (e *stuckError) Error() string { return fmt.Sprintf("Deployment %s: %s", e.deployment, e.message) }

// stuck are the rollouts of the app that Kubernetes has given up.
func (r *release) stuck(ctx context.Context) (map[string]stuckError, error) {
	text, err := r.kubectl(ctx, "--namespace", r.file.app, "get", "deployments", "--output", "json")
	if err != nil {
		return nil, err
	}
	return stuckIn(text), nil
}

// lookOut gives up when Kubernetes does. Pulumi would wait for as long as a rollout may take whose replicas all start late. What
// was stuck before is not this run's.
func (r *release) lookOut(ctx context.Context, before map[string]stuckError, giveUp context.CancelCauseFunc) {
	for ; ctx.Err() == nil; rest(ctx, r.every) {
		// What cannot be asked is for Pulumi to wait for.
		now, err := r.stuck(ctx)
		if err != nil {
			continue
		}
		if before == nil {
			before = now
		}
		for _, name := range slices.Sorted(maps.Keys(now)) {
			if stuck := now[name]; stuck != before[name] {
				giveUp(&stuck)
				return
			}
		}
	}
}

// rest waits until the next look, or until nobody looks any more.
func rest(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// stuckIn are those of a list of Deployments that do not get on, by their names.
func stuckIn(text string) map[string]stuckError {
	var found struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct {
				Conditions []struct{ Reason, Message, LastUpdateTime string }
			}
		}
	}
	stuck := map[string]stuckError{}
	if json.Unmarshal([]byte(text), &found) != nil {
		return stuck
	}
	for _, item := range found.Items {
		for _, condition := range item.Status.Conditions {
			if condition.Reason == "ProgressDeadlineExceeded" {
				stuck[item.Metadata.Name] = stuckError{item.Metadata.Name, condition.Message, condition.LastUpdateTime}
			}
		}
	}
	return stuck
}

// errors is how many of a hundred requests the origin answers with an error; none where there are too few to tell. Each look
// finds its own way to Prometheus, which a rollout of the nodes may move.
func (r *release) errors(ctx context.Context) (percent float64, err error) {
	reached, err := cluster.Reach(ctx, r.stack)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, reached.Leave()) }()
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	address, err := reached.Forward(ctx, cluster.Prometheus)
	if err != nil {
		return 0, err
	}
	answer := &vector{}
	prometheus := cloud.API{URL: address, Once: true}
	if err := prometheus.Get(ctx, "/api/v1/query?query="+url.QueryEscape(errorPercent), answer); err != nil {
		return 0, fmt.Errorf("asking Prometheus: %w", err)
	}
	return answer.sample()
}

// kubectl asks the cluster.
func (r *release) kubectl(ctx context.Context, arguments ...string) (text string, err error) {
	reached, err := cluster.Reach(ctx, r.stack)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, reached.Leave()) }()
	return reached.Kubectl(ctx, arguments...)
}

// vector is Prometheus' answer.
type vector struct {
	Data struct {
		Result []struct{ Value [2]any }
	}
}

// sample is the one number of an answer, zero where there is none.
func (v *vector) sample() (float64, error) {
	if len(v.Data.Result) == 0 {
		return 0, nil
	}
	text, _ := v.Data.Result[0].Value[1].(string)
	return strconv.ParseFloat(text, 64)
}
