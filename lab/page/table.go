package page

import (
	"strings"
	"unicode/utf8"
)

// Table aligns a Markdown table, the first row its head: the first column to the left, figures to the right. Every row
// has as many cells as the first.
func Table(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell), 3)
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + pad)
			} else {
				b.WriteString(" | " + pad + cell)
			}
		}
		b.WriteString(" |\n")
		if n == 0 {
			b.WriteString(rule(width))
		}
	}
	return b.String()
}

// rule is the line below the head.
func rule(width []int) string {
	s := "|" + strings.Repeat("-", width[0]+2)
	for _, w := range width[1:] {
		s += "|" + strings.Repeat("-", w+1) + ":"
	}
	return s + "|\n"
}
