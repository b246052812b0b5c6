// Package source reads Python source: files, names, calls. It imports nothing of ours.
package source

// A File is one Python file or notebook, parsed.
type File struct {
	Path string
}
