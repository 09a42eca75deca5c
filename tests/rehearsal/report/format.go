package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func clock(t time.Time) string { return t.Local().Format("15:04:05.0") }

func day(t time.Time) string { return t.Format(time.DateOnly) }

// money is in US dollars, with thousands set apart.
func money(usd float64) string {
	text := strconv.FormatFloat(usd, 'f', 2, 64)
	for i := len(text) - len(".00") - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return "$" + text
}

func cores(milli int64) string { return strconv.FormatFloat(float64(milli)/1000, 'f', -1, 64) }

func memory(bytes int64) string {
	const mi, gi = 1 << 20, 1 << 30
	if bytes >= gi {
		return fmt.Sprintf("%.1f GiB", float64(bytes)/gi)
	}
	return fmt.Sprintf("%d MiB", bytes/mi)
}

func percent(part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	return part * 100 / whole
}

// count is a number with its noun, whose plural is formed with an s.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// px is a length or a place in a drawing.
func px(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// shorten keeps the beginning and the end of what is too long to be drawn.
func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	runes := []rune(text)
	head := (most - 1) / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(most-1-head):])
}

// kindOf is a type without its package's path: what people call it.
func kindOf(token string) string {
	if i := strings.LastIndex(token, ":"); i >= 0 {
		return token[i+1:]
	}
	return token
}
