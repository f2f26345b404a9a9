package onnx

import (
	"encoding/binary"
	"math"
)

// toHalf writes 32-bit values as 16-bit ones (IEEE 754 binary16, little-endian), rounded to the nearest, ties to even.
func toHalf(dst []byte, src []float32) {
	for i, v := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], halfOf(v))
	}
}

func halfOf(v float32) uint16 {
	bits := math.Float32bits(v)
	sign := uint16(bits >> 16 & 0x8000)
	exponent, mantissa := int(bits>>23&0xff), bits&0x7fffff
	switch {
	case exponent == 0xff && mantissa != 0:
		return sign | 0x7e00
	case exponent-127 > 15:
		return sign | 0x7c00
	case exponent-127 < -25:
		return sign
	}
	shift := 13
	if exponent-127 < -14 { // a subnormal: the leading one is written out
		shift, mantissa = shift+(-14-(exponent-127)), mantissa|0x800000
		exponent = 127 - 15
	}
	half := uint32(exponent-127+15)<<10 + mantissa>>shift
	rest, tie := mantissa&(1<<shift-1), uint32(1)<<(shift-1)
	if rest > tie || rest == tie && half&1 == 1 {
		half++ // may carry into the exponent, up to infinity, as it should
	}
	return sign | uint16(half)
}

// fromHalf reads 16-bit values.
func fromHalf(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = floatOf(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func floatOf(h uint16) float32 {
	sign, exponent, mantissa := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0:
		v := float32(mantissa) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | mantissa<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | mantissa<<13)
}
