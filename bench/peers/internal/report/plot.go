package report

import (
	"fmt"
	"html"
	"strings"

	"github.com/leatstream/leat/bench/peers/internal/trial"
)

// Sizes of the plot, in pixels.
const (
	width  = 900
	left   = 300 // of it, for names
	right  = 90  // of it, for figures
	bar    = 16
	header = 24
)

var colours = []string{"#1b6ca8", "#c8553d", "#8a8a8a", "#588157"}

// plot draws the rate of each side of each job that has one: a bar for the median, a line from the least to the most.
func (r *Report) plot() []byte {
	var most float64
	height := 10
	for _, j := range r.Jobs {
		for i, side := range j.Sides {
			v := j.values(side, trial.Rate)
			if len(v) == 0 {
				continue
			}
			most = max(most, v[len(v)-1])
			height += bar
			if i == 0 {
				height += header + 8
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	scale := float64(width-left-right) / max(most, 1)
	y := 0
	for _, j := range r.Jobs {
		if len(j.values(j.Sides[0], trial.Rate)) == 0 {
			continue
		}
		y += header
		fmt.Fprintf(&b, `<text x="10" y="%d" font-weight="bold">%s</text>`+"\n", y, html.EscapeString(j.Title))
		y += 8
		for i, side := range j.Sides {
			v := j.values(side, trial.Rate)
			if len(v) == 0 {
				continue
			}
			m, centre := median(v), y+bar/2
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-6, centre+4, html.EscapeString(side))
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, left, y+1, m*scale, bar-2, colours[i%len(colours)])
			fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="black"/>`, left+v[0]*scale, left+v[len(v)-1]*scale, centre, centre)
			fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`+"\n", left+v[len(v)-1]*scale+6, centre+4, number(m))
			y += bar
		}
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}
