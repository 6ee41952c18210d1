package detector

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/schemas"
)

// Findings in words. Numbers have four digits: enough to see what is wrong.

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func clockTime(ns int64) string { return time.Unix(0, ns).UTC().Format("15:04:05") }

func lasting(ns int64) string { return time.Duration(ns).Round(time.Second).String() }

// anomalySays tells the value, what is usual, and which features say so.
func anomalySays(s *series, v *sample, evidence []schemas.Evidence) string {
	what := "is"
	if v.of == "spread" {
		what = "swings by"
	}
	says := fmt.Sprintf("%s of %s %s %s over %s", s.metric, s.dev.name, what, number(v.value), lasting(v.length()))
	for _, e := range evidence {
		if usual := usualSays(&e); usual != "" {
			says += ", " + usual
			break
		}
	}
	return says + sharesSays(evidence)
}

// sharesSays names the features that say most of it; empty: there are none.
func sharesSays(evidence []schemas.Evidence) string {
	var parts []string
	for _, e := range evidence {
		if len(parts) < 3 && e.Share >= 0.05 {
			parts = append(parts, fmt.Sprintf("%s %.0f %%", e.Feature, 100*e.Share))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// jointSays tells the channel that contributes most, and what the others let expect of it.
func jointSays(j *joint, v *sample, evidence []schemas.Evidence) string {
	names := j.metrics
	if len(names) > 3 {
		names = append(slices.Clone(names[:2]), fmt.Sprintf("%d more", len(names)-2))
	}
	says := fmt.Sprintf("%s of %s are unusual together over %s", strings.Join(names, ", "), j.dev.name, lasting(v.length()))
	if len(evidence) > 0 {
		e := &evidence[0]
		says += fmt.Sprintf(": %s is %s where %s is usual", e.Feature, number(e.Observed), number(e.Expected))
	}
	return says + sharesSays(evidence)
}

// usualSays tells what a feature expects, where that can be said in a few words.
func usualSays(e *schemas.Evidence) string {
	switch e.Feature {
	case "value", "mean of 5", "mean of 20", "level":
		return "usually " + number(e.Expected)
	case "noise", "calm":
		return fmt.Sprintf("changes by %s from one to the next, usually by %s", number(e.Observed), number(e.Expected))
	case "flat":
		return fmt.Sprintf("the same %s times in a row, usually %s", number(e.Observed), number(e.Expected))
	}
	return ""
}

func stuckSays(s *series, value float64, now int64) string {
	return fmt.Sprintf("%s of %s has not moved from %s for %s", s.metric, s.dev.name, number(value), lasting(now-s.still))
}

func limitSays(s *series, value, limit float64) string {
	side := "above"
	if value < limit {
		side = "below"
	}
	return fmt.Sprintf("%s of %s is %s, %s its limit %s", s.metric, s.dev.name, number(value), side, number(limit))
}

func rateSays(s *series, perSecond, limit float64) string {
	return fmt.Sprintf("%s of %s changes by %s a second, its limit is %s", s.metric, s.dev.name, number(perSecond), number(limit))
}

func silentSays(d *device) string {
	return fmt.Sprintf("%s has sent nothing since %s, usually every %s", d.name, clockTime(d.seen), lasting(max(d.usual, second)))
}

func missingSays(s *series) string {
	return fmt.Sprintf("%s has sent no %s since %s, but other metrics", s.dev.name, s.metric, clockTime(s.seen))
}

func forgottenSays(d *device) string {
	return fmt.Sprintf("%s has sent nothing since %s and is given up", d.name, clockTime(d.seen))
}

func others(n int) string {
	switch {
	case n <= 0:
		return ""
	case n == 1:
		return "; and 1 more"
	}
	return fmt.Sprintf("; and %d more", n)
}

// kindSays is what is wrong with many devices.
var kindSays = map[schemas.FindingKind]string{
	schemas.Anomaly: "send abnormal values", schemas.Silent: "have gone silent", schemas.Missing: "send less than they did",
	schemas.Limit: "are beyond a limit", schemas.Rate: "change too fast", schemas.Stuck: "send values that do not move",
}

func groupSays(g *schemas.Finding) string {
	says := fmt.Sprintf("%d devices %s since %s", g.Devices, kindSays[g.Kind], clockTime(g.Started))
	var parts []string
	for _, a := range g.Shared {
		if a.Key != "kind" {
			parts = append(parts, a.Key+" "+a.Value)
		}
	}
	if len(parts) > 0 {
		says += "; all of " + strings.Join(parts, ", ")
	}
	return says
}
