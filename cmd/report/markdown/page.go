// Package markdown writes what people see of a change on GitHub.
package markdown

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// limit is how long GitHub lets a comment or an issue be, in characters. Counted in bytes there are never more.
	limit = 65_536
	// reserve is the room that a part leaves for what follows it.
	reserve = 6_000
	// longestName and longestLine are where names and lines are cut.
	longestName, longestLine = 160, 400
)

// page is a text that stays below the limit: what does not fit is counted.
type page struct{ strings.Builder }

// room is how much more the page takes before what follows is in need.
func (p *page) room() int { return limit - reserve - p.Len() }

func (p *page) line(format string, arguments ...any) { fmt.Fprintf(p, format+"\n\n", arguments...) }

func (p *page) heading(format string, arguments ...any) { p.line("#### "+format, arguments...) }

// table writes a heading and as many rows as there is room for. Cells are Markdown.
func (p *page) table(header []string, rows [][]string) {
	fmt.Fprintf(p, "| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat("---|", len(header)))
	for i, row := range rows {
		line := "| " + strings.Join(row, " | ") + " |\n"
		if len(line) > p.room() {
			p.line("\n…and %d more, for which there is no room here.", len(rows)-i)
			return
		}
		p.WriteString(line)
	}
	p.WriteString("\n")
}

// block is something about a resource that is folded.
type block struct{ resource, component, body string }

// blocks writes as many as there is room for, folded where they are many, and of the others their summaries.
func (p *page) blocks(all []block) {
	const few = 4
	open := ""
	if len(all) <= few {
		open = " open"
	}
	for i, b := range all {
		text := fmt.Sprintf("<details%s><summary>%s</summary>\n\n%s\n</details>\n\n", open, b.summary(), b.body)
		if len(text) > p.room() {
			text = fmt.Sprintf("- %s: too long to be shown here\n", code(b.resource))
		}
		if len(text) > p.room() {
			p.line("\n…and %d more, for which there is no room here.", len(all)-i)
			return
		}
		p.WriteString(text)
	}
}

// summary is the line that stays when the block is folded. Only HTML counts there.
func (b *block) summary() string {
	name := func(text string) string { return "<code>" + html.EscapeString(oneLine(text, longestName)) + "</code>" }
	if b.component == "" {
		return name(b.resource)
	}
	return name(b.resource) + " of " + name(b.component)
}

// fence is a block of text that nothing in it ends.
func fence(language, text string) string {
	marks := "```"
	for strings.Contains(text, marks) {
		marks += "`"
	}
	return fmt.Sprintf("%s%s\n%s\n%s\n", marks, language, strings.TrimRight(text, "\n"), marks)
}

var blanks = regexp.MustCompile(`\s+`)

// code is a name as it stands, whatever is in it.
func code(name string) string { return verbatim(name, longestName) }

// verbatim is text as it stands, in one line. It holds in tables too, where a bar would end the cell.
func verbatim(name string, longest int) string {
	name = oneLine(name, longest)
	if name == "" {
		return "` `"
	}
	marks := "`"
	for strings.Contains(name, marks) {
		marks += "`"
	}
	if strings.HasPrefix(name, "`") || strings.HasSuffix(name, "`") {
		name = " " + name + " "
	}
	return marks + strings.ReplaceAll(name, "|", `\|`) + marks
}

func oneLine(text string, longest int) string {
	return cut(strings.TrimSpace(blanks.ReplaceAllString(text, " ")), longest)
}

// cut shortens text to a number of bytes, and says so.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// count is a number of something.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
