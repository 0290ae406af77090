package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/leatstream/leat/bench/peers/internal/trial"
)

// metrics are all there are, in the order of the columns.
var metrics = []trial.Metric{
	trial.Rate, trial.CPU, trial.Broker, trial.Peak, trial.P50, trial.P99, trial.First, trial.Memory, trial.IdleCPU, trial.Reads, trial.Others,
}

func (r *Report) markdown() []byte {
	var b strings.Builder
	b.WriteString(`# Against peers

Written by ` + "`make bench-peers`" + `; [peers.json](peers.json) has every run. Figures are medians, with the least and the most in
parentheses. A ratio is the median of those of the rounds: within a round the programs run one after the other. Rates are
read from the offsets that the group commits, from a fifth of the input on. Where others had a share of the CPUs, only the ratios
and the CPU time mean anything.

![records per second](peers.svg)
`)
	for _, j := range r.Jobs {
		j.write(&b)
	}
	return []byte(b.String())
}

func (j Job) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n", j.Title)
	var columns []trial.Metric
	for _, m := range metrics {
		for _, side := range j.Sides {
			if len(j.values(side, m)) > 0 {
				columns = append(columns, m)
				break
			}
		}
	}
	b.WriteString("| |")
	for _, m := range columns {
		fmt.Fprintf(b, " %s |", m)
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(columns)+1) + "\n")
	for _, side := range j.Sides {
		fmt.Fprintf(b, "| %s |", side)
		for _, m := range columns {
			b.WriteString(" " + spread(j.values(side, m)) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for _, a := range j.Aims {
		if line := j.verdict(a); line != "" {
			b.WriteString("- " + line + "\n")
		}
	}
	fmt.Fprintf(b, "\nRounds: %d, %s. %s. %s. %s.\n", len(j.Rounds), j.Date, j.Settings, j.Machine, j.Versions)
}

// verdict says how the sides compare, and how they should.
func (j Job) verdict(a Aim) string {
	v := j.ratios(a)
	if len(v) == 0 {
		return ""
	}
	aim := fmt.Sprintf("at least %s", number(a.Least))
	if a.Most > 0 {
		aim = fmt.Sprintf("at most %s", number(a.Most))
	}
	state := "missed"
	if a.met(median(v)) {
		state = "met"
	}
	than := " of " + a.Than
	switch {
	case a.OfBase != "":
		than = fmt.Sprintf(" of %s, each against its %s and %s", a.Than, a.OfBase, a.ThanBase)
	case a.Than == "":
		than = ""
	}
	return fmt.Sprintf("%s, %s: **%s**%s; aim: %s, %s", a.Metric, a.Of, spread(v), than, aim, state)
}

func spread(ascending []float64) string {
	n := len(ascending)
	switch n {
	case 0:
		return "-"
	case 1:
		return number(ascending[0])
	}
	return fmt.Sprintf("%s (%s to %s)", number(median(ascending)), number(ascending[0]), number(ascending[n-1]))
}

// number writes three digits that count, with spaces between thousands.
func number(x float64) string {
	switch {
	case x < 10:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case x < 100:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	unit := 1.
	for x/unit >= 1000 {
		unit *= 10
	}
	digits := strconv.FormatFloat(float64(int64(x/unit+0.5))*unit, 'f', 0, 64)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + " " + digits[at:]
	}
	return digits
}
