package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// alertmanager is one that can be asked.
type alertmanager struct {
	address string
	// log has what it said of late.
	log func(context.Context) (string, error)
}

// alert is one of Alertmanager's.
// Upstream: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
type alert struct {
	Labels      map[string]string       `json:"labels"`
	Annotations map[string]string       `json:"annotations"`
	StartsAt    time.Time               `json:"startsAt"`
	EndsAt      time.Time               `json:"endsAt"`
	Receivers   []struct{ Name string } `json:"receivers,omitempty"`
	Status      struct{ State string }  `json:"status,omitzero"`
}

// post has Alertmanager take alerts, or the end of some.
func (a *alertmanager) post(ctx context.Context, alerts []*alert) error {
	body, err := json.Marshal(alerts)
	if err != nil {
		return err
	}
	_, err = a.ask(ctx, http.MethodPost, "/api/v2/alerts", body)
	return err
}

// find is an alert that was sent, with whom it is for.
func (a *alertmanager) find(ctx context.Context, sent *alert) (*alert, error) {
	filter := url.QueryEscape(fmt.Sprintf(`namespace=%q`, sent.Labels["namespace"]))
	body, err := a.ask(ctx, http.MethodGet, "/api/v2/alerts?filter="+filter, nil)
	if err != nil {
		return nil, err
	}
	var found []*alert
	if err := json.Unmarshal(body, &found); err != nil {
		return nil, fmt.Errorf("what Alertmanager answers: %w", err)
	}
	severity := sent.Labels["severity"]
	if len(found) != 1 {
		return nil, fmt.Errorf("the alert that is %s was sent, and Alertmanager has %d of it", severity, len(found))
	}
	if found[0].Status.State == "suppressed" {
		return nil, fmt.Errorf("a silence keeps what is %s from everybody; expire it in Grafana, under Alerting", severity)
	}
	return found[0], nil
}

// way is how a receiver is told: slack, webhook or email.
type way struct{ receiver, kind string }

func (w way) compare(other way) int {
	return cmp.Or(cmp.Compare(w.receiver, other.receiver), cmp.Compare(w.kind, other.kind))
}

// count is how many times a message was handed to a receiver, and how often it was refused.
type count struct{ handed, refused int }

func (c count) taken() int { return c.handed - c.refused }

func (c count) since(before count) count {
	return count{c.handed - before.handed, c.refused - before.refused}
}

var counter = regexp.MustCompile(
	`(?m)^alertmanager_notification_requests_(failed_)?total\{integration="(\w+)",receiver_name="([^"]+)"\} (\S+)$`)

// counts are those of each way since Alertmanager has started, by its own metrics.
func (a *alertmanager) counts(ctx context.Context) (map[way]count, error) {
	body, err := a.ask(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return nil, err
	}
	counts := map[way]count{}
	for _, found := range counter.FindAllStringSubmatch(string(body), -1) {
		number, err := strconv.ParseFloat(found[4], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics of Alertmanager: %w", err)
		}
		to := way{receiver: found[3], kind: found[2]}
		now := counts[to]
		if found[1] == "" {
			now.handed = int(number)
		} else {
			now.refused = int(number)
		}
		counts[to] = now
	}
	return counts, nil
}

var refusal = regexp.MustCompile(`(?m)^.* receiver=(\S+) integration=(\w+)\[\d+\] .*err="((?:[^"\\]|\\.)*)"`)

// reasons are the last words of each way that refused, as far as Alertmanager's log has them, which leaves addresses out.
func (a *alertmanager) reasons(ctx context.Context) map[way]string {
	reasons := map[way]string{}
	text, err := a.log(ctx)
	if err != nil {
		return reasons
	}
	for _, found := range refusal.FindAllStringSubmatch(text, -1) {
		reasons[way{receiver: found[1], kind: found[2]}] = strings.ReplaceAll(found[3], `\"`, `"`)
	}
	return reasons
}

func (a *alertmanager) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, method, a.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking Alertmanager: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(text))
	}
	if err != nil {
		return nil, fmt.Errorf("asking Alertmanager: %w", err)
	}
	return text, nil
}
