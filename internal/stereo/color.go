package stereo

import "math"

// lumaRange returns the code values of black and white.
func lumaRange(full bool, bits int) (black, white float64) {
	if full {
		return 0, float64(int(1)<<bits - 1)
	}
	unit := float64(int(1) << (bits - 8))
	return 16 * unit, 235 * unit
}

// colorimetry converts between code values and R'G'B' in [0, 1].
type colorimetry struct {
	kr, kb             float64 // luma weights of red and blue
	black, lumaSpan    float64 // code values
	neutral, colorSpan float64
}

// LumaWeights returns the shares of red and blue in luma for a stream's matrix tag; see newColorimetry.
func LumaWeights(matrix string, w, h int) (red, blue float64) {
	c := newColorimetry(matrix, false, 8, w, h)
	return c.kr, c.kb
}

// newColorimetry reads the stream's tags. Without a matrix tag, what players assume counts: BT.601
// up to 1024×576, BT.709 above.
func newColorimetry(matrix string, full bool, bits, w, h int) colorimetry {
	c := colorimetry{kr: 0.2126, kb: 0.0722} // BT.709
	switch matrix {
	case "bt470bg", "smpte170m":
		c.kr, c.kb = 0.299, 0.114
	case "fcc":
		c.kr, c.kb = 0.30, 0.11
	case "smpte240m":
		c.kr, c.kb = 0.212, 0.087
	case "bt2020nc", "bt2020c":
		c.kr, c.kb = 0.2627, 0.0593
	case "", "unknown", "unspecified", "reserved":
		if w <= 1024 && h <= 576 {
			c.kr, c.kb = 0.299, 0.114
		}
	}
	var white float64
	c.black, white = lumaRange(full, bits)
	c.lumaSpan = white - c.black
	c.neutral = float64(int(1) << (bits - 1))
	c.colorSpan = 224 * float64(int(1)<<(bits-8))
	if full {
		c.colorSpan = float64(int(1)<<bits - 1)
	}
	return c
}

// transfer is a display's law from signal in [0, 1] to light in [0, 1] and back.
type transfer struct{ toLight, toSignal func(float64) float64 }

// newTransfer returns the law named by the stream's tag. Camera curves (BT.709 and its kin, and
// streams that don't say) are shown by displays that follow BT.1886: light is the signal to the 2.4.
func newTransfer(name string) transfer {
	switch name {
	case "linear":
		return transfer{func(v float64) float64 { return v }, func(v float64) float64 { return v }}
	case "gamma22", "bt470m":
		return power(2.2)
	case "gamma28", "bt470bg":
		return power(2.8)
	case "iec61966-2-1":
		return transfer{srgbToLight, srgbToSignal}
	case "smpte2084":
		return transfer{pqToLight, pqToSignal}
	case "arib-std-b67":
		return transfer{hlgToLight, hlgToSignal}
	}
	return power(2.4)
}

func power(gamma float64) transfer {
	return transfer{
		func(v float64) float64 { return math.Pow(v, gamma) },
		func(v float64) float64 { return math.Pow(v, 1/gamma) },
	}
}

// IEC 61966-2-1.
func srgbToLight(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func srgbToSignal(v float64) float64 {
	if v <= 0.0031308 {
		return v * 12.92
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}

// SMPTE ST 2084; light 1 is 10,000 cd/m².
const (
	pqM1 = 2610.0 / 16384
	pqM2 = 2523.0 / 32
	pqC1 = 3424.0 / 4096
	pqC2 = 2413.0 / 128
	pqC3 = 2392.0 / 128
)

func pqToLight(v float64) float64 {
	p := math.Pow(v, 1/pqM2)
	return math.Pow(max(p-pqC1, 0)/(pqC2-pqC3*p), 1/pqM1)
}

func pqToSignal(v float64) float64 {
	p := math.Pow(v, pqM1)
	return math.Pow((pqC1+pqC2*p)/(1+pqC3*p), pqM2)
}

// ARIB STD-B67 (hybrid log-gamma), the camera's light.
const (
	hlgA = 0.17883277
	hlgB = 0.28466892
	hlgC = 0.55991073
)

func hlgToLight(v float64) float64 {
	if v <= 0.5 {
		return v * v / 3
	}
	return (math.Exp((v-hlgC)/hlgA) + hlgB) / 12
}

func hlgToSignal(v float64) float64 {
	if v <= 1.0/12 {
		return math.Sqrt(3 * v)
	}
	return hlgA*math.Log(12*v-hlgB) + hlgC
}
