package fixes

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Syntaxes are the names that Write takes.
var Syntaxes = []string{"sh", "fish", "dotenv", "docker", "k8s", "json"}

// Write prints the fixes as a launch environment in a syntax, each with its reason as a comment where the syntax has comments:
//
//	sh      export lines for POSIX shells: eval "$(tfguard env)"
//	fish    set -gx lines
//	dotenv  NAME="value" as docker compose, python-dotenv and systemd's EnvironmentFile read it
//	docker  ENV lines of a Dockerfile
//	k8s     the env list of a container
//	json    an array of the fixes
func Write(w io.Writer, syntax string, fixes []Fix) error {
	var line func(Fix) string
	switch syntax {
	case "sh":
		line = func(f Fix) string { return "export " + f.Name + "=" + shQuote(f.Value) }
	case "fish":
		line = func(f Fix) string { return "set -gx " + f.Name + " " + fishQuote(f.Value) }
	case "dotenv":
		line = func(f Fix) string { return f.Name + "=" + dotenvQuote(f.Value) }
	case "docker":
		line = func(f Fix) string { return "ENV " + f.Name + "=" + dockerQuote(f.Value) }
	case "k8s":
		if len(fixes) == 0 {
			_, err := fmt.Fprintln(w, "env: []")
			return err
		}
		if _, err := fmt.Fprintln(w, "env:"); err != nil {
			return err
		}
		line = func(f Fix) string { return "- name: " + f.Name + "\n  value: " + yamlQuote(f.Value) }
	case "json":
		if fixes == nil {
			fixes = []Fix{}
		}
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(fixes)
	default:
		return fmt.Errorf("unknown syntax %q: %s", syntax, strings.Join(Syntaxes, ", "))
	}
	for _, f := range fixes {
		if strings.ContainsAny(f.Value, "\n\r") && syntax == "docker" {
			return fmt.Errorf("%s: a Dockerfile's ENV cannot hold a line break", f.Name)
		}
		comment := f.Why
		if f.Warning != "" {
			comment += "; WARNING: " + f.Warning
		}
		if _, err := fmt.Fprintf(w, "# %s\n%s\n", comment, line(f)); err != nil {
			return err
		}
	}
	return nil
}

// plain reports whether a value needs no quotes in any of the syntaxes.
func plain(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_-./:,+@%", c)) {
			return false
		}
	}
	return s != ""
}

// shQuote quotes for POSIX shells: inside '…' every byte stands for itself; a quote ends, escapes and begins again.
func shQuote(s string) string {
	if plain(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// fishQuote quotes for fish: inside '…' only \\ and \' are special.
func fishQuote(s string) string {
	if plain(s) {
		return s
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// dotenvQuote writes "…" with escapes, which docker compose, python-dotenv and systemd's EnvironmentFile read alike; a value with a $
// (compose expands it inside "…") goes into '…' where that is possible.
func dotenvQuote(s string) string {
	if plain(s) {
		return s
	}
	if !strings.ContainsAny(s, "'\n\r\\") {
		return "'" + s + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "$", `\$`).Replace(s) + `"`
}

// dockerQuote quotes an ENV value: inside "…" the builder knows \ " and $.
func dockerQuote(s string) string {
	if plain(s) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`).Replace(s) + `"`
}

// yamlQuote writes a YAML double-quoted scalar, which is JSON's string: always quoted, so that 1 and false stay strings.
// Kubernetes expands $(NAME) in values, and $$ stands for one $.
func yamlQuote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(strings.ReplaceAll(s, "$(", "$$(")) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
