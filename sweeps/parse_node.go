package sweeps

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// position in the source; both count from 1, columns in characters.
type position struct{ line, column int }

// node is a value of the YAML document with its place. Aliases are resolved: the
// same node may occur in several places, so nodes never change.
type node struct {
	position
	// value is nil, bool, float64 or string for a scalar.
	value any
	// fault says why a scalar has no value of JSON's, empty if it has.
	fault   string
	list    []*node // of a list
	entries []entry // of a mapping
	kind    nodeKind
	size    int // nodes in it when all aliases are written out
}

type nodeKind int

const (
	scalarNode nodeKind = iota
	listNode
	mapNode
)

type entry struct {
	position
	key   string
	value *node
}

// json is the node as a JSON value. Of duplicate keys the last one counts: they
// have been reported by then.
func (n *node) json() any {
	switch n.kind {
	case listNode:
		list := make([]any, len(n.list))
		for i, e := range n.list {
			list[i] = e.json()
		}
		return list
	case mapNode:
		section := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			section[e.key] = e.value.json()
		}
		return section
	default:
		return n.value
	}
}

// describe names the node in a message.
func (n *node) describe() string {
	switch n.kind {
	case listNode:
		return "a list"
	case mapNode:
		return "a section"
	default:
		return describe(n.value)
	}
}

// isNull reports whether the node is an absent or null value.
func (n *node) isNull() bool { return n.kind == scalarNode && n.value == nil && n.fault == "" }

// treeBuilder turns the parser's tree into nodes.
type treeBuilder struct {
	anchors map[string]*node
	open    []string // anchors whose node is being built
}

func (b *treeBuilder) build(n ast.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, failAt(at(n.GetToken()), "nested more than %d levels deep", maxDepth)
	}
	out := &node{position: at(n.GetToken()), size: 1}
	switch n := n.(type) {
	case *ast.MappingNode:
		return b.buildMapping(out, n, depth)
	case *ast.SequenceNode:
		return b.buildList(out, n, depth)
	case *ast.AnchorNode:
		return b.buildAnchor(n, depth)
	case *ast.AliasNode:
		return b.resolve(n)
	case *ast.TagNode:
		return nil, failAt(out.position, "the tag %.40s is not supported; remove it, and put text in quotes", n.GetToken().Value)
	case *ast.LiteralNode:
		out.value = n.Value.Value
		return out, nil
	case ast.ScalarNode:
		out.value, out.fault = scalar(n.GetToken())
		return out, nil
	default:
		return nil, failAt(out.position, "%s is not supported here; write a plain value", strings.ToLower(n.Type().String()))
	}
}

func (b *treeBuilder) buildMapping(out *node, mapping *ast.MappingNode, depth int) (*node, error) {
	out.kind = mapNode
	for i, pair := range mapping.Values {
		e := entry{position: at(pair.Key.GetToken())}
		if i == 0 && !mapping.IsFlowStyle {
			out.position = e.position
		}
		switch key := pair.Key.(type) {
		case *ast.MergeKeyNode:
			return nil, failAt(e.position, "merge keys (<<) are not supported; write the settings out")
		case *ast.StringNode:
			e.key = key.Value
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
			return nil, failAt(e.position, "a key has to be text; put %.40s in quotes", key.GetToken().Value)
		default:
			return nil, failAt(e.position, "a key has to be plain text")
		}
		value, err := b.build(pair.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if value.isNull() {
			value = &node{position: e.position, size: 1}
		}
		e.value = value
		out.entries = append(out.entries, e)
		if err := out.grow(value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *treeBuilder) buildList(out *node, sequence *ast.SequenceNode, depth int) (*node, error) {
	out.kind = listNode
	for _, item := range sequence.Values {
		e, err := b.build(item, depth+1)
		if err != nil {
			return nil, err
		}
		out.list = append(out.list, e)
		if err := out.grow(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// grow counts what is in a node, so that aliases of aliases cannot blow up.
func (n *node) grow(child *node) error {
	n.size += child.size
	if n.size > maxNodes {
		return failAt(child.position, "the file holds more than %d values, counting what its aliases repeat; write fewer", maxNodes)
	}
	return nil
}

func (b *treeBuilder) buildAnchor(n *ast.AnchorNode, depth int) (*node, error) {
	name := n.Name.GetToken().Value
	b.open = append(b.open, name)
	out, err := b.build(n.Value, depth+1)
	b.open = b.open[:len(b.open)-1]
	if err != nil {
		return nil, err
	}
	b.anchors[name] = out
	return out, nil
}

func (b *treeBuilder) resolve(n *ast.AliasNode) (*node, error) {
	name := n.Value.GetToken().Value
	for _, open := range b.open {
		if open == name {
			return nil, failAt(at(n.GetToken()), "the alias *%.40s stands inside its own anchor; write the value out", name)
		}
	}
	out, ok := b.anchors[name]
	if !ok {
		return nil, failAt(at(n.GetToken()), "the alias *%.40s has no anchor before it; add &%.40s, or quote the value if it is text", name, name)
	}
	return out, nil
}
