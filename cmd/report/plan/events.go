// Package plan reads what Pulumi's engine tells of a preview, a refresh or an up, and keeps what a reviewer asks about it.
package plan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// event is the part of an engine event that a report is made of. The SDK's own type compiles for a minute, with all that it
// brings along; a test holds this one against it.
// Upstream: https://pkg.go.dev/github.com/pulumi/pulumi/sdk/v3/go/common/apitype#EngineEvent
type event struct {
	Diagnostic *struct {
		URN, Message, Severity string
		Ephemeral              bool
	} `json:"diagnosticEvent"`
	Begun *struct {
		Metadata step
	} `json:"resourcePreEvent"`
	Done *struct {
		Metadata step
	} `json:"resOutputsEvent"`
	Summary *struct {
		Result string
	} `json:"summaryEvent"`
	Error *struct {
		Error string
	} `json:"errorEvent"`
}

// step is something that the engine does, or would do, to a resource.
type step struct {
	Op, URN, Type string
	Old, New      *State
	// Keys are the properties that force a replacement.
	Keys         []string
	DetailedDiff map[string]struct {
		Kind string `json:"diffKind"`
	}
}

// State is a resource at one time. Secrets in it are blinded by the engine.
type State struct {
	Custom, Protect bool
	Parent          string
	Inputs, Outputs map[string]any
}

// known are the kinds of events that say something here, or are known to say nothing.
var known = map[string]bool{
	"sequence": true, "timestamp": true,
	"diagnosticEvent": true, "resourcePreEvent": true, "resOutputsEvent": true, "resOpFailedEvent": true, "summaryEvent": true,
	"errorEvent": true, "preludeEvent": true, "cancelEvent": true, "stdoutEvent": true, "policyEvent": true,
	"policyRemediationEvent": true, "policyLoadEvent": true, "policyAnalyzeSummaryEvent": true,
	"policyRemediateSummaryEvent": true, "policyAnalyzeStackSummaryEvent": true, "startDebuggingEvent": true,
	"progressEvent": true,
}

// readEvents hands each event of a log on, and says what it could not read. Only what keeps it from reading on is an error.
func readEvents(log io.Reader, take func(*event)) (lacks []string, err error) {
	lines := bufio.NewReader(log)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if lack := readEvent(line, take); lack != "" {
				lacks = append(lacks, fmt.Sprintf("line %d of the event log %s", number, lack))
			}
		}
		if errors.Is(err, io.EOF) {
			return lacks, nil
		}
		if err != nil {
			return lacks, fmt.Errorf("reading the event log: %w", err)
		}
	}
}

func readEvent(line []byte, take func(*event)) (lack string) {
	var kinds map[string]json.RawMessage
	if err := json.Unmarshal(line, &kinds); err != nil {
		return "is no event: it is cut off, or damaged"
	}
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return "has another form than is known: " + err.Error()
	}
	for kind := range kinds {
		if !known[kind] {
			return "has an event of a kind that is not known: " + kind
		}
	}
	take(&e)
	return ""
}
