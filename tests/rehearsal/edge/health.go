package edge

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"lke-platform/tests/rehearsal/edge/program"
)

// health is what the checks of a backend have found. One prober stands for all of Fastly's machines, each of which asks for
// itself.
type health struct {
	*program.HealthCheck
	well   atomic.Bool
	window []bool // the last answers, the newest at the end
	cancel context.CancelFunc
}

func newHealth(check *program.HealthCheck) *health {
	h := &health{HealthCheck: check, cancel: func() {}}
	for i := range check.Window {
		h.window = append(h.window, i >= check.Window-check.Initial)
	}
	h.judge()
	return h
}

// judge says whether enough of the window was well.
func (h *health) judge() {
	good := 0
	for _, well := range h.window {
		if well {
			good++
		}
	}
	h.well.Store(good >= h.Threshold)
}

func (h *health) note(well bool) {
	h.window = append(h.window[1:], well)
	h.judge()
}

// start begins to ask.
func (h *health) start(b *backend) {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	go func() {
		ticker := time.NewTicker(h.Interval)
		defer ticker.Stop()
		for {
			h.note(h.probe(ctx, b))
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
}

func (h *health) stop() { h.cancel() }

// probe asks once, on a connection of its own among those of the backend.
func (h *health) probe(ctx context.Context, b *backend) bool {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, h.Method, "http://"+h.Host+h.Path, http.NoBody)
	if err != nil {
		return false
	}
	request.Header.Set("User-Agent", "Varnish/fastly (healthcheck)")
	for _, line := range h.Headers {
		name, value, _ := strings.Cut(line, ":")
		request.Header.Set(name, strings.TrimSpace(value))
	}
	request.Host = h.Host
	// The check says itself how long it waits.
	response, err := b.send(request, timeouts{h.Timeout, h.Timeout, h.Timeout})
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	return err == nil && response.StatusCode == h.Expected
}
