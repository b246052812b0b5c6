package environ

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// nameKind says how a name lies in a file.
type nameKind uint8

const (
	wholeName   nameKind = iota // a literal of its own: something here can pass it to getenv
	tailName                    // the end of a longer literal: a linker that merges tails could make it a literal as well
	flagName                    // xla_… or tf_…: the name of a flag inside XLA_FLAGS or TF_XLA_FLAGS
	mentionName                 // a quoted literal of a Python file that itself never touches the environment
)

const (
	minName  = 4  // "TF_X"
	maxName  = 96 // the longest that TF 2.21 reads has 62
	chunkLen = 1 << 20
)

// scanStrings reports the environment names among the NUL-terminated strings of r. It holds one chunk in memory.
func scanStrings(r io.Reader, found func(name string, kind nameKind)) error {
	buf := make([]byte, chunkLen)
	kept := 0        // bytes of an unfinished string at the start of buf
	clipped := false // its beginning was dropped: it can no longer be a whole name
	for {
		n, err := io.ReadFull(r, buf[kept:])
		data := buf[:kept+n]
		for {
			end := bytes.IndexByte(data, 0)
			if end < 0 {
				break
			}
			if end >= minName {
				classify(data[:end], clipped, found)
			}
			clipped = false
			data = data[end+1:]
		}
		if err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return nil // what is left has no terminator, so it is no string
			}
			return err
		}
		if len(data) > 2*maxName {
			data, clipped = data[len(data)-2*maxName:], true
		}
		kept = copy(buf, data)
	}
}

// classify looks at one string without its terminator.
func classify(s []byte, clipped bool, found func(string, nameKind)) {
	if c := s[0]; !clipped && (c == 'x' || c == 't') && len(s) <= maxName && isFlag(s) {
		found(string(s), flagName)
		return
	}
	start := len(s)
	for start > 0 && nameByte[s[start-1]] {
		start--
		if len(s)-start > maxName {
			return
		}
	}
	token := s[start:]
	for len(token) > 0 && (token[0] >= '0' && token[0] <= '9') {
		token = token[1:]
	}
	if !isName(token) {
		return
	}
	if len(token) == len(s) && !clipped {
		found(string(token), wholeName)
	} else {
		found(string(token), tailName)
	}
}

var nameByte = func() (t [256]bool) {
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = true
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	t['_'] = true
	return
}()

// isName reports whether s looks like an environment variable of TensorFlow's world: capitals, digits and at least one underscore.
func isName(s []byte) bool {
	if len(s) < minName || len(s) > maxName || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	under := false
	for _, c := range s {
		if !nameByte[c] {
			return false
		}
		under = under || c == '_'
	}
	return under && s[0] != '_'
}

func isFlag(s []byte) bool {
	if !bytes.HasPrefix(s, []byte("xla_")) && !bytes.HasPrefix(s, []byte("tf_")) {
		return false
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return true
}

// scanBinary reports the names in the constant data of an ELF or Mach-O file.
func scanBinary(path string, found func(string, nameKind)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var parts []io.Reader
	switch {
	case string(magic[:]) == elf.ELFMAG:
		parts, err = elfConstants(f)
	case magic == [4]byte{0xcf, 0xfa, 0xed, 0xfe}:
		parts, err = machoConstants(f)
	case magic == [4]byte{0xca, 0xfe, 0xba, 0xbe}:
		parts, err = fatConstants(f)
	default:
		return fmt.Errorf("%s: %w", path, errNotBinary)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range parts {
		if err := scanStrings(p, found); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

var errNotBinary = errors.New("neither ELF nor Mach-O")

// elfConstants are the sections that are loaded, hold bytes and are not executable (.rodata, .data.rel.ro, .data, …), less
// the unwind tables; of a file without section headers, the loaded segments that are not executable.
func elfConstants(f io.ReaderAt) ([]io.Reader, error) {
	e, err := elf.NewFile(f)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	var parts []io.Reader
	for _, s := range e.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 || s.Flags&elf.SHF_EXECINSTR != 0 || s.Flags&elf.SHF_COMPRESSED != 0 {
			continue
		}
		if strings.HasPrefix(s.Name, ".eh_frame") || s.Name == ".gcc_except_table" {
			continue
		}
		parts = append(parts, io.NewSectionReader(f, int64(s.Offset), int64(s.FileSize)))
	}
	if len(e.Sections) == 0 {
		for _, p := range e.Progs {
			if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X == 0 {
				parts = append(parts, io.NewSectionReader(f, int64(p.Off), int64(p.Filesz)))
			}
		}
	}
	return parts, nil
}

func machoConstants(f io.ReaderAt) ([]io.Reader, error) {
	m, err := macho.NewFile(f)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var parts []io.Reader
	for _, s := range m.Sections {
		const instructions = 0x80000000                                      // S_ATTR_PURE_INSTRUCTIONS
		if s.Flags&instructions != 0 || s.Flags&0xff == 1 || s.Offset == 0 { // S_ZEROFILL
			continue
		}
		parts = append(parts, io.NewSectionReader(f, int64(s.Offset), int64(s.Size)))
	}
	return parts, nil
}

func fatConstants(f io.ReaderAt) ([]io.Reader, error) {
	fat, err := macho.NewFatFile(f)
	if err != nil {
		return nil, err
	}
	defer fat.Close()
	var parts []io.Reader
	for _, a := range fat.Arches {
		p, err := machoConstants(io.NewSectionReader(f, int64(a.Offset), int64(a.Size)))
		if err != nil {
			return nil, err
		}
		parts = append(parts, p...)
	}
	return parts, nil
}

// scanPython reports the names that are whole string literals of a Python file, plain or bytes: "TF_CONFIG", not "set TF_CONFIG=…".
// In a file that never says environ, getenv or putenv they are only mentioned: another module may import the constant.
func scanPython(text []byte, found func(string, nameKind)) {
	kind := mentionName
	if bytes.Contains(text, []byte("environ")) || bytes.Contains(text, []byte("getenv")) {
		kind = wholeName
	}
	for i := 0; i < len(text); {
		j := bytes.IndexByte(text[i:], '_')
		if j < 0 {
			return
		}
		j += i
		start, end := j, j+1
		for start > 0 && nameByte[text[start-1]] && j-start < maxName {
			start--
		}
		for end < len(text) && nameByte[text[end]] && end-start <= maxName {
			end++
		}
		i = end
		if start == 0 || end == len(text) || text[start-1] != text[end] || text[end] != '"' && text[end] != '\'' {
			continue
		}
		if isName(text[start:end]) {
			found(string(text[start:end]), kind)
		}
	}
}
