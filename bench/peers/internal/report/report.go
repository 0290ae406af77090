// Package report keeps what was measured, and writes it down as a table and a plot.
package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/leatstream/leat/bench/peers/internal/trial"
)

// A Report is everything that was measured, job by job.
type Report struct {
	Jobs []Job `json:"jobs"`
}

// A Job is what was measured of programs that did the same.
type Job struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Date     string   `json:"date"`
	Machine  string   `json:"machine"`
	Versions string   `json:"versions"`
	Settings string   `json:"settings"`
	Sides    []string `json:"sides"`
	Rounds   []Round  `json:"rounds"`
	Aims     []Aim    `json:"aims"`
}

// A Round is one run of every side, one after the other.
type Round map[string]trial.Run

// An Aim says how one side's figure should compare with another's: at least, or at most, so many times that. With bases
// it is the change from its base that is compared. Without Than, Most is a figure by itself.
type Aim struct {
	Metric           trial.Metric `json:"metric"`
	Of, Than         string
	OfBase, ThanBase string  `json:",omitempty"`
	Least            float64 `json:"least,omitempty"`
	Most             float64 `json:"most,omitempty"`
}

// Load reads the report in dir; it is empty if there is none.
func Load(dir string) (*Report, error) {
	text, err := os.ReadFile(filepath.Join(dir, "peers.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return &Report{}, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Report{}
	return r, json.Unmarshal(text, r)
}

// Set puts a job in the place of the one of its name. order are the names of all jobs.
func (r *Report) Set(j Job, order []string) {
	r.Jobs = slices.DeleteFunc(r.Jobs, func(old Job) bool { return old.Name == j.Name })
	r.Jobs = append(r.Jobs, j)
	slices.SortStableFunc(r.Jobs, func(a, b Job) int {
		return cmp.Compare(slices.Index(order, a.Name), slices.Index(order, b.Name))
	})
}

// Save writes the report to dir: peers.json has every run, peers.md the tables, peers.svg the rates.
func (r *Report) Save(dir string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	files := map[string][]byte{"peers.json": append(text, '\n'), "peers.md": r.markdown(), "peers.svg": r.plot()}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// values are the figures of one side, round by round, ascending.
func (j Job) values(side string, m trial.Metric) (v []float64) {
	for _, r := range j.Rounds {
		if x, ok := r[side][m]; ok {
			v = append(v, x)
		}
	}
	slices.Sort(v)
	return v
}

// ratios are those of a's sides, round by round, ascending: what disturbs one side of a round is likely to disturb the
// other, too.
func (j Job) ratios(a Aim) (v []float64) {
	for _, r := range j.Rounds {
		ratio, ok := over(r, a.Metric, a.Of, a.Than)
		if ok && a.OfBase != "" {
			var base float64
			base, ok = over(r, a.Metric, a.OfBase, a.ThanBase)
			ratio /= base
		}
		if ok {
			v = append(v, ratio)
		}
	}
	slices.Sort(v)
	return v
}

func over(r Round, m trial.Metric, of, than string) (ratio float64, ok bool) {
	x, ok := r[of][m]
	if than == "" || !ok {
		return x, ok
	}
	y, ok := r[than][m]
	return x / y, ok && y != 0
}

func median(ascending []float64) float64 {
	n := len(ascending)
	if n == 0 {
		return 0
	}
	return (ascending[(n-1)/2] + ascending[n/2]) / 2
}

// met tells whether a ratio is what the aim says.
func (a Aim) met(ratio float64) bool {
	return ratio >= a.Least && (a.Most == 0 || ratio <= a.Most)
}
