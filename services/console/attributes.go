package console

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"weir/schemas"
)

// attributesOf are the attributes in a window's key as seriesID holds them. A text
// stands for their values if it is not empty.
func attributesOf(w *schemas.Window, instead string) string {
	var b strings.Builder
	for i, label := range schemas.AttributeLabels(w.Dims) {
		if label == "" {
			continue
		}
		value := instead
		if value == "" {
			value = strings.ReplaceAll(w.Key.Values[i], "\x00", "\uFFFD")
		}
		b.WriteString(label + "\x00" + value + "\x00")
	}
	return b.String()
}

// labels are the names and values of the attributes of a series.
func (id seriesID) labels() (names, values []string) {
	rest := id.attributes
	for rest != "" {
		var name, value string
		name, rest, _ = strings.Cut(rest, "\x00")
		value, rest, _ = strings.Cut(rest, "\x00")
		names, values = append(names, name), append(values, value)
	}
	return names, values
}

// with is the metric with more labels.
func (d *described) with(names []string) *prometheus.Desc {
	if len(names) == 0 {
		return d.desc
	}
	return prometheus.NewDesc(d.name, d.help, append(d.labels[:len(d.labels):len(d.labels)], names...), nil)
}
