package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"lke-platform/cmd/internal/cluster"
	"lke-platform/internal/cloud"
)

// watchdog is the alert that always fires.
const watchdog = "Watchdog"

// alert is one of Alertmanager's.
type alert struct{ Labels map[string]string }

// firing asks Alertmanager, which nobody outside the cluster reaches.
func (s *survey) firing(ctx context.Context) (alerts []alert, err error) {
	if s.kubernetes == nil {
		return nil, errors.New("there is no cluster")
	}
	reached, err := cluster.Open([]byte(s.told.Kubeconfig))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reached.Leave()) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	address, err := reached.Forward(ctx, cluster.Alertmanager)
	if err != nil {
		return nil, err
	}
	alertmanager := cloud.API{URL: address, Once: true}
	err = alertmanager.Get(ctx, "/api/v2/alerts?active=true&silenced=false&inhibited=false", &alerts)
	return alerts, err
}

func (s *survey) lookAtAlerts(ctx context.Context) (*finding, error) {
	alerts, err := s.firing(ctx)
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
