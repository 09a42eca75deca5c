package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"lke-platform/internal/cloud"
)

// alertmanager is its API, through the API server: nobody outside reaches it.
const alertmanager = "/api/v1/namespaces/monitoring/services/alertmanager-operated:9093/proxy/api/v2/alerts" +
	"?active=true&silenced=false&inhibited=false"

// watchdog is the alert that always fires.
const watchdog = "Watchdog"

func (s *survey) lookAtAlerts(ctx context.Context) (*finding, error) {
	if s.kubernetes == nil {
		return nil, errors.New("there is no cluster")
	}
	var alerts []struct{ Labels map[string]string }
	err := s.kubernetes.Get(ctx, alertmanager, &alerts)
	if status := cloud.Status(err); status != 0 {
		return nil, fmt.Errorf("the API server does not reach Alertmanager (%d %s)", status, http.StatusText(status))
	}
	if err != nil {
		return nil, err
	}
	f := &finding{says: "none fires", more: "kubectl -n monitoring port-forward svc/alertmanager-operated 9093"}
	firing, alive := map[string]int{}, false
	for _, alert := range alerts {
		alive = alive || alert.Labels["alertname"] == watchdog
		if severity := alert.Labels["severity"]; severity == "critical" || severity == "warning" {
			firing[severity+": "+alert.Labels["alertname"]]++
		}
	}
	if !alive {
		f.fault("%s, which always fires, does not: Prometheus is silent, and nobody hears of anything", watchdog)
	}
	for _, name := range slices.Sorted(maps.Keys(firing)) { // critical ones first
		times := ""
		if firing[name] > 1 {
			times = fmt.Sprintf(" (%d)", firing[name])
		}
		f.fault("%s%s", name, times)
	}
	return f, nil
}
