package service

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/leatstream/leat/pkg/streams"
)

// control adds what changes the service's doing: POST /pause and /resume, of the whole
// process or of ?topic=T&partition=N.
func control(mux *http.ServeMux, app *streams.App) {
	for path, change := range map[string]func(...streams.Partition) error{"/pause": app.Pause, "/resume": app.Resume} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			at, err := partitions(r)
			if err == nil {
				err = change(at...)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			fmt.Fprintln(w, "done")
		})
	}
}

// partitions are those that a request names.
func partitions(r *http.Request) ([]streams.Partition, error) {
	topic, number := r.FormValue("topic"), r.FormValue("partition")
	if topic == "" && number == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if topic == "" || err != nil || n < 0 {
		return nil, fmt.Errorf("name both, as in ?topic=T&partition=0, or neither for the whole process")
	}
	return []streams.Partition{{Topic: topic, Partition: int32(n)}}, nil
}
