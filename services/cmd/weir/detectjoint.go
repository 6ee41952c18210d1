package main

import (
	"slices"
	"strconv"
	"strings"

	"weir/pkg/detect"
)

// jointName is the detector that judges several columns of a file together. It is none of detect.Kinds, which judge one.
const jointName = "joint"

// channels are the columns that are judged together.
type channels struct {
	wanted []string // by name; none: all but the timestamp
	names  []string // of those that the header has, in its order
	places []int
	values []float64 // of the newest row
}

// find takes the places from the header, whose timestamp is in column stamp.
func (c *channels) find(header string, stamp int) {
	for i, name := range strings.Split(header, ",") {
		name = unquoted(name)
		if i != stamp && (len(c.wanted) == 0 || slices.Contains(c.wanted, name)) {
			c.names, c.places = append(c.names, name), append(c.places, i)
		}
	}
}

// read returns the values of a line, valid until the next one; NaN where there is none.
func (c *channels) read(line string) ([]float64, error) {
	c.values = c.values[:0]
	for _, place := range c.places {
		text, _ := column(line, place)
		value, err := parseValue(text)
		if err != nil {
			return nil, err
		}
		c.values = append(c.values, value)
	}
	return c.values, nil
}

// missing are the columns that are wanted and not there.
func (c *channels) missing() []string {
	return slices.DeleteFunc(slices.Clone(c.wanted), func(name string) bool { return slices.Contains(c.names, name) })
}

// jointJudge judges rows by a Joint, which is made when the names of its channels are known: at the first row.
type jointJudge struct {
	*channels
	config detect.Config
	joint  *detect.Joint
}

// newJointJudge checks the configuration, and says what the threshold will be.
func newJointJudge(columns []string, c detect.Config) (j *jointJudge, threshold float64, err error) {
	sample, err := detect.NewJoint([]string{"a", "b"}, c)
	if err != nil {
		return nil, 0, exitWith(exitUsage, err)
	}
	return &jointJudge{channels: &channels{wanted: columns}, config: c}, sample.Threshold(), nil
}

// judge is the verdict on a row, whose value becomes how unusual it is before anything is suppressed.
func (j *jointJudge) judge(row *seriesRow) (v detect.Verdict, err error) {
	if j.joint == nil {
		if missing := j.missing(); len(missing) > 0 {
			return v, usageError("--columns %s: the header has no such columns", strings.Join(missing, ","))
		}
		if j.joint, err = detect.NewJoint(j.names, j.config); err != nil {
			return v, usageError("columns %q of the header: %w", j.names, err)
		}
	}
	v = j.joint.Update(detect.VectorSample{Time: row.time, Values: row.values, Completeness: 1})
	row.value, row.text = v.Score, strconv.FormatFloat(v.Score, 'g', -1, 64)
	return v, nil
}

func (j *jointJudge) refused() (r detect.Refused) {
	if j.joint != nil {
		r = j.joint.Refused()
	}
	return r
}
