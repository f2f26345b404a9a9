package onnxtest

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Types of elements in ONNX's TensorProto.
const (
	typeFloat = 1
	typeUint8 = 2
	typeInt64 = 7
	typeHalf  = 10
)

// Kinds of attributes in ONNX's AttributeProto.
const (
	attributeInt  = 2
	attributeText = 3
	attributeInts = 7
)

// locationOutside is TensorProto's word for values in another file.
const locationOutside = 1

// message is a protocol buffer under way; its field numbers are those of onnx.proto.
type message []byte

func (m *message) number(field protowire.Number, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), v)
}

func (m *message) text(field protowire.Number, v string) { m.bytes(field, []byte(v)) }

// graph collects a GraphProto.
type graph struct {
	message
	kind int // of the values
	// outside is the name of the file that has the weights, which collect in weightsOutside; empty: the graph itself has them.
	outside        string
	weightsOutside []byte
}

// node adds an operator with one output.
func (g *graph) node(operator string, inputs []string, output string, attributes ...message) {
	g.fork(operator, inputs, []string{output}, attributes...)
}

// fork adds an operator with any number of outputs.
func (g *graph) fork(operator string, inputs, outputs []string, attributes ...message) {
	var n message
	for _, in := range inputs {
		n.text(1, in)
	}
	for _, out := range outputs {
		n.text(2, out)
	}
	n.text(3, operator+" "+outputs[0])
	n.text(4, operator)
	for _, a := range attributes {
		n.bytes(5, a)
	}
	g.bytes(1, n)
}

func integer(name string, value int64) message {
	var a message
	a.text(1, name)
	a.number(3, value)
	a.number(20, attributeInt)
	return a
}

func ints(name string, values ...int64) message {
	var a message
	a.text(1, name)
	for _, v := range values {
		a.number(8, v)
	}
	a.number(20, attributeInts)
	return a
}

func text(name, value string) message {
	var a message
	a.text(1, name)
	a.text(4, value)
	a.number(20, attributeText)
	return a
}

// tensor adds a constant.
func (g *graph) tensor(name string, kind int, shape []int64, raw []byte) {
	var t message
	for _, n := range shape {
		t.number(1, n)
	}
	t.number(2, int64(kind))
	t.text(8, name)
	t.bytes(9, raw)
	g.bytes(5, t)
}

// tensorOutside adds a constant whose values are in the other file.
func (g *graph) tensorOutside(name string, kind int, shape []int64, raw []byte) {
	var t message
	for _, n := range shape {
		t.number(1, n)
	}
	t.number(2, int64(kind))
	t.text(8, name)
	for _, e := range [][2]string{{"location", g.outside}, {"offset", fmt.Sprint(len(g.weightsOutside))}, {"length", fmt.Sprint(len(raw))}} {
		var entry message
		entry.text(1, e[0])
		entry.text(2, e[1])
		t.bytes(13, entry)
	}
	t.number(14, locationOutside)
	g.bytes(5, t)
	g.weightsOutside = append(g.weightsOutside, raw...)
}

// weights adds constants of the graph's kind.
func (g *graph) weights(name string, shape []int64, values ...float32) {
	var raw []byte
	for _, v := range values {
		if g.kind == typeHalf {
			raw = binary.LittleEndian.AppendUint16(raw, halfOf(v))
		} else {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
	}
	if g.outside != "" {
		g.tensorOutside(name, g.kind, shape, raw)
		return
	}
	g.tensor(name, g.kind, shape, raw)
}

// halfOf cuts a value of ordinary size to 16 bits.
func halfOf(v float32) uint16 {
	bits := math.Float32bits(v)
	return uint16(bits>>16&0x8000) | uint16((bits>>23&0xff)-127+15)<<10 | uint16(bits>>13&0x3ff)
}

// scales adds 32-bit constants, which Resize wants whatever the kind.
func (g *graph) scales(name string, values ...float32) {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	g.tensor(name, typeFloat, []int64{int64(len(values))}, raw)
}

func (g *graph) integers(name string, values ...int64) {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	g.tensor(name, typeInt64, []int64{int64(len(values))}, raw)
}

// size is one of a shape's: a name where n is 0, which is any.
type size struct {
	name string
	n    int64
}

// port describes an input or output.
func (g *graph) port(field protowire.Number, name string, sizes ...size) {
	var shape message
	for _, s := range sizes {
		var d message
		if s.n > 0 {
			d.number(1, s.n)
		} else {
			d.text(2, s.name)
		}
		shape.bytes(1, d)
	}
	var tensor, kind, value message
	tensor.number(1, int64(g.kind))
	tensor.bytes(2, shape)
	kind.bytes(1, tensor)
	value.text(1, name)
	value.bytes(2, kind)
	g.bytes(field, value)
}

// model wraps the graph, of operator set 17, up.
func (g *graph) model(in, out string, k Kind) []byte {
	batch, views, h, w := size{name: "batch_size"}, size{name: "num_images"}, size{name: "height"}, size{name: "width"}
	if k.Fixed {
		batch.n, views.n, h.n, w.n = 1, 1, FixedH, FixedW
	}
	switch {
	case k.Views:
		g.port(11, in, batch, views, size{n: 3}, h, w)
		g.port(12, confidence, batch, views, h, w)
		g.port(12, out, batch, views, h, w)
	case k.Plane:
		g.port(11, in, batch, size{n: 3}, h, w)
		g.port(12, out, batch, size{n: 1}, h, w)
	default:
		g.port(11, in, batch, size{n: 3}, h, w)
		g.port(12, out, batch, h, w)
	}
	g.text(2, "depth")
	var operators, m message
	operators.text(1, "")
	operators.number(2, 17)
	m.number(1, 8) // version of the format
	m.bytes(7, g.message)
	m.bytes(8, operators)
	return m
}
