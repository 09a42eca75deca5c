package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
)

// shown is how many faults of a part are told; whoever wants all asks the command that shows more.
const shown = 3

// sheet is what is written on.
type sheet struct {
	width  int // 0 where lines are as long as they are
	colour bool
}

func sheetOf(out io.Writer) sheet {
	file, isFile := out.(*os.File)
	if !isFile {
		return sheet{}
	}
	width, _, err := term.GetSize(file.Fd())
	plain := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	return sheet{width: width, colour: err == nil && !plain}
}

func writeLines(out io.Writer, r *report) error {
	_, err := io.WriteString(out, sheetOf(out).lines(r))
	return err
}

// The columns of the condition and of the part.
const conditionWidth, nameWidth = len(unknown), len("certificates")

func (s sheet) lines(r *report) string {
	var text strings.Builder
	text.WriteString(strings.TrimSpace(r.Stack+"  "+r.URL) + "\n")
	for _, p := range r.Parts {
		begin := s.paint(p.State, fmt.Sprintf("%-*s", conditionWidth, p.State)) + fmt.Sprintf("  %-*s  ", nameWidth, p.Name)
		text.WriteString(s.wrap(begin, p.sentence()) + "\n")
	}
	text.WriteString(s.paint(r.State, r.conclusion()) + "\n")
	return text.String()
}

// sentence is what a part says, with the command that shows more.
func (p *part) sentence() string {
	says := p.Says[:min(len(p.Says), shown)]
	text := strings.Join(says, "; ")
	if more := len(p.Says) - len(says); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	if p.More != "" {
		text += " → " + p.More
	}
	return strings.Join(strings.Fields(text), " ") // what others say may have lines of its own
}

func (r *report) conclusion() string {
	in := map[condition][]string{}
	for _, p := range r.Parts {
		in[p.State] = append(in[p.State], p.Name)
	}
	var text []string
	for _, state := range []condition{wrong, unknown} {
		if len(in[state]) > 0 {
			text = append(text, string(state)+": "+strings.Join(in[state], ", "))
		}
	}
	if len(text) == 0 {
		return "all is well"
	}
	return strings.Join(text, "; ")
}

// wrap puts a text behind its beginning, and what does not fit into lines below.
func (s sheet) wrap(begin, text string) string {
	const narrow = 60
	indent := ansi.StringWidth(begin)
	if s.width == 0 {
		return begin + text
	}
	if s.width < narrow {
		begin, indent = strings.TrimRight(begin, " ")+"\n  ", 2
	}
	lines := strings.Split(ansi.Wrap(text, s.width-indent, ""), "\n")
	return begin + strings.Join(lines, "\n"+strings.Repeat(" ", indent))
}

// paint has a text in the colour of a condition.
func (s sheet) paint(state condition, text string) string {
	colours := map[condition]int{well: 32, wrong: 31, unknown: 33, absent: 2}
	if !s.colour {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colours[state], text)
}
