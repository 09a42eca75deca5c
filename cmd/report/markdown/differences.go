package markdown

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"lke-platform/cmd/report/plan"
)

// differences are those of one resource, in the form of a patch.
func differences(all []plan.Difference) string {
	const most = 60
	var lines []string
	for i, d := range all {
		if i == most {
			lines = append(lines, fmt.Sprintf("… and %d more", len(all)-i))
			break
		}
		lines = append(lines, difference(d)...)
	}
	return fence("diff", strings.Join(lines, "\n"))
}

func difference(d plan.Difference) (lines []string) {
	path := oneLine(d.Path, longestName)
	before, wasText := d.Before.(string)
	after, isText := d.After.(string)
	switch {
	case d.Before == nil && d.After == nil:
		return []string{"! " + path + ": differs, in a way that is secret or that only the provider knows"}
	case d.Before == d.After:
		return []string{"! " + path + ": another " + fmt.Sprint(d.After)}
	case wasText && isText && strings.Contains(before+after, "\n"):
		return append([]string{"! " + path + ":"}, patch(before, after)...)
	}
	if d.Before != nil {
		lines = append(lines, fmt.Sprintf("- %s: %s", path, value(d.Before)))
	}
	if d.After != nil {
		lines = append(lines, fmt.Sprintf("+ %s: %s", path, value(d.After)))
	}
	return lines
}

// patch is the difference between texts of several lines.
func patch(before, after string) []string {
	const most, longest = 40, 200_000
	if len(before)+len(after) > longest {
		return []string{fmt.Sprintf("! %d bytes before, %d afterwards: too long to be compared here", len(before), len(after))}
	}
	lines := strings.Split(strings.TrimSpace(udiff.Unified("", "", before+"\n", after+"\n")), "\n")
	lines = lines[min(2, len(lines)):] // the names of files that there are not
	left := len(lines) - most
	if left > 0 {
		lines = append(lines[:most:most], fmt.Sprintf("… and %d more lines", left))
	}
	for i, line := range lines {
		lines[i] = cut(line, longestLine)
	}
	return lines
}

// value is one in one line, as YAML would have it.
func value(v any) string {
	text, isText := v.(string)
	if !isText || text == "" || strings.Contains(text, "\n") {
		encoded, err := json.Marshal(v)
		if err != nil { // what came from JSON goes back to it
			return fmt.Sprint(v)
		}
		text = string(encoded)
	}
	return cut(text, longestLine)
}
