// Package python holds tfguard's Python companion: the heartbeat shim that exec puts on PYTHONPATH, and the package tfguard.
package python

import "embed"

// Files are sitecustomize/sitecustomize.py and the package tfguard/.
//
//go:embed sitecustomize/*.py tfguard/*.py tfguard/py.typed
var Files embed.FS
