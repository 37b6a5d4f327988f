// Foreignverifier checks an audit log with code that this project did not write: signed notes and
// tiles with golang.org/x/mod/sumdb, checkpoints, cosignatures and proofs with transparency-dev.
//
//	foreignverifier -log DIR -vkey KEY [-witness KEY]... [-old FILE]... [-proofs DIR] [-sample N]
//
// It prints one line of JSON and ends with 0 if all is good, 1 if something is wrong.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	checkpoints "github.com/transparency-dev/formats/log"
	cosignatures "github.com/transparency-dev/formats/note"
	proofs "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// result is what the program prints: how much of each kind was checked.
type result struct {
	OK           bool   `json:"ok"`
	Error        string `json:"error,omitempty"`
	Size         int64  `json:"size"`
	Tiles        int    `json:"tiles"`
	Entries      int    `json:"entries"`
	Inclusions   int    `json:"inclusions"`
	Consistency  int    `json:"consistency"`
	OwnProofs    int    `json:"own_proofs"`
	Cosignatures int    `json:"cosignatures"`
}

type texts []string

func (t *texts) String() string     { return strings.Join(*t, ",") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }

func main() {
	var witnesses, older texts
	directory := flag.String("log", "", "directory of the log")
	vkey := flag.String("vkey", "", "verifier key of the log")
	flag.Var(&witnesses, "witness", "verifier key of a witness whose cosignature must be there")
	flag.Var(&older, "old", "older checkpoint, in a file; beside it may lie FILE.proof, "+
		"a consistency proof of base64 lines")
	own := flag.String("proofs", "", "directory of .tlog-proof files to verify")
	sample := flag.Int64("sample", 1, "prove the inclusion of every Nth entry")
	flag.Parse()

	var res result
	if err := run(&res, *directory, *vkey, witnesses, older, *own, *sample); err != nil {
		res.Error = err.Error()
	}
	res.OK = res.Error == ""
	if err := json.NewEncoder(os.Stdout).Encode(res); err != nil || !res.OK {
		os.Exit(1)
	}
}

func run(res *result, directory, vkey string, witnesses, older []string, own string, sample int64) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	var others []note.Verifier
	for _, each := range witnesses {
		witness, err := cosignatures.NewVerifierForCosignatureV1(each)
		if err != nil {
			return err
		}
		others = append(others, witness)
	}
	raw, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	if err != nil {
		return err
	}
	head, _, signed, err := checkpoints.ParseCheckpoint(raw, verifier.Name(), verifier, others...)
	if err != nil {
		return err
	}
	res.Cosignatures = len(signed.Sigs) - 1
	if res.Cosignatures != len(others) {
		return errors.New("a witness has not cosigned the checkpoint")
	}
	tree, err := treeOf(head)
	if err != nil {
		return err
	}
	res.Size = tree.N

	files := &tiles{directory: directory, read: map[tlog.Tile]bool{}}
	hashes := tlog.TileHashReader(tree, files)
	entries, err := checkEntries(files, hashes, tree)
	if err != nil {
		return err
	}
	res.Entries = len(entries)
	res.Tiles = len(files.read)

	for index := int64(0); index < tree.N; index += sample {
		made, err := tlog.ProveRecord(tree.N, index, hashes)
		if err != nil {
			return err
		}
		leaf := tlog.RecordHash(entries[index])
		if err := tlog.CheckRecord(made, tree.N, tree.Hash, index, leaf); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		res.Inclusions++
	}
	for _, each := range older {
		if err := checkOlder(each, verifier, tree, hashes); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(each), err)
		}
		res.Consistency++
	}
	if own != "" {
		return checkOwnProofs(res, own, verifier, entries)
	}
	return nil
}

func treeOf(head *checkpoints.Checkpoint) (tlog.Tree, error) {
	if len(head.Hash) != tlog.HashSize {
		return tlog.Tree{}, errors.New("the root is not a SHA-256 hash")
	}
	return tlog.Tree{N: int64(head.Size), Hash: tlog.Hash(head.Hash)}, nil
}

// tiles reads hash tiles from files under the names of c2sp.org/tlog-tiles.
type tiles struct {
	directory string
	read      map[tlog.Tile]bool
}

func (t *tiles) Height() int                         { return height }
func (t *tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var contents [][]byte
	for _, tile := range wanted {
		content, err := t.content(tile)
		if err != nil {
			return nil, err
		}
		contents = append(contents, content)
		t.read[tile] = true
	}
	return contents, nil
}

// content of a tile; a bundle of entries has the level -1. The names differ from those of sumdb in
// two points: no height, and "entries" for "data".
func (t *tiles) content(tile tlog.Tile) ([]byte, error) {
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
	path = strings.Replace(path, "tile/data/", "tile/entries/", 1)
	return os.ReadFile(filepath.Join(t.directory, path))
}

// checkEntries reads every entry and compares its hash with the one in the authenticated tiles.
func checkEntries(files *tiles, hashes tlog.HashReader, tree tlog.Tree) ([][]byte, error) {
	var entries [][]byte
	for first := int64(0); first < tree.N; first += 1 << height {
		width := min(tree.N-first, 1<<height)
		bundle, err := files.content(tlog.Tile{H: height, L: -1, N: first >> height, W: int(width)})
		if err != nil {
			return nil, err
		}
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		leaves, err := hashes.ReadHashes(indexes)
		if err != nil {
			return nil, err
		}
		for i, leaf := range leaves {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return nil, fmt.Errorf("entry %d: its bundle breaks off", first+int64(i))
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2:end]
			if tlog.RecordHash(entry) != leaf {
				return nil, fmt.Errorf("entry %d: not the entry in the tree", first+int64(i))
			}
			entries = append(entries, entry)
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			return nil, fmt.Errorf("bundle %d holds more than its entries", first>>height)
		}
	}
	return entries, nil
}

// checkOlder verifies that the tree begins with that of an older checkpoint: by a proof that is made
// here from the tiles, and by the one that lies beside the file.
func checkOlder(file string, verifier note.Verifier, tree tlog.Tree, hashes tlog.HashReader) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, _, _, err := checkpoints.ParseCheckpoint(raw, verifier.Name(), verifier)
	if err != nil {
		return err
	}
	old, err := treeOf(head)
	if err != nil {
		return err
	}
	made, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(made, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return err
	}
	text, err := os.ReadFile(file + ".proof")
	if err != nil {
		return err
	}
	var given [][]byte
	for _, line := range strings.Fields(string(text)) {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return err
		}
		given = append(given, hash)
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old.N), uint64(tree.N), given,
		old.Hash[:], tree.Hash[:])
}

// checkOwnProofs verifies the inclusion proofs that the log gave out itself.
func checkOwnProofs(res *result, directory string, verifier note.Verifier, entries [][]byte) error {
	files, err := filepath.Glob(filepath.Join(directory, "*.tlog-proof"))
	if err != nil {
		return err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var given proofs.TLogProof
		if err := given.Unmarshal(raw); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		head, _, _, err := checkpoints.ParseCheckpoint(given.Checkpoint, verifier.Name(), verifier)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		if given.Index >= uint64(len(entries)) {
			return fmt.Errorf("%s: no such entry", filepath.Base(file))
		}
		var path [][]byte
		for _, hash := range given.Hashes {
			path = append(path, hash[:])
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(entries[given.Index])
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, given.Index, head.Size, leaf, path,
			head.Hash); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		res.OwnProofs++
	}
	return nil
}
