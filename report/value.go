package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// bytesText writes a number of bytes as people say it: 520 MiB.
func bytesText(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for n >= 1024 && i < len(units)-1 {
		n /= 1024
		i++
	}
	if i > 0 && n < 10 {
		return fmt.Sprintf("%.1f %s", n, units[i])
	}
	return fmt.Sprintf("%.0f %s", n, units[i])
}

// secondsText writes a duration in the unit that fits: 12 ms, 4.2 s, 3 min 20 s, 2 h 5 min.
func secondsText(s float64) string {
	switch {
	case s < 0.0095:
		return fmt.Sprintf("%.1f ms", s*1000)
	case s < 0.9995:
		return fmt.Sprintf("%.0f ms", s*1000)
	case s < 9.95:
		return fmt.Sprintf("%.1f s", s)
	case s < 119.5:
		return fmt.Sprintf("%.0f s", s)
	case s < 7200:
		return fmt.Sprintf("%d min %d s", int(s)/60, int(s)%60)
	}
	return fmt.Sprintf("%d h %d min", int(s)/3600, int(s)%3600/60)
}

// number returns v as a float64 when it is a finite number.
func number(v any) (float64, bool) {
	var f float64
	switch v := v.(type) {
	case int:
		f = float64(v)
	case int64:
		f = float64(v)
	case uint64:
		f = float64(v)
	case float64:
		f = v
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

// valueText writes a finding's value in its unit.
func valueText(v any, unit string) string {
	if v == nil {
		return ""
	}
	f, ok := number(v)
	if !ok {
		return strings.TrimSpace(Clean(fmt.Sprint(v)) + " " + unit)
	}
	switch unit {
	case "bytes":
		return bytesText(f)
	case "seconds", "s":
		return secondsText(f)
	case "fraction":
		return fmt.Sprintf("%.0f %%", f*100)
	case "percent", "%":
		return strconv.FormatFloat(round(f), 'f', -1, 64) + " %"
	}
	return strings.TrimSpace(strconv.FormatFloat(round(f), 'f', -1, 64) + " " + unit)
}

func round(f float64) float64 { return math.Round(f*100) / 100 }

// measureText is a finding's value beside its limit: "84 threads, limit 50 threads"; "" when it has no value.
func measureText(value, limit any, unit string) string {
	v := valueText(value, unit)
	if v == "" || limit == nil {
		return v
	}
	return v + ", limit " + valueText(limit, unit)
}

// plural returns "1 check" or "3 checks".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
